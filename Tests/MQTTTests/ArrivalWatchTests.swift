import Testing

@testable import MQTT

/// What TCP says while a PINGREQ has no answer; the whole of it, on a link that loses packets, is Tests/Netem.
@Suite struct ArrivalWatchTests {
  typealias Finding = ArrivalWatch.Finding

  /// 10,000 bytes are ahead of the PINGREQ.
  static let begin = Arrivals(acknowledged: 5000, unacknowledged: 9000, delivered: 4)
  var now = Self.begin
  var watch = ArrivalWatch(Self.begin, unwritten: 1000)

  @Test("what the other side acknowledges of the bytes ahead says that it lives")
  mutating func taken() {
    now.acknowledged += 9000
    #expect(watch.look(now) == Finding(isTaken: true))
    #expect(watch.isBehindTCP)
    #expect(watch.look(now) == Finding())
    now.acknowledged += 1000
    #expect(watch.look(now) == Finding(isTaken: true))
    #expect(watch.isOver)
  }

  @Test("what arrives behind a lost segment does, too, though nothing more is acknowledged before that is sent again")
  mutating func takenBehindALoss() {
    for _ in 0..<10 {
      now.delivered += 1
      #expect(watch.look(now) == Finding(isTaken: true))
    }
    #expect(watch.look(now) == Finding())
  }

  @Test("that the PINGREQ itself has arrived, or what was sent after it, says only that there is a kernel")
  mutating func theRest() {
    now.acknowledged += 10_000
    #expect(watch.look(now).isTaken)
    now.acknowledged += 2
    now.delivered += 1
    #expect(watch.look(now) == Finding())
  }

  @Test("what comes here behind a lost segment, and cannot be read before that is sent again, is heard")
  mutating func heardBehindALoss() {
    var watch = ArrivalWatch(Arrivals(acknowledged: 5000, delivered: 4, early: 7), unwritten: 0)
    #expect(watch.isOver, "nothing is ahead")
    #expect(watch.look(Arrivals(acknowledged: 5002, delivered: 5, early: 7)) == Finding())
    #expect(watch.look(Arrivals(acknowledged: 5002, delivered: 5, early: 8)) == Finding(isHeard: true))
    #expect(watch.look(Arrivals(acknowledged: 5002, delivered: 5, early: 8)) == Finding())
  }

  @Test("where there is no TCP, the process's own buffer shrinks")
  mutating func withoutTCP() {
    var watch = ArrivalWatch(Arrivals(buffered: 1000), unwritten: 10)
    #expect(!watch.isOver && !watch.isBehindTCP)
    #expect(watch.look(Arrivals(buffered: 900)) == Finding(isTaken: true))
    #expect(watch.look(Arrivals(buffered: 900)) == Finding())
    #expect(watch.look(Arrivals()) == Finding(isTaken: true))
    #expect(watch.isOver)
  }
}
