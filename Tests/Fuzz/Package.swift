// swift-tools-version: 6.2
import PackageDescription

// A package of its own: what libFuzzer watches has to be built for it. Of `MQTT` it takes the folders without I/O,
// by symbolic links, so that neither BoringSSL nor the root package is built again.
let watched: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])]

let package = Package(
  name: "fuzz",
  dependencies: [.package(url: "https://github.com/apple/swift-nio", from: "2.101.0")],
  targets: [
    .target(
      name: "MQTT", dependencies: [.product(name: "NIOCore", package: "swift-nio")], path: "MQTT",
      swiftSettings: watched),
    .target(name: "CFuzzer", path: "CFuzzer"),
    .executableTarget(
      name: "fuzz", dependencies: ["MQTT", "CFuzzer", .product(name: "NIOCore", package: "swift-nio")], path: "Fuzz",
      swiftSettings: watched),
  ],
  swiftLanguageModes: [.v6]
)
