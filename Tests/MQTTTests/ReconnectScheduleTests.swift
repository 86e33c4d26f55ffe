import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

/// Back-off, DESIGN section 1, "Presence, in order", 7.
@Suite struct ReconnectScheduleTests {
  static let base = BootClock.now

  /// Draws one end of its range for ever; 1 is the lowest number that is not drawn again.
  struct Fixed: RandomNumberGenerator {
    let value: UInt64
    mutating func next() -> UInt64 { value }
  }

  func settings(minimum: Int = 1, maximum: Int = 120) -> ReconnectSchedule.Settings {
    var settings = ReconnectSchedule.Settings()
    settings.minimum = .seconds(minimum)
    settings.maximum = .seconds(maximum)
    return settings
  }

  /// The longest delay of each of the next rounds.
  func bounds(_ schedule: inout ReconnectSchedule, _ count: Int) -> [Double] {
    var generator = Fixed(value: .max)
    return (0..<count).map { _ in
      let delay = schedule.failed(.ordinary, at: Self.base, using: &generator)
      return (delay / .milliseconds(1)).rounded() / 1000
    }
  }

  @Test("the bound doubles with each failure from the minimum to the maximum, and stays there [behaviour 35]")
  func doubles() {
    var schedule = ReconnectSchedule(settings())
    #expect(bounds(&schedule, 10) == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120])
  }

  @Test("a minimum at or above the maximum is the maximum")
  func maximum() {
    var schedule = ReconnectSchedule(settings(minimum: 300, maximum: 10))
    #expect(bounds(&schedule, 3) == [10, 10, 10])
  }

