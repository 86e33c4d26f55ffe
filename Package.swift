// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  // Without an actor of its own an async function stays on its caller's: nothing slips to the global executor, whose
  // libdispatch pool wakes up once a second for as long as the process lives.
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }

let package = Package(
  name: "limpet",
  products: [
    .executable(name: "limpet", targets: ["limpet"]),
    .library(name: "MQTT", targets: ["MQTT"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .executableTarget(
      name: "limpet",
      dependencies: [
        "Agent",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict,
      // Nobody loads the program as a library: the names of its symbols would be 2 MB of it.
      linkerSettings: [.unsafeFlags(["-Xlinker", "--no-export-dynamic"], .when(configuration: .release))]),
    .target(
      name: "Agent",
      dependencies: [
        "Sensing", "Storage", "MQTT", "YAML", "Threads", "Time", "CLinux", nio("NIOCore"), nio("NIOPosix"),
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(name: "Sensing", dependencies: ["CGPIO", "CLinux", "Threads", "Time"], swiftSettings: strict),
    .target(name: "Storage", dependencies: ["CSQLite", "MQTT", "Threads"], swiftSettings: strict),
    .target(
      name: "MQTT",
      dependencies: [
        "Threads", "Time", nio("NIOCore"), nio("NIOPosix"), nio("NIOTLS"), nio("NIOHTTP1"), nio("NIOWebSocket"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOExtras", package: "swift-nio-extras"),
        .product(name: "NIOSOCKS", package: "swift-nio-extras"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    // Modelled brokers, networks, disks and clocks: no clock, no I/O, no thread of its own.
    .target(
      name: "Simulation",
      dependencies: ["MQTT", "Time", nio("NIOCore"), .product(name: "DequeModule", package: "swift-collections")],
      swiftSettings: strict),
    .target(name: "Threads", swiftSettings: strict),
    .target(name: "Time", swiftSettings: strict),
    .target(name: "YAML", dependencies: ["CYAML"], swiftSettings: strict),
    .target(name: "CGPIO", linkerSettings: [.linkedLibrary("gpiod")]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CSQLite"),
    .systemLibrary(name: "CYAML"),

    .executableTarget(
      name: "MQTTBenchmark",
      dependencies: [
        "MQTT", nio("NIOCore"), nio("NIOPosix"), .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/Benchmarks/MQTTBenchmark",
      swiftSettings: strict),

    .target(
      name: "TestScene",
      dependencies: ["MQTT", nio("NIOCore"), nio("NIOPosix"), .product(name: "Logging", package: "swift-log")],
      path: "Tests/Support",
      swiftSettings: strict),
    .testTarget(
      name: "MQTTTests",
      dependencies: [
        "MQTT", "TestScene", "Time", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOWebSocket"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "BrokerTests",
      dependencies: ["MQTT", "TestScene", nio("NIOCore"), .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .testTarget(
      name: "SimulationTests", dependencies: ["Simulation", "MQTT", "TestScene", "Time", nio("NIOCore")],
      swiftSettings: strict),
    .testTarget(name: "ExampleTests", dependencies: ["MQTT"], swiftSettings: strict),
    .testTarget(name: "YAMLTests", dependencies: ["YAML"], swiftSettings: strict),
    .testTarget(name: "SensingTests", dependencies: ["Sensing", "TestScene"], swiftSettings: strict),
    .testTarget(
      name: "StorageTests", dependencies: ["Storage", "CSQLite", "MQTT", "TestScene", nio("NIOCore")],
      swiftSettings: strict),
    .testTarget(
      name: "AgentTests",
      dependencies: [
        "Agent", "MQTT", "Sensing", "Storage", "TestScene", "Time", "YAML", nio("NIOCore"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "limpet", "MQTT", "TestScene", nio("NIOCore"), nio("NIOPosix"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    // It runs in the network namespace of Tests/Presence/run; elsewhere it is skipped.
    .testTarget(
      name: "PresenceTests",
      dependencies: ["limpet", "MQTT", "TestScene", nio("NIOCore"), nio("NIOPosix")],
      path: "Tests/Presence/PresenceTests",
      swiftSettings: strict),
    // They run under Tests/Crash/run; elsewhere they are skipped.
    .testTarget(
      name: "CrashTests",
      dependencies: ["limpet", "Agent", "MQTT", "Sensing", "Storage", "TestScene", "Time"],
      path: "Tests/Crash/CrashTests",
      swiftSettings: strict),
    // They run in the guest of Tests/Hardware/run; elsewhere they are skipped.
    .testTarget(
      name: "HardwareTests",
      dependencies: ["limpet", "TestScene"],
      path: "Tests/Hardware/HardwareTests",
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
