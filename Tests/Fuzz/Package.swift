// swift-tools-version: 6.2
import PackageDescription

// A package of its own: what libFuzzer watches has to be built for it. It takes the rooms that read what comes from
// outside, and those below them, by symbolic links, so that neither BoringSSL nor the root package is built again.
let watched: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])]
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

func room(_ name: String, _ dependencies: [Target.Dependency] = [], isWatched: Bool = false) -> Target {
  .target(name: name, dependencies: dependencies, path: name, swiftSettings: isWatched ? watched : [])
}

let package = Package(
  name: "limpet",
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    room("Configuration", ["Readings", "Measuring", "YAML", "JSON", "LimpetText", "LimpetPlatform"], isWatched: true),
    room("Readings", ["Measuring", "Records", "MQTTCore", "JSON", "LimpetText", "LimpetInstants", nio]),
    room("Records", ["MQTTCore"]),
    room("Measuring", ["LimpetText", "LimpetInstants"]),
    room("MQTTCore", ["LimpetInstants", nio], isWatched: true),
    room("YAML", ["CYAML", "LimpetText"], isWatched: true),
    room("JSON", ["LimpetText", nio], isWatched: true),
    room(
      "LimpetPlatform",
      ["LimpetInstants", "LimpetText", "CLimpetLinux", .product(name: "Logging", package: "swift-log")]),
    room("LimpetInstants"),
    room("LimpetText"),
    .systemLibrary(name: "CLimpetLinux", path: "CLimpetLinux"),
    .systemLibrary(name: "CYAML", path: "CYAML"),
    .target(name: "CFuzzer", path: "CFuzzer"),
    .executableTarget(
      name: "fuzz",
      dependencies: ["MQTTCore", "YAML", "JSON", "Configuration", "CFuzzer", "LimpetInstants", "LimpetPlatform", nio],
      path: "Fuzz", swiftSettings: watched),
  ],
  swiftLanguageModes: [.v6]
)
