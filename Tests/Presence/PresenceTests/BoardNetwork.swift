import Foundation
import Synchronization
import TestScene
import Testing

/// A network namespace of a device's own, joined to this one by a pair of veth(4) devices.
struct BoardNetwork: Sendable {
  /// Of who keeps the namespace.
  private let holder: Child
  private let scene: Scene
  private let number: Int

  private static let last = Mutex(0)

  init(_ scene: Scene) async throws {
    self.scene = scene
    number = Self.last.withLock {
      $0 += 1
      return $0
    }
    holder = try scene.spawn("network", ["unshare", "--net", "sleep", "infinity"])
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
    let path = "/proc/\(holder.pid)/ns/net"
    try await until("the namespace is there") {
      let other = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
      return other != nil && other != own
    }
    try await run(
      """
      ip link add \(device) type veth peer name eth0 netns \(holder.pid)
      ip addr add \(host)/24 dev \(device)
      ip link set \(device) up
      \(inside) ip link set lo up
      \(inside) ip addr add \(address(0))/24 dev eth0
      \(inside) ip link set eth0 up
      """)
  }

  private var device: String { "board\(number)" }
  /// What this side is called by the device.
  var host: String { "10.\(100 + number / 250).\(number % 250).1" }
  private func address(_ move: Int) -> String { "10.\(100 + number / 250).\(number % 250).\(2 + move)" }
  /// In front of a command.
  var launcher: [String] { ["nsenter", "--target", "\(holder.pid)", "--net"] }
  private var inside: String { launcher.joined(separator: " ") }

  /// Each side sends its packets to a machine that is not there: nobody is told that they are lost.
  func drop() async throws {
    let nobody = "lladdr 02:00:00:00:00:01 nud permanent"
    try await run(
      """
      ip neigh replace \(address(0)) dev \(device) \(nobody)
      \(inside) ip neigh replace \(host) dev eth0 \(nobody)
      """)
  }

  func passAgain() async throws {
    try await run(
      """
      ip neigh del \(address(0)) dev \(device)
      \(inside) ip neigh del \(host) dev eth0
      """)
  }

  func move() async throws {
    try await run(
      """
      \(inside) ip addr del \(address(0))/24 dev eth0
      \(inside) ip addr add \(address(1))/24 dev eth0
      """)
  }

  private func run(_ script: String) async throws {
    let child = try await scene.run("network", ["sh", "-e", "-c", script])
    try #require(child.ending == .exited(0), "\(script)")
  }
}