  @Test("the delay can be as short as nothing: the jitter is full")
  func shortest() {
    var schedule = ReconnectSchedule(settings())
    var generator = Fixed(value: 1)
    for _ in 0..<10 { #expect(schedule.failed(.ordinary, at: Self.base, using: &generator) == .zero) }
  }

  @Test("a fleet spreads evenly over the whole range")
  func spread() {
    var generator = SeededGenerator(seed: 7)
    var tenths = Array(repeating: 0, count: 10)
    for _ in 0..<10_000 {
      var schedule = ReconnectSchedule(settings(minimum: 10))
      let delay = schedule.failed(.ordinary, at: Self.base, using: &generator)
      #expect(delay >= .zero && delay <= .seconds(10))
      tenths[min(9, Int(delay / .seconds(1)))] += 1
    }
    #expect(tenths.allSatisfy { (850...1_150).contains($0) }, "\(tenths)")
  }

  @Test("a CONNACK alone does not start the count anew [behaviour 45]")
  func connackIsNoReason() {
    var schedule = ReconnectSchedule(settings())
    _ = bounds(&schedule, 3)
    schedule.connected(at: Self.base)
    var generator = Fixed(value: .max)
    let delay = schedule.failed(.ordinary, at: Self.base + .seconds(60) - .nanoseconds(1), using: &generator)
    #expect(delay > .seconds(7))
  }

  @Test("a connection that lasted long enough does")
  func stable() {
    var schedule = ReconnectSchedule(settings())
    _ = bounds(&schedule, 5)
    schedule.connected(at: Self.base)
    var generator = Fixed(value: .max)
    let delay = schedule.failed(.ordinary, at: Self.base + .seconds(60), using: &generator)
    #expect(delay <= .seconds(1))
    #expect(bounds(&schedule, 2) == [2, 4])
  }

  @Test("time that passes without a connection does not")
  func idleIsNotStable() {
    var schedule = ReconnectSchedule(settings())
    schedule.connected(at: Self.base)
    var generator = Fixed(value: .max)
    _ = schedule.failed(.ordinary, at: Self.base + .seconds(1), using: &generator)
    let delay = schedule.failed(.ordinary, at: Self.base + .seconds(1_000), using: &generator)
    #expect(delay > .seconds(1))
  }

  @Test("a network that comes back starts the count anew")
  func reset() {
    var schedule = ReconnectSchedule(settings())
    _ = bounds(&schedule, 5)
    schedule.reset()
    #expect(bounds(&schedule, 1) == [1])
  }

  @Test("after a refusal the wait is between half of the maximum and the maximum")
  func refused() {
    var generator = SeededGenerator(seed: 3)
    var schedule = ReconnectSchedule(settings())
    var delays: [Duration] = []
    for _ in 0..<1_000 { delays.append(schedule.failed(.refused, at: Self.base, using: &generator)) }
    #expect(delays.allSatisfy { $0 >= .seconds(60) && $0 <= .seconds(120) })
    #expect(delays.contains { $0 < .seconds(65) } && delays.contains { $0 > .seconds(115) })
  }

  @Test("a port where nothing listens is tried within 10 seconds, and costs what comes after it nothing")
  func nothingListens() {
    var generator = Fixed(value: .max)
    var schedule = ReconnectSchedule(settings())
    let delays = (0..<50).map { _ in schedule.failed(.nothingListens, at: Self.base, using: &generator) }
    #expect(delays.allSatisfy { $0 <= .seconds(10) } && delays.last ?? .zero > .seconds(9))
    let server = ServerAddress(transport: .tcp, host: "h", port: 1)
    #expect(ConnectionLoss.unreachable(server, "Connection refused").failure == .nothingListens)
    // As at a broker that restarts again before its first restart is `stable_after` ago (U6).
    schedule.connected(at: Self.base)
    #expect(schedule.failed(.ordinary, at: Self.base + .seconds(5), using: &generator) <= .seconds(1))
    schedule.connected(at: Self.base + .seconds(10))
    #expect(schedule.failed(.ordinary, at: Self.base + .seconds(15), using: &generator) <= .seconds(2))
    var short = settings()
    short.maximum = .seconds(3)
    schedule = ReconnectSchedule(short)
    let others = (0..<9).map { _ in schedule.failed(.nothingListens, at: Self.base, using: &generator) }
    #expect(others.allSatisfy { $0 <= .seconds(3) })
  }

  @Test("several servers share a round: the bound grows when all of them have failed")
  func servers() {
    var schedule = ReconnectSchedule(settings(), servers: 3)
    #expect(bounds(&schedule, 9) == [1, 1, 1, 2, 2, 2, 4, 4, 4])
  }

  @Test("a network that changes ends every wait but one for a refusal, a clock that is set one after a failure of TLS")
  func earlyEnds() {
    let server = ServerAddress(transport: .tls, host: "h", port: 8883)
    let losses: [(ConnectionLoss, [ReconnectSchedule.Change])] = [
      (.tls(server, "CERTIFICATE_VERIFY_FAILED"), [.network, .clock]),
      (.unreachable(server, "no route"), [.network]),
      (.timeout(server, .tls, after: .seconds(10)), [.network]),
      (.session(.refused(.notAuthorized, reason: nil, serverReference: nil)), []),
    ]
    for (loss, changes) in losses {
      #expect(ReconnectSchedule.Change.allCases.filter { loss.failure.ends(on: $0) } == changes, "\(loss)")
    }
  }

  @Test("the reason codes that nothing soon changes make the wait long, others do not [behaviour 17]")
  func lasting() {
    for code in [.badUserNameOrPassword, .notAuthorized, .clientIdentifierNotValid, .banned] as [ReasonCode] {
      #expect(ConnectionLoss.session(.refused(code, reason: nil, serverReference: nil)).failure == .refused)
    }
    for code in [.serverBusy, .serverUnavailable, .quotaExceeded] as [ReasonCode] {
      #expect(ConnectionLoss.session(.refused(code, reason: nil, serverReference: nil)).failure == .ordinary)
    }
    #expect(ConnectionLoss.session(.keepAliveTimeout).failure == .ordinary)
    #expect(ConnectionLoss.closed(.connected, received: true, detail: nil).failure == .ordinary)
  }

  @Test("after a broker's restart ten thousand clients come back spread over the back-off's window, none much later")
  func herd() {
    var generator = SeededGenerator(seed: 5)
    let downFor = Duration.seconds(30)
    var returns: [Duration] = []
    for _ in 0..<10_000 {
      var schedule = ReconnectSchedule(ReconnectSchedule.Settings())
      var now = Duration.zero
      repeat { now += schedule.failed(.ordinary, at: Self.base + now, using: &generator) } while now < downFor
      returns.append(now)
    }
    let seconds = Dictionary(grouping: returns) { $0.components.seconds }.mapValues(\.count)
    #expect(seconds.values.max() ?? 0 < 800, "in one second at most 8 of 100")
    #expect(seconds.count > 40)
    #expect(returns.max() ?? .zero < downFor + .seconds(120))
  }
}
