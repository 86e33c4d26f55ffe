import Foundation
import MQTTCore
import NIOCore
import Synchronization
import TestScene

/// Beside the trace of a line: the commands that have reached the agent, as the broker has sent them.
///
/// That need not be the order in which they were published: mosquitto 2.0.11 lets a new message overtake those that wait for
/// a place in the client's window, against [MQTT-4.6.0-6].
final class CommandRecorder: Sendable {
  struct Arrival: Sendable {
    let id: Int
    /// CLOCK_BOOTTIME in seconds, before the agent has it.
    let time: Double
    /// The broker says that it has sent it before.
    let isAgain: Bool
  }

  private struct Log {
    var arrivals: [Arrival] = []
    /// What each connection has said that is no whole packet yet.
    var streams: [Int: (decoder: PacketDecoder, bytes: ByteBuffer)] = [:]
  }

  private let log = Mutex(Log())

  var arrivals: [Arrival] { log.withLock { $0.arrivals } }

  /// Stands between an agent that speaks MQTT 5 and a broker.
  func gate(to port: Int, _ scene: Scene) async throws -> Gate {
    let gate = try Gate(to: port) { connection, bytes in self.heard(bytes, on: connection) }
    try await gate.open()
    scene.atEnd { await gate.end() }
    return gate
  }

  private func heard(_ bytes: ByteBuffer, on connection: Int) {
    let time = bootTime()
    log.withLock { log in
      var stream = log.streams[connection] ?? (PacketDecoder(version: .v5, maximumPacketSize: 1 << 20), ByteBuffer())
      stream.bytes.writeImmutableBuffer(bytes)
      while let packet = try? stream.decoder.next(from: &stream.bytes) {
        guard case .publish(let publish) = packet, publish.message.topic.description.hasSuffix("/set"),
          let id = Self.id(of: publish.message.payload)
        else { continue }
        log.arrivals.append(Arrival(id: id, time: time, isAgain: publish.duplicate))
      }
      log.streams[connection] = stream
    }
  }

  private static func id(of payload: ByteBuffer) -> Int? {
    struct Command: Decodable { let id: String }
    return (try? JSONDecoder().decode(Command.self, from: Data(payload.readableBytesView))).flatMap { Int($0.id) }
  }
}
