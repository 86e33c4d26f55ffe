import Glibc
import MQTTCore
import NIOCore

/// How much of what was sent has arrived at the other side's kernel, to see whether more of it does.
struct SendingProgress: Sendable {
  /// Bytes that wait in the process.
  private let buffered: Int
  /// Bytes that the other side has acknowledged, as TCP says; 0 where there is no TCP.
  private let acknowledged: UInt64

  func goesBeyond(_ earlier: SendingProgress) -> Bool {
    acknowledged > earlier.acknowledged || buffered < earlier.buffered
  }

  /// As much of `struct tcp_info` (linux/tcp.h) as is needed, in words of 64 bits.
  private struct Information {
    static let acknowledged = 15
    var words: InlineArray<16, UInt64> = .init(repeating: 0)
  }

  static func of(_ channel: any Channel) -> EventLoopFuture<SendingProgress> {
    let buffered = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    guard channel.remoteAddress.map({ $0.protocol != .unix }) ?? false,
      let options = channel as? any SocketOptionProvider
    else {
      return channel.eventLoop.makeSucceededFuture(SendingProgress(buffered: buffered, acknowledged: 0))
    }
    let information: EventLoopFuture<Information> = options.unsafeGetSocketOption(
      level: .tcp, name: .init(rawValue: CInt(TCP_INFO)))
    return information.map {
      SendingProgress(buffered: buffered, acknowledged: $0.words[Information.acknowledged])
    }
  }
}

extension Carrier {
  /// Looks so often while a PINGREQ may be behind what was sent before it.
  private static let looks = 8

  /// A PINGREQ is answered when it has arrived, which on a slow link and behind a large message takes longer than a
  /// keepalive: as long as more arrives the server lives. For one keepalive; then another PINGREQ is sent.
  func watchSending() {
    guard let connection, connection.keepAlive > .zero else { return }
    connection.watches += 1
    look(connection, connection.watches, left: Self.looks, since: nil)
  }

  private func look(_ connection: Connection, _ watch: UInt64, left: Int, since earlier: SendingProgress?) {
    SendingProgress.of(connection.channel).assumeIsolated().whenSuccess { progress in
      guard self.connection === connection, connection.watches == watch else { return }
      if let earlier, progress.goesBeyond(earlier) { self.heard(connection.number) }
      guard left > 0 else { return }
      let pause = TimeAmount(connection.keepAlive / Self.looks)
      self.eventLoop.assumeIsolated().scheduleTask(in: pause) {
        self.look(connection, watch, left: left - 1, since: progress)
      }
    }
  }

  private func heard(_ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    connection.owner.carrier(self, did: .heard(number), endsTurn: false)
  }
}
