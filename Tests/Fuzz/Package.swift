// swift-tools-version: 6.2
import PackageDescription

// A package of its own: what libFuzzer watches has to be built for it. It takes `MQTTCore`, and of `Agent` what reads a
// configuration, by symbolic links, so that neither BoringSSL nor the root package is built again.
let watched: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])]

let package = Package(
  name: "fuzz",
  dependencies: [.package(url: "https://github.com/apple/swift-nio", from: "2.101.0")],
  targets: [
    .target(
      name: "MQTTCore", dependencies: ["Time", .product(name: "NIOCore", package: "swift-nio")], path: "MQTTCore",
      swiftSettings: watched),
    .target(name: "YAML", dependencies: ["CYAML"], path: "YAML", swiftSettings: watched),
    .target(
      name: "Agent", dependencies: ["YAML", "Sensing", "Time", .product(name: "NIOCore", package: "swift-nio")],
      path: "Agent", swiftSettings: watched),
    .target(name: "Sensing", dependencies: ["CGPIO", "CLinux", "Threads", "Time"], path: "Sensing"),
    .target(name: "Time", path: "Time"),
    .target(name: "Threads", path: "Threads"),
    .target(name: "CGPIO", path: "CGPIO", linkerSettings: [.linkedLibrary("gpiod")]),
    .systemLibrary(name: "CLinux", path: "CLinux"),
    .systemLibrary(name: "CYAML", path: "CYAML"),
    .target(name: "CFuzzer", path: "CFuzzer"),
    .executableTarget(
      name: "fuzz",
      dependencies: ["MQTTCore", "YAML", "Agent", "CFuzzer", "Time", .product(name: "NIOCore", package: "swift-nio")],
      path: "Fuzz", swiftSettings: watched),
  ],
  swiftLanguageModes: [.v6]
)
