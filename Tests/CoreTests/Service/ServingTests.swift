import MQTTCore
import Plan
import Testing

@testable import Core
@testable import LimpetInstants

/// What systemd is told.
struct ServingTests {
  private static func lines(_ content: LineReport.Content, _ places: Int...) -> Event {
    .lines(
      places.map { LineReport(line: LineID(place: $0), content: content, time: CoreBench.start) }, isFinished: false)
  }

  @Test("ready when every sensor and every line has answered, be it that it cannot be read; the broker has no say")
  func ready() {
    var bench = CoreBench(plan: .bench(sensors: ["s"]))
    bench.answersLines = false
    bench.server.hangs = true
    bench.connect()
    #expect(!bench.isReady)
    bench.measure("s", 1)
    bench.handle(Self.lines(.found("x", pulses: 0), 0))
    #expect(!bench.isReady)
    bench.handle(Self.lines(.failed("busy"), 1))
    #expect(bench.isReady && bench.core.isReady)
    bench.measure("s", 2)
    bench.advance(by: .seconds(60))
    #expect(bench.notified.count { $0 == .ready } == 1)
  }

  @Test("an agent without sensors and lines is ready at once")
  func nothingToRead() {
    var bench = CoreBench(plan: .bench([]))
    bench.connect()
    #expect(bench.isReady)
  }

  @Test("a sensor that takes longer than 10 s holds nobody up")
  func readyLimit() {
    var bench = CoreBench(plan: .bench(sensors: ["s"]))
    bench.connect()
    bench.advance(by: .milliseconds(9999))
    #expect(!bench.isReady)
    bench.advance(by: .milliseconds(1))
    #expect(bench.isReady)
  }

  @Test("the status line says what the connection does")
  func status() {
    var bench = CoreBench(plan: .bench([]))
    bench.server.isReachable = false
    bench.connect()
    let first = bench.notified.compactMap { if case .status(let text) = $0 { text } else { nil } }
    #expect(first.first == "connecting to mqtt://a:1883")
    #expect(first.last?.hasPrefix("not connected: mqtt://a:1883 cannot be reached") == true)
    #expect(first.last?.contains("broker.url") == true, "it has never reached one")
    bench.server.isReachable = true
    bench.reconnect()
    #expect(bench.notified.contains(.status("connected to mqtt://a:1883, MQTT 5")))
  }

  @Test("a stop is told at once, and asks for more time as long as it moves")
  func stopping() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.core.conversation.plan.shutdownTimeout = .seconds(12)
    bench.stop(because: nil)
    #expect(bench.notified == [.stopping, .status("stopping"), .extendTimeout(.seconds(15))])
    bench.advance(by: .seconds(11))
    #expect(bench.notified.count { $0 == .extendTimeout(.seconds(15)) } == 3)
  }

  // MARK: The watchdog

  private static func watched(_ plan: DevicePlan = .bench()) -> CoreBench {
    .connected(plan: plan) { $0.watchdogInterval = .seconds(15) }
  }

  /// Time passes, and each look is answered.
  private func look(_ bench: inout CoreBench, for seconds: Int, gpioTurns: (Int) -> Int? = { $0 }, stuck: Bool = false)
  {
    for second in 0..<seconds {
      bench.advance(by: .seconds(1))
      let looks = bench.orders.count { if case .look = $0 { true } else { false } }
      bench.orders.removeAll { if case .look = $0 { true } else { false } }
      if looks > 0 { bench.handle(.looked(gpioTurns: gpioTurns(second), isKernelStuck: stuck)) }
    }
  }

  @Test("as long as everything moves the watchdog is told so, in its interval; without one nobody looks")
  func alive() {
    var bench = Self.watched()
    look(&bench, for: 150)
    #expect(bench.notified.count { $0 == .alive } == 10)
    var unwatched = CoreBench.connected()
    unwatched.advance(by: .seconds(600))
    #expect(!unwatched.orders.contains { if case .look = $0 { true } else { false } })
  }

  @Test("a GPIO thread that makes no turn is told of once, and the watchdog nothing any more")
  func gpioStalls() {
    var bench = Self.watched()
    look(&bench, for: 150, gpioTurns: { _ in 7 })
    #expect(bench.noted == ["stalls"])
    #expect(bench.notified.count { $0 == .alive } == 3)
    #expect(bench.notified.contains(.status("the GPIO thread hangs")))
  }

  @Test("an output that is not driven in a second keeps the watchdog from being told; once it is driven, it is told")
  func outputIsLate() {
    var plan = DevicePlan.bench()
    plan.outputs = [OutputScene.plan("pump", stream: 0)]
    var bench = Self.watched(plan)
    bench.drivesOutputs = false
    bench.handle(.commanded("pump", .success(Command(.on)), 1))
    look(&bench, for: 30)
    #expect(bench.noted.contains("stalls"))
    #expect(bench.notified.contains(.status("driving the output pump hangs")))
    let count = bench.notified.count { $0 == .alive }
    let numbers: [UInt64] = bench.orders.compactMap { if case .drive(_, _, let number) = $0 { number } else { nil } }
    bench.handle(
      .driven([
        DriverReport(
          output: OutputID(place: 0), content: .driven(number: numbers.max() ?? 0, readBack: nil), time: bench.now)
      ]))
    look(&bench, for: 3)
    #expect(bench.notified.count { $0 == .alive } == count + 1)
  }

  @Test("one that hangs in the kernel is not judged")
  func kernelHangs() {
    var bench = Self.watched()
    look(&bench, for: 150, gpioTurns: { _ in 7 }, stuck: true)
    #expect(bench.noted == [] && bench.notified.count { $0 == .alive } == 10)
  }

  @Test("a read without an answer is a stall when all timeouts and 30 s are over, a suspend not counted")
  func readStalls() {
    var bench = Self.watched(.bench(sensors: ["s"]))
    look(&bench, for: 30)
    bench.slept = .seconds(3600)
    bench.now = bench.now + .seconds(3600)
    bench.orders = []
    look(&bench, for: 5)
    #expect(!bench.noted.contains("stalls"))
    look(&bench, for: 60)
    #expect(bench.noted.contains("stalls"))
  }

  @Test("a broker that acknowledges nothing is no stall, nor is one that cannot be reached")
  func brokers() {
    var bench = Self.watched()
    bench.server.acknowledges = false
    bench.level("a", times: 300)
    look(&bench, for: 120)
    bench.server.isReachable = false
    bench.lose()
    look(&bench, for: 600)
    bench.server.hangs = true
    look(&bench, for: 600)
    #expect(!bench.noted.contains("stalls"))
  }

  @Test("the device marks that it runs once a minute at the most, as long as it samples")
  func mark() {
    var bench = CoreBench(
      plan: .bench([], sensors: ["s"]) {
        $0.sensors[0] = .init(id: .init("s"), name: "s", stream: 0, interval: .seconds(10))
      })
    bench.values = ["s": 1]
    bench.connect()
    bench.advance(by: .seconds(600))
    #expect(bench.orders.count { if case .markAlive = $0 { true } else { false } } == 11)
  }
}
