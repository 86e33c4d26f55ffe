import Foundation
import MQTTCore
import NIOCore
import TestScene
import Testing

/// A connection to a real broker that decides nothing by itself.
private final class Socket {
  private let descriptor: Int32
  private var decoder: PacketDecoder
  private var bytes = ByteBuffer()
  private let version: MQTTCore.ProtocolVersion
  private(set) var isClosed = false
  private(set) var packets: [Packet] = []

  init(port: Int, _ version: MQTTCore.ProtocolVersion) throws {
    self.version = version
    decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 20)
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(status == 0, "no connection to port \(port)")
  }

  deinit { close() }

  func close() {
    if !isReleased { Glibc.close(descriptor) }
    isReleased = true
  }
  private var isReleased = false

  func send(_ packet: Packet) {
    var buffer = ByteBuffer()
    packet.encode(into: &buffer, version)
    buffer.withUnsafeReadableBytes {
      _ = Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
  }

  /// Takes in what has come.
  func read() throws {
    while !isClosed && !isReleased {
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if count < 0 && (errno == EAGAIN || errno == EINTR) { break }
      guard count > 0 else {
        isClosed = true
        break
      }
      bytes.writeBytes(chunk.prefix(count))
    }
    while let packet = try decoder.next(from: &bytes) { packets.append(packet) }
  }

  func takePackets() -> [Packet] {
    defer { packets = [] }
    return packets
  }
}

/// Takes a real broker through a course.
///
/// After each step all connections are asked whether they are there, twice: what the broker had to say before that is
/// here then, and what it did not say by then it will not say.
final class SocketPlayer {
  private struct Entry {
    let socket: Socket
    var isSilent = false
    var isEnded = false
    /// PINGRESP that belong to nobody's course.
    var pings = 0
    var hasAnswer = false
  }

  private let port: Int
  private let restart: (_ signal: Int32) async throws -> Void
  private var entries: [String: Entry] = [:]
  private var seen: [String: Seen] = [:]

  /// - Parameter restart: ends the broker with a signal and starts it again.
  init(port: Int, restart: @escaping (_ signal: Int32) async throws -> Void) {
    self.port = port
    self.restart = restart
  }

  /// What is seen on all connections, by their names.
  /// - Parameter count: how many lines the model has: time passes until they are here, where it has to.
  func play(_ step: Step, expecting count: Int) async throws -> [String] {
    switch step {
    case .open(let name, let version, let connect):
      entries[name]?.socket.close()
      let socket = try Socket(port: port, version)
      socket.send(.connect(connect))
      entries[name] = Entry(socket: socket)
      seen[name] = Seen()
      try await until("\(name) is answered") {
        try take()
        return entries[name].map { $0.isEnded || $0.hasAnswer } ?? true
      }
    case .send(let name, let packet): entries[name]?.socket.send(packet)
    case .answer(let name): if let packet = seen[name]?.takeAnswer() { entries[name]?.socket.send(packet) }
    case .cut(let name): entries.removeValue(forKey: name)?.socket.close()
    case .silence(let name): entries[name]?.isSilent = true
    case .wait(let duration): try await wait(duration, expecting: count)
    case .restart, .kill:
      var signal = SIGKILL
      if case .restart = step { signal = SIGTERM }
      try await restart(signal)
    }
    for _ in 0..<2 { try await ask() }
    return seen.keys.sorted().flatMap { seen[$0]?.takeLines() ?? [] }
  }

  private func wait(_ duration: Duration, expecting count: Int) async throws {
    let start = ContinuousClock.now
    while true {
      try await ask()
      let passed = ContinuousClock.now - start
      let lines = seen.values.map(\.lines.count).reduce(0, +)
      // A real broker may take a little longer, but nothing is waited for that does not come.
      if count > 0 ? lines >= count || passed > duration * 2 + .seconds(5) : passed > duration { return }
      try await pause(for: .milliseconds(50))
    }
  }

  private func ask() async throws {
    let asked = entries.filter { !$0.value.isSilent && !$0.value.isEnded }.map(\.key)
    for name in asked {
      entries[name]?.pings += 1
      entries[name]?.socket.send(.pingreq)
    }
    try await until("all connections answer or end") {
      try take()
      return asked.allSatisfy { name in entries[name].map { $0.isEnded || $0.pings == 0 } ?? true }
    }
  }

  private func take() throws {
    for name in entries.keys.sorted() {
      guard var entry = entries[name], !entry.isEnded else { continue }
      try entry.socket.read()
      for packet in entry.socket.takePackets() {
        entry.hasAnswer = true
        if packet == .pingresp { entry.pings -= 1 } else { seen[name, default: Seen()].see(packet, on: name) }
      }
      if entry.socket.isClosed {
        entry.isEnded = true
        seen[name, default: Seen()].seeEnd(of: name)
      }
      entries[name] = entry
    }
  }
}
