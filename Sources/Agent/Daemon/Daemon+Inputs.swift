import Configuration
import Instants
import Measuring
import NIOCore
import Outbox
import Platform
import Readings
import Records
import Sensing

/// A GPIO line of the configuration, ready to be watched.
package struct PlannedInput: Sendable {
  /// What it was made of: as long as that is the same, it goes on.
  package let origin: InputConfiguration
  /// Index into the plan's streams.
  package var stream: Int
  /// Its place in the monitor, by which it is known here: it stays the same for as long as the line is watched.
  package var place: Int
  package let gpio: GPIOInput
  /// Of a counter; nil: of another mode.
  package let counter: Counter?

  package struct Counter: Sendable {
    package let interval: Duration
    package let scale: Double
    package let unit: String?
  }
}

/// Where the readings of an input go.
struct Outlet: Sendable {
  /// Index into the plan's streams.
  let stream: Int
  /// Of totals.
  let unit: String?
}

/// What changes about the inputs while the agent runs.
package struct InputsState {
  /// nil: there are none, or they are released.
  var monitor: GPIOMonitor?
  /// By place.
  var planned: [Int: PlannedInput] = [:] {
    didSet { outlets = planned.mapValues { Outlet(stream: $0.stream, unit: $0.counter?.unit) } }
  }
  /// Where readings of `planned` go: what each of them needs to know, and no more is copied for it.
  private(set) var outlets: [Int: Outlet] = [:]
  /// Places that no line has.
  package var freePlaces: Set<Int> = []
  /// Of inputs in mode `counter`, by place.
  package var counters: [Int: PulseCounter] = [:]
  /// Why an input cannot be read, by place; an input in mode `counter` that was not looked for yet is neither here nor in
  /// `found`.
  package var failures: [Int: String] = [:]
  package var found: Set<Int> = []
  /// What the disk has of the counters, by name.
  var storedCounts: [String: StoredCount]
  /// What the counters stood at when the lines were released, by name.
  var finalCounts: [String: StoredCount] = [:]
  /// Counts are on their way to the disk.
  var isStoringCounts = false

  package init(_ plan: Daemon.Plan, _ storedCounts: [String: StoredCount]) {
    self.storedCounts = storedCounts
    adopt(plan.inputs)
    for input in plan.inputs { count(input) }
  }

  package mutating func adopt(_ inputs: [PlannedInput]) { planned = Dictionary(inputs.map { ($0.place, $0) }) { $1 } }

  /// Goes on where the disk's count of this name stands.
  package mutating func count(_ input: PlannedInput) {
    guard let counter = input.counter else { return }
    var generator = SystemRandomNumberGenerator()
    counters[input.place] = PulseCounter(
      stored: storedCounts[input.origin.name], scale: counter.scale, using: &generator)
  }
}

extension Daemon {
  func startInputs() {
    guard inputs.monitor == nil, !plan.inputs.isEmpty else { return }
    // In the order of their places, which begin at 0.
    let monitor = GPIOMonitor(plan.inputs.map(\.gpio), root: plan.root) { [weak self] in
      guard let self else { return }
      eventLoop.execute { self.assumeIsolated { $0.takeInputs() } }
    }
    inputs.monitor = monitor
    monitor.start()
    // A counter that is new is known from now on, so that its total goes on after a crash.
    storeCounts()
  }

  /// Takes what the lines have to tell; what is worth a reading gets a number and goes into the outbox.
  private func takeInputs() {
    guard let monitor = inputs.monitor else { return }
    let taken = monitor.take()
    for report in taken.reports where !departure.hasSaidFarewell { take(report) }
    readyIfSensing()
    if taken.isFinished {
      inputs.monitor = nil
      inputs.finalCounts = counts(monitor)
    }
    numberReadings()
    pump()
    if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
  }

  private func take(_ report: GPIOReport) {
    let index = report.input
    if case .released = report.content {
      inputs.freePlaces.insert(index)
      return
    }
    // What a line had to tell before it was let go of comes too late.
    guard inputs.outlets[index] != nil else { return }
    switch report.content {
    case .level(let level): add(.good(.flag(level)), of: index, at: report.time)
    case .edge(let isRising, let isSuspect):
      add(.edge(Reading.Edge(isRising: isRising, isSuspect: isSuspect)), of: index, at: report.time)
    case .gap(let lost): add(.gap(lost: lost), of: index, at: report.time)
    case .found(let place):
      logger.notice("\(inputName(index)): reads \(place)")
      inputs.failures[index] = nil
      inputs.found.insert(index)
      publishTotal(of: index)
    case .released: break
    case .failed(let error):
      logger.warning("\(inputName(index)): \(error)")
      inputs.failures[index] = "\(error)"
      add(.bad("\(error)"), of: index, at: report.time)
    }
  }

  private func inputName(_ place: Int) -> String { inputs.planned[place]?.origin.name ?? "" }

  private func add(_ content: Reading.Content, of place: Int, at time: BootClock.Instant) {
    guard let outlet = inputs.outlets[place] else { return }
    accept(UnnumberedReading(stream: outlet.stream, content: content, unit: outlet.unit, time: time))
  }

  // MARK: Counters

  /// Publishes a counter's total, or why there is none; nothing before its line was looked for.
  func publishTotal(of input: Int) {
    guard let monitor = inputs.monitor, inputs.counters[input] != nil else { return }
    let now = BootClock.now
    if let failure = inputs.failures[input] {
      add(.bad(failure), of: input, at: now)
    } else if inputs.found.contains(input),
      let total = inputs.counters[input]?.total(monitor.pulses(of: input), at: now)
    {
      add(.total(total), of: input, at: now)
    }
  }

  /// What the counters stand at, by name.
  private func counts(_ monitor: GPIOMonitor) -> [String: StoredCount] {
    var counts: [String: StoredCount] = [:]
    for (place, counter) in inputs.counters {
      guard let name = inputs.planned[place]?.origin.name else { continue }
      counts[name] = counter.stored(monitor.pulses(of: place))
    }
    return counts
  }

  /// What the counters stand at now, by name.
  var currentCounts: [String: StoredCount] { inputs.monitor.map(counts) ?? inputs.finalCounts }

  /// What the counters stand at, of those that the disk has otherwise.
  var movedCounts: [String: StoredCount] {
    currentCounts.filter { inputs.storedCounts[$0.key] != $0.value }
  }

  /// Stores the counters that moved. One write is under way at a time: a disk that hangs collects no others behind it,
  /// and what it misses, or could not do, is done at the next checkpoint.
  func storeCounts() {
    let moved = movedCounts
    guard !inputs.isStoringCounts, !moved.isEmpty, let store else { return }
    inputs.isStoringCounts = true
    Task {
      defer { inputs.isStoringCounts = false }
      do throws(StorageError) {
        try await store.setCounts(moved)
        inputs.storedCounts.merge(moved) { $1 }
        storageWorks()
      } catch {
        storageFails(error)
      }
    }
  }
}
