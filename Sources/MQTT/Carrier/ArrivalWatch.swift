import Glibc
import MQTTCore
import NIOCore

/// What has arrived at the kernel of either side, to see whether more of it does.
struct Arrivals: Sendable {
  /// Bytes that wait in the process.
  var buffered = 0
  /// Bytes that the other side has acknowledged, as TCP says; 0 where there is no TCP.
  var acknowledged: UInt64 = 0
  /// Bytes that the kernel has and the other side has not acknowledged.
  var unacknowledged: UInt64 = 0
  /// Segments that the other side has, those behind a lost one too.
  var delivered: UInt32 = 0
  /// Segments that came here before one that was lost, behind which the kernel keeps them.
  var early: UInt32 = 0

  /// As much of `struct tcp_info` (linux/tcp.h) as is needed, in words of 64 bits.
  private struct Information {
    static let acknowledged = 15
    /// Not sent yet: the lower half of this one.
    static let waiting = 18
    /// The lower half.
    static let delivered = 24
    static let sent = 25
    static let sentAgain = 26
    /// tcpi_rcv_ooopack, the lower half, since Linux 5.4.
    static let early = 28
    var words: InlineArray<29, UInt64> = .init(repeating: 0)
  }

  static func of(_ channel: any Channel) -> EventLoopFuture<Arrivals> {
    let buffered = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    guard channel.remoteAddress.map({ $0.protocol != .unix }) ?? false,
      let options = channel as? any SocketOptionProvider
    else {
      return channel.eventLoop.makeSucceededFuture(Arrivals(buffered: buffered))
    }
    let information: EventLoopFuture<Information> = options.unsafeGetSocketOption(
      level: .tcp, name: .init(rawValue: CInt(TCP_INFO)))
    return information.map { information in
      let words = information.words
      let acknowledged = words[Information.acknowledged]
      let enqueued =
        words[Information.sent] &- words[Information.sentAgain] &+ words[Information.waiting] & 0xFFFF_FFFF
      return Arrivals(
        buffered: buffered, acknowledged: acknowledged,
        // SYN is acknowledged, and not counted as sent.
        unacknowledged: enqueued > acknowledged ? enqueued - acknowledged : 0,
        delivered: UInt32(truncatingIfNeeded: words[Information.delivered]),
        early: UInt32(truncatingIfNeeded: words[Information.early]))
    }
  }
}

/// What shows that the other side lives while the answer to a PINGREQ cannot be there: more of what the PINGREQ is behind
/// arrives there, or more of what the answer is behind arrives here.
struct ArrivalWatch {
  private var last: Arrivals
  /// What is acknowledged when all has arrived that the PINGREQ is behind.
  private let target: UInt64

  struct Finding: Equatable {
    /// More of what the PINGREQ is behind has arrived at the other side.
    var isTaken = false
    /// More has arrived here than can be read.
    var isHeard = false
  }

  /// - Parameter unwritten: bytes that are written with the PINGREQ, before it.
  init(_ now: Arrivals, unwritten: Int) {
    last = now
    target = now.acknowledged + now.unacknowledged + UInt64(now.buffered + unwritten)
  }

  mutating func look(_ now: Arrivals) -> Finding {
    defer { last = now }
    let isHeard = now.early != last.early
    guard now.acknowledged > 0 else { return Finding(isTaken: now.buffered < last.buffered, isHeard: isHeard) }
    // That the PINGREQ has arrived, or what was sent after it, says only that there is a kernel.
    let hasGrown = now.acknowledged > last.acknowledged || now.delivered != last.delivered
    return Finding(isTaken: last.acknowledged < target && hasGrown, isHeard: isHeard)
  }

  /// The other side's kernel has not acknowledged all of what the PINGREQ is behind.
  var isBehindTCP: Bool { last.acknowledged > 0 && !isOver }

  /// All of that has arrived.
  var isOver: Bool { last.acknowledged > 0 ? last.acknowledged >= target : last.buffered == 0 }
}

extension Carrier {
  /// Looks in a keepalive; an odd number, so that none comes just too late when half of one decides.
  private static let looks = 15

  /// A PINGREQ is about to be written. It is answered when it has arrived, which on a slow link and behind a large
  /// message takes longer than a keepalive, and the answer may be behind one too: as long as more of that arrives the
  /// server lives. When nothing has for a keepalive the connection is lost.
  func watchArrivals() {
    guard let connection, connection.keepAlive > .zero else { return }
    connection.nextLook?.cancel()
    Arrivals.of(connection.channel).assumeIsolated().whenSuccess { now in
      connection.watch = ArrivalWatch(now, unwritten: connection.unwritten)
      self.look(connection, left: Self.looks)
    }
  }

  /// - Parameter left: looks in which nothing may arrive where TCP sends again what was lost.
  private func look(_ connection: Connection, left: Int) {
    let pause = TimeAmount(connection.keepAlive / Self.looks)
    connection.nextLook = eventLoop.assumeIsolated().scheduleTask(in: pause) {
      Arrivals.of(connection.channel).assumeIsolated().whenSuccess { self.take($0, connection, left: max(left - 1, 0)) }
    }
  }

  private func take(_ now: Arrivals, _ connection: Connection, left: Int) {
    guard self.connection === connection, let finding = connection.watch?.look(now) else { return }
    let left = finding.isTaken ? Self.looks : left
    let isOver = connection.watch?.isOver ?? true
    if finding.isTaken { connection.isArriving = !isOver }
    // Before the reports, after which another PINGREQ may be out.
    if !(isOver && finding.isHeard) { look(connection, left: left) }
    // What is lost on the way TCP sends again after a while in which nothing arrives, and again after twice that.
    let isBehindTCP = connection.watch?.isBehindTCP ?? false
    if finding.isTaken || left > 0 && isBehindTCP { report(.taken(connection.number), connection.number) }
    if finding.isHeard { report(.heard(connection.number), connection.number, endsTurn: true) }
  }
}
