// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  // Without an actor of its own an async function stays on its caller's: nothing slips to the global executor, whose
  // libdispatch pool wakes up once a second for as long as the process lives.
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

/// A room: who may know whom is what its dependencies say, and `Tests/run` builds so that no import goes beyond them.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// What no reading and no command of an output passes: small rather than fast. Never a room that a library product
/// brings along, since SwiftPM takes no package with such flags as a dependency.
let small = strict + [.unsafeFlags(["-Osize"], .when(configuration: .release))]
func smallRoom(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: small)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

let package = Package(
  name: "limpet",
  products: [
    .executable(name: "limpet", targets: ["limpet"]),
    .library(name: "MQTT", targets: ["MQTT"]),
    .library(name: "MQTTCore", targets: ["MQTTCore"]),
    .library(name: "MQTTStore", targets: ["MQTTStore"]),
    .library(name: "MQTTService", targets: ["MQTTService"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .executableTarget(
      name: "limpet",
      dependencies: [
        "Agent", "Diagnosis", "Fleet", "Control", "Configuration", "Sensing", "LimpetPlatform", "LimpetText",
        .product(name: "ArgumentParser", package: "swift-argument-parser"), logging,
      ],
      swiftSettings: small,
      // Nobody loads the program as a library: the names of its symbols would be 2 MB of it.
      linkerSettings: [.unsafeFlags(["-Xlinker", "--no-export-dynamic"], .when(configuration: .release))]),
    // Writes manuals and the reference file where limpet is built; no board needs it.
    .executableTarget(
      name: "Documents",
      dependencies: [
        "Configuration", "YAML", "LimpetText", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // What people run.
    smallRoom(
      "Fleet",
      [
        "Core", "MQTT", "MQTTCore", "MQTTStore", "Configuration", "Plan", "Planning", "Discovery", "Outbox", "Presence",
        "Readings", "Records", "Measuring", "Status", "JSON", "LimpetText", "Web", "LimpetPlatform", "LimpetInstants",
        "CLimpetLinux",
        nio("NIOCore"), nio("NIOHTTP1"), nio("NIOPosix"), deque, logging,
      ]),
    smallRoom(
      "Diagnosis",
      [
        "Planning", "Configuration", "Presence", "Readings", "Records", "Measuring", "Sensing",
        "Status", "Storage", "Control", "MQTT", "MQTTCore", "YAML", "JSON", "LimpetText", "LimpetPlatform",
        "LimpetInstants",
        nio("NIOCore"),
        nio("NIOPosix"), logging,
      ]),
    room(
      "Agent",
      [
        "Core", "Plan", "Planning", "Configuration", "Status", "Control", "Outbox", "Presence", "Readings",
        "Records", "Measuring", "Sensing", "Storage", "MQTT", "MQTTCore", "LimpetText", "Web", "LimpetPlatform",
        "LimpetInstants",
        "CLimpetLinux", nio("NIOCore"), nio("NIOPosix"), deque, logging,
      ]),

    // The agent as values: what happens in, what is to be done out.
    room(
      "Core",
      [
        "Plan", "Discovery", "Status", "Outbox", "Presence", "Readings", "Records", "Measuring", "MQTTCore", "JSON",
        "LimpetInstants", "LimpetText", nio("NIOCore"), deque,
      ]),

    // What is to be done, and what is said of it.
    smallRoom(
      "Planning",
      [
        "Configuration", "Plan", "Discovery", "Presence", "Outbox", "Readings", "Records", "Measuring", "MQTTCore",
        "JSON", "LimpetText", "LimpetInstants", nio("NIOCore"),
      ]),
    smallRoom("Configuration", ["Readings", "Measuring", "YAML", "JSON", "LimpetText"]),
    smallRoom(
      "Discovery",
      ["Readings", "Records", "Measuring", "MQTTCore", "JSON", "LimpetText", nio("NIOCore"), deque]),
    smallRoom(
      "Status",
      ["Presence", "Readings", "Measuring", "MQTTCore", "JSON", "LimpetText", "LimpetInstants", nio("NIOCore")]),
    smallRoom(
      "Control",
      [
        "JSON", "LimpetText", "LimpetPlatform", "LimpetInstants", "CLimpetLinux", nio("NIOCore"), nio("NIOPosix"),
        logging,
      ]),

    // What is to be done, as values.
    room(
      "Plan",
      [
        "Discovery", "Outbox", "Presence", "Readings", "Records", "Measuring", "MQTTCore", "LimpetText",
        "LimpetInstants",
      ]),

    // Values that hold the rules.
    room("Outbox", ["Readings", "Records", "MQTTCore", "LimpetInstants", deque]),
    room("Presence", ["MQTTCore", "JSON", "LimpetInstants", nio("NIOCore")]),
    room("Readings", ["Measuring", "Records", "MQTTCore", "JSON", "LimpetText", "LimpetInstants", nio("NIOCore")]),
    room("Records", ["MQTTCore"]),
    room("Measuring", ["LimpetText", "LimpetInstants"]),
    // Packets, protocol and session: everything that neither opens, waits nor asks for the time. Of NIO it takes bytes.
    room("MQTTCore", ["LimpetInstants", nio("NIOCore")]),

    // A world in virtual time, for tests: brokers, networks, stores and clocks.
    room(
      "Simulation",
      [
        "Core", "Plan", "Discovery", "Outbox", "Presence", "Readings", "Records", "Measuring", "MQTTCore", "JSON",
        "LimpetInstants", "LimpetText", nio("NIOCore"), deque,
      ]),

    // What touches the world.
    room("Storage", ["MQTTStore", "Records", "MQTTCore"]),
    // A session on disk, and the database it is in.
    room("MQTTStore", ["MQTTCore", "LimpetPlatform", "LimpetInstants", "CMQTTSQLite", nio("NIOCore")]),
    room("Sensing", ["Measuring", "LimpetPlatform", "LimpetInstants", "LimpetText", "CGPIO", "CLimpetLinux"]),
    room(
      "MQTT",
      [
        "MQTTCore", "LimpetPlatform", "LimpetInstants", nio("NIOCore"), nio("NIOPosix"), nio("NIOTLS"), nio("NIOHTTP1"),
        nio("NIOWebSocket"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOExtras", package: "swift-nio-extras"),
        .product(name: "NIOSOCKS", package: "swift-nio-extras"),
        .product(name: "CoreMetrics", package: "swift-metrics"), logging, deque,
      ]),
    // The client for who has a group of services; limpet has none.
    room("MQTTService", ["MQTT", lifecycle]),

    // One thing each.
    smallRoom("Web", ["LimpetText", "LimpetPlatform", nio("NIOCore"), nio("NIOHTTP1"), nio("NIOPosix")]),
    room("LimpetPlatform", ["LimpetInstants", "LimpetText", "CLimpetLinux", logging]),
    smallRoom("YAML", ["LimpetText", "CYAML"]),
    room("JSON", ["LimpetText", nio("NIOCore")]),
    room("LimpetInstants"),
    room("LimpetText"),
    .target(name: "CGPIO", linkerSettings: [.linkedLibrary("gpiod")]),
    .systemLibrary(name: "CLimpetLinux"),
    .systemLibrary(name: "CMQTTSQLite"),
    .systemLibrary(name: "CYAML"),

    .executableTarget(
      name: "MQTTBenchmark", dependencies: ["MQTT", nio("NIOCore"), nio("NIOPosix"), logging],
      path: "Tests/Benchmarks/MQTTBenchmark", swiftSettings: strict),

    // A client beyond a slow, lossy link: Tests/Netem/run.
    .executableTarget(
      name: "SlowLink", dependencies: ["MQTT", nio("NIOCore")], path: "Tests/Netem/SlowLink", swiftSettings: strict),

    // Years in minutes: Tests/Simulation/run.
    .executableTarget(
      name: "Simulator", dependencies: ["Simulation", "MQTTCore", "LimpetInstants"], path: "Tests/Simulation/Simulator",
      swiftSettings: strict),

    .target(
      name: "TestScene",
      dependencies: ["MQTT", "MQTTCore", "LimpetInstants", "LimpetPlatform", nio("NIOCore"), nio("NIOPosix"), logging],
      path: "Tests/Support", swiftSettings: strict),
    tests(
      "MQTTTests",
      [
        "MQTT", "MQTTService", "MQTTCore", "TestScene", "LimpetInstants", "LimpetPlatform", nio("NIOCore"),
        nio("NIOPosix"),
        nio("NIOHTTP1"), nio("NIOWebSocket"), nio("NIOEmbedded"), nio("NIOTLS"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "CoreMetrics", package: "swift-metrics"), logging, lifecycle,
      ]),
    tests(
      "BrokerTests", ["MQTT", "MQTTCore", "TestScene", "LimpetInstants", "LimpetPlatform", nio("NIOCore"), logging]),
    tests("ExampleTests", ["MQTT", "MQTTStore", nio("NIOCore"), nio("NIOPosix")]),
    tests(
      "SimulationTests",
      [
        "Simulation", "Records", "MQTT", "MQTTCore", "TestScene", "LimpetInstants", "LimpetPlatform", nio("NIOCore"),
        nio("NIOPosix"),
      ]),
    tests(
      "CoreTests",
      [
        "Core", "Agent", "Plan", "Discovery", "Status", "Outbox", "Presence", "Readings", "Records", "Measuring",
        "MQTTCore", "LimpetInstants", nio("NIOCore"), logging,
      ]),
    tests("JSONTests", ["JSON"]),
    tests("YAMLTests", ["YAML", "LimpetText"]),
    tests("SensingTests", ["Sensing", "Measuring", "LimpetPlatform", "LimpetInstants", "LimpetText", "TestScene"]),
    tests(
      "StorageTests",
      [
        "Storage", "MQTTStore", "Simulation", "Records", "Readings", "CMQTTSQLite", "MQTT", "MQTTCore",
        "LimpetPlatform",
        "LimpetInstants",
        "TestScene", nio("NIOCore"),
      ]),
    tests(
      "AgentTests",
      [
        "Agent", "Core", "Diagnosis", "Fleet", "Documents", "Plan", "Planning", "Configuration", "Discovery", "Status",
        "Control", "Outbox", "Presence", "Readings", "Records", "Measuring", "Sensing", "Storage", "MQTT", "MQTTCore",
        "YAML", "JSON", "LimpetText", "Web", "LimpetPlatform", "LimpetInstants", "TestScene", nio("NIOCore"),
        nio("NIOHTTP1"),
        nio("NIOPosix"), logging,
      ]),
    tests(
      "CommandTests",
      [
        "limpet", "CMQTTSQLite", "MQTT", "MQTTCore", "TestScene", "Readings", "JSON", "LimpetText", "LimpetPlatform",
        "LimpetInstants",
        .product(name: "ArgumentParser", package: "swift-argument-parser"), nio("NIOCore"), nio("NIOPosix"), logging,
      ]),
    // It runs in the network namespace of Tests/Presence/run; elsewhere it is skipped.
    tests(
      "PresenceTests",
      ["limpet", "MQTT", "MQTTCore", "TestScene", "LimpetInstants", "LimpetPlatform", nio("NIOCore"), nio("NIOPosix")],
      path: "Tests/Presence/PresenceTests"),
    // They run under Tests/Crash/run; elsewhere they are skipped.
    tests(
      "CrashTests",
      [
        "limpet", "Agent", "Outbox", "Readings", "Records", "Measuring", "MQTT", "MQTTCore", "Sensing", "Storage",
        "TestScene", "LimpetInstants", "LimpetPlatform",
      ],
      path: "Tests/Crash/CrashTests"),
    // They run in the guest of Tests/Hardware/run; elsewhere they are skipped.
    tests(
      "HardwareTests", ["limpet", "Sensing", "Measuring", "MQTTCore", "TestScene", "LimpetInstants", "LimpetPlatform"],
      path: "Tests/Hardware/HardwareTests"),
  ],
  swiftLanguageModes: [.v6]
)
