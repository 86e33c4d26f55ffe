import Glibc
import MQTTCore
import NIOCore

/// How much of what was sent has arrived at the other side's kernel, to see whether more of it does.
struct SendingProgress: Sendable {
  /// Bytes that wait in the process.
  let buffered: Int
  /// Bytes that the other side has acknowledged, as TCP says; 0 where there is no TCP.
  let acknowledged: UInt64
  /// Bytes that the kernel has and the other side has not acknowledged.
  let unacknowledged: UInt64

  /// As much of `struct tcp_info` (linux/tcp.h) as is needed, in words of 64 bits.
  private struct Information {
    static let acknowledged = 15
    /// Not sent yet: the lower half of this one.
    static let waiting = 18
    static let sent = 25
    static let sentAgain = 26
    var words: InlineArray<27, UInt64> = .init(repeating: 0)
  }

  static func of(_ channel: any Channel) -> EventLoopFuture<SendingProgress> {
    let buffered = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    guard channel.remoteAddress.map({ $0.protocol != .unix }) ?? false,
      let options = channel as? any SocketOptionProvider
    else {
      return channel.eventLoop.makeSucceededFuture(
        SendingProgress(buffered: buffered, acknowledged: 0, unacknowledged: 0))
    }
    let information: EventLoopFuture<Information> = options.unsafeGetSocketOption(
      level: .tcp, name: .init(rawValue: CInt(TCP_INFO)))
    return information.map { information in
      let words = information.words
      let acknowledged = words[Information.acknowledged]
      let enqueued =
        words[Information.sent] &- words[Information.sentAgain] &+ words[Information.waiting] & 0xFFFF_FFFF
      // SYN is acknowledged, and not counted as sent.
      let outstanding = enqueued > acknowledged ? enqueued - acknowledged : 0
      return SendingProgress(buffered: buffered, acknowledged: acknowledged, unacknowledged: outstanding)
    }
  }
}

/// Bytes that a PINGREQ is behind.
struct SendingWatch {
  private var last: SendingProgress
  /// What is acknowledged when all of them have arrived.
  private let target: UInt64

  /// nil: it is behind nothing.
  init?(_ now: SendingProgress, unwritten: Int) {
    let ahead = now.unacknowledged + UInt64(now.buffered + unwritten)
    guard ahead > 0 else { return nil }
    last = now
    target = now.acknowledged + ahead
  }

  /// More of them have arrived. That the PINGREQ has, or what was sent after it, says only that there is a kernel.
  mutating func progresses(_ now: SendingProgress) -> Bool {
    defer { last = now }
    guard now.acknowledged > 0 else { return now.buffered < last.buffered }
    return min(now.acknowledged, target) > min(last.acknowledged, target)
  }

  /// The other side's kernel has not acknowledged all of them.
  var isBehindTCP: Bool { last.acknowledged > 0 && !isOver }

  /// All of them have.
  var isOver: Bool { last.acknowledged > 0 ? last.acknowledged >= target : last.buffered == 0 }
}

extension Carrier {
  /// Looks so often while a PINGREQ may be behind what was sent before it.
  private static let looks = 8

  /// A PINGREQ is about to be written. It is answered when it has arrived, which on a slow link and behind a large
  /// message takes longer than a keepalive: as long as more of that arrives the server lives. When nothing has for a
  /// keepalive the connection is lost.
  func watchSending() {
    guard let connection, connection.keepAlive > .zero else { return }
    connection.watches += 1
    let number = connection.watches
    SendingProgress.of(connection.channel).assumeIsolated().whenSuccess { now in
      guard let watch = SendingWatch(now, unwritten: connection.unwritten) else { return }
      self.look(connection, number, watch, left: Self.looks)
    }
  }

  private func look(_ connection: Connection, _ number: UInt64, _ watch: SendingWatch, left: Int) {
    guard left > 0 else { return }
    let pause = TimeAmount(connection.keepAlive / Self.looks)
    eventLoop.assumeIsolated().scheduleTask(in: pause) {
      SendingProgress.of(connection.channel).assumeIsolated().whenSuccess { now in
        guard self.connection === connection, connection.watches == number else { return }
        var watch = watch
        let left = watch.progresses(now) ? Self.looks : left - 1
        // What is lost on the way TCP sends again after a while in which nothing arrives, and again after twice that.
        if left == Self.looks || left > 0 && watch.isBehindTCP { self.taken(connection.number) }
        if !watch.isOver { self.look(connection, number, watch, left: left) }
      }
    }
  }

  private func taken(_ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    connection.owner.carrier(self, did: .taken(number), endsTurn: false)
  }
}
