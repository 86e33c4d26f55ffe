import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization
import Testing

@testable import Sensing

/// A driver and what it has told.
final class OutputBench: Sendable {
  private struct Told {
    var reports: [OutputReport] = []
    var isFinished = false
  }

  private let told = ConditionLock(Told())
  private let driver = Mutex<OutputDriver?>(nil)

  /// With what is really there below a root.
  init(root: FileRoot, record: String? = nil) {
    let driver = OutputDriver(root: root, record: record) { [weak self] in self?.collect() }
    self.driver.withLock { $0 = driver }
    collect()
  }

  /// With made-up outputs.
  init(_ fakes: FakeOutputs, record: OutputRecord = OutputRecord(path: nil)) {
    let driver = OutputDriver(root: FileRoot("/nowhere"), record: record, find: fakes.find) { [weak self] in
      self?.collect()
    }
    self.driver.withLock { $0 = driver }
    collect()
  }

  var it: OutputDriver { get throws { try #require(driver.withLock { $0 }) } }

  /// While false, nothing is taken.
  let takes = Atomic(true)

  func collect() {
    guard takes.load(ordering: .relaxed), let driver = driver.withLock({ $0 }) else { return }
    told.withLock { told in
      let taken = driver.take()
      told.reports += taken.reports
      told.isFinished = taken.isFinished
    }
    told.broadcast()
  }

  var reports: [OutputReport.Content] { told.withLock { $0.reports.map(\.content) } }

  func reports(of place: Int) -> [OutputReport.Content] {
    told.withLock { $0.reports.filter { $0.output == place }.map(\.content) }
  }

  /// Waits until the driver's own thread has been awake so often again.
  func turns(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let first = try it.turns
    try wait(for: "turns", sourceLocation: sourceLocation) { try it.turns >= first + count }
  }

  /// Waits for a report of a place, after the first `skipping` of it.
  @discardableResult
  func report(
    of place: Int, skipping: Int = 0, within limit: Duration = .seconds(20),
    sourceLocation: SourceLocation = #_sourceLocation, where condition: (OutputReport.Content) -> Bool = { _ in true }
  ) throws -> OutputReport.Content {
    let end = BootClock.now + limit
    let found: OutputReport.Content? = told.wait { told in
      let mine = told.reports.filter { $0.output == place }.map(\.content)
      if let match = mine.dropFirst(skipping).first(where: condition) { return .ready(match) }
      return BootClock.now >= end ? .ready(nil) : .waitAtMost(end - BootClock.now)
    }
    return try #require(found, "of \(place): \(reports(of: place))", sourceLocation: sourceLocation)
  }

  func held(_ place: Int, skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> OutputLevel? {
    let report = try report(of: place, skipping: skipping, sourceLocation: sourceLocation) { $0.isHeld }
    if case .held(let level, _) = report { return level }
    return nil
  }

  func driven(_ place: Int, _ number: UInt64, sourceLocation: SourceLocation = #_sourceLocation) throws -> OutputLevel?
  {
    let report = try report(of: place, sourceLocation: sourceLocation) { $0.number == number }
    if case .driven(_, let level) = report { return level }
    return nil
  }

  func failed(_ place: Int, skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let report = try report(of: place, skipping: skipping, sourceLocation: sourceLocation) { $0.failure != nil }
    return report.failure ?? ""
  }

  func released(_ place: Int, skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) throws {
    try report(of: place, skipping: skipping, sourceLocation: sourceLocation) { $0 == .released }
  }

  func stop(sourceLocation: SourceLocation = #_sourceLocation) throws {
    try it.stop()
    let end = BootClock.now + .seconds(20)
    let isFinished = told.wait { told in
      told.isFinished || BootClock.now >= end ? .ready(told.isFinished) : .waitAtMost(end - BootClock.now)
    }
    #expect(isFinished, sourceLocation: sourceLocation)
  }
}

extension OutputReport.Content {
  var isHeld: Bool { if case .held = self { true } else { false } }
  var failure: String? { if case .failed(let reason) = self { reason } else { nil } }
  var number: UInt64? { if case .driven(let number, _) = self { number } else { nil } }
}

/// Waits for what nobody tells of.
func wait(
  for what: String, within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () throws -> Bool
) throws {
  let end = BootClock.now + limit
  while try !condition() {
    try #require(BootClock.now < end, "\(what)", sourceLocation: sourceLocation)
    usleep(1_000)
  }
}

/// Outputs that are not there: LEDs by their names, on buses or not, which can be lost, fail and hang.
final class FakeOutputs: Sendable {
  struct State {
    /// What was driven, in order, over all: `pump 100`.
    var done: [String] = []
    var missing: Set<String> = []
    var failing: Set<String> = []
    var buses: [String: String] = [:]
    var identities: [String: String] = [:]
    var levels: [String: OutputLevel] = [:]
    /// Ends of devices: how often each was taken away.
    var ends: [String: Int] = [:]
    /// Why they do not stay as they are when nobody holds them.
    var loose: [String: String] = [:]
    /// Which has a former state, whose reading hangs as long as that name does.
    var formers: [String: String] = [:]
  }

  let state = ConditionLock(State())
  private let hanging = ConditionLock<Set<String>>([])

  func change(_ body: (inout State) -> Void) { state.withLock(body) }

  var done: [String] { state.withLock { $0.done } }

  func hang(_ name: String) { hanging.withLock { _ = $0.insert(name) } }

  func answer(_ name: String) {
    hanging.withLock { _ = $0.remove(name) }
    hanging.broadcast()
  }

  /// As the kernel does not return.
  fileprivate func enter(_ name: String) {
    hanging.wait { $0.contains(name) ? .wait : .ready(()) }
  }

  fileprivate func set(_ name: String, _ level: OutputLevel) throws(OutputError) {
    enter(name)
    let isFailing = state.withLock { state in
      guard !state.failing.contains(name) else { return true }
      state.done.append("\(name) \(Int(level.percent))")
      state.levels[name] = level
      return false
    }
    if isFailing { throw .gone(name) }
  }

  var find: OutputThread.Finder {
    { [self] request, _ throws(OutputError) in
      guard case .led(let name) = request, state.withLock({ !$0.missing.contains(name) }) else {
        throw .gone("\(request)")
      }
      return Found(outputs: self, name: name)
    }
  }

  struct Found: FoundOutput {
    let outputs: FakeOutputs
    let name: String
    var identity: String { outputs.state.withLock { $0.identities[name] ?? name } }
    var bus: String? { outputs.state.withLock { $0.buses[name] } }
    var request: OutputRequest { .led(name) }
    var looseness: String? { outputs.state.withLock { $0.loose[name] } }
    var former: String? {
      let former = outputs.state.withLock { $0.formers[name] }
      if former != nil { outputs.enter(name) }
      return former
    }
    var description: String { name }

    func take(_ level: OutputLevel, adopts: Bool, former: String?) throws(OutputError) -> Taken {
      let known = outputs.state.withLock { $0.levels[name] }
      let end = outputs.state.withLock { $0.ends[name] ?? 0 }
      let held = Held(outputs: outputs, name: name, end: end)
      if adopts, let known { return (held, known) }
      try outputs.set(name, level)
      return (held, level)
    }
  }

  struct Held: HeldOutput {
    let outputs: FakeOutputs
    let name: String
    let end: Int
    var isThere: Bool { outputs.state.withLock { ($0.ends[name] ?? 0) == end } }
    func drive(_ level: OutputLevel) throws(OutputError) { try outputs.set(name, level) }
    func readBack(of level: OutputLevel) throws(OutputError) -> OutputLevel? {
      outputs.state.withLock { $0.levels[name] }
    }
    func leave(_ end: OutputEnd) throws(OutputError) {
      if case .level(let level) = end { try drive(level) }
      outputs.change { $0.done.append("\(name) left") }
    }
  }
}
