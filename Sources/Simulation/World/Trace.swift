import LimpetText
import MQTTCore
import NIOCore

/// Everything that happens, as one running number (FNV-1a over 64 bits), so that two processes can say whether they
/// lived the same life; and as lines to read, where they are asked for.
package struct Trace: Sendable {
  package private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  /// How many happenings are in it.
  package private(set) var count = 0
  /// The last lines; empty where none are kept.
  package private(set) var lines: [String] = []
  /// How many lines are kept; 0: none is even made.
  package let limit: Int
  private var scratch = ByteBuffer()

  package init(keepingLines limit: Int = 0) { self.limit = limit }

  /// Something happened.
  /// - Parameters:
  ///   - kind: what, by a number of the caller's.
  ///   - text: the same to read; made only where lines are kept, and no part of the hash.
  package mutating func note(
    _ kind: UInt64, at time: WorldTime, _ first: UInt64 = 0, _ second: UInt64 = 0, _ text: @autoclosure () -> String
  ) {
    count += 1
    mix(kind)
    mix(UInt64(bitPattern: time.nanoseconds))
    mix(first)
    mix(second)
    keep(time, text)
  }

  /// A packet went over a connection: its bytes count, as they would be on the wire.
  package mutating func note(
    _ packet: Packet, _ version: ProtocolVersion, on connection: ConnectionID, to side: Side, at time: WorldTime
  ) {
    count += 1
    mix(UInt64(bitPattern: time.nanoseconds))
    mix(UInt64(connection.rawValue) << 1 | (side == .broker ? 1 : 0))
    scratch.clear()
    packet.encode(into: &scratch, version)
    scratch.withUnsafeReadableBytes { bytes in for byte in bytes { mix(byte) } }
    keep(time) { "\(connection) to the \(side): \(packet.summary)" }
  }

  /// Text that belongs to what happened, a line of the log for instance.
  package mutating func mix(_ text: String) { for byte in text.utf8 { mix(byte) } }

  package mutating func mix(_ number: UInt64) {
    var rest = number
    for _ in 0..<8 {
      mix(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  private mutating func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

  private mutating func keep(_ time: WorldTime, _ text: () -> String) {
    guard limit > 0 else { return }
    // Half of them go at once: moving all for each new one would take longer than the run.
    if lines.count >= 2 * limit { lines.removeFirst(lines.count - limit) }
    lines.append("\(time.inSeconds) \(text())")
  }
}

extension WorldTime {
  /// Seconds with nine decimals, for a trace.
  package var inSeconds: String {
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    let decimals = String(rest.magnitude).aligned(to: 9, filling: "0")
    return "\(nanoseconds < 0 && seconds == 0 ? "-" : "")\(seconds).\(decimals)"
  }
}

extension Packet {
  /// One line for a person who reads a trace.
  package var summary: String {
    switch self {
    case .connect(let connect):
      "CONNECT \(connect.clientIdentifier)\(connect.cleanStart ? " clean" : "")"
        + "\(connect.will.map { " will \($0.topic)" } ?? "")"
    case .connack(let answer): "CONNACK \(answer.reasonCode), session present \(answer.sessionPresent)"
    case .publish(let publish):
      "PUBLISH \(publish.message.topic) \"\(String(buffer: publish.message.payload))\" QoS "
        + "\(publish.message.qos.rawValue)\(publish.message.retain ? " retain" : "")"
        + "\(publish.duplicate ? " DUP" : "")\(publish.packetIdentifier.map { " id \($0)" } ?? "")"
    case .puback(let answer), .pubrec(let answer), .pubrel(let answer), .pubcomp(let answer):
      "\(type) id \(answer.packetIdentifier) \(answer.reasonCode)"
    case .subscribe(let subscribe):
      "SUBSCRIBE " + subscribe.subscriptions.map { $0.filter.description }.joined(separator: " ")
    case .suback(let answer), .unsuback(let answer):
      "\(type) " + answer.reasonCodes.map(\.description).joined(separator: ", ")
    case .unsubscribe(let unsubscribe):
      "UNSUBSCRIBE " + unsubscribe.filters.map(\.description).joined(separator: " ")
    case .disconnect(let disconnect): "DISCONNECT \(disconnect.reasonCode)"
    case .pingreq, .pingresp, .auth: "\(type)"
    }
  }
}
