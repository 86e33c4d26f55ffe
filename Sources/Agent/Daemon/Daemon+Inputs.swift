import Core
import Instants
import NIOCore
import Platform
import Records
import Sensing

/// Carries what GPIO lines have to tell from the monitor's thread to the lines, and their counts to the store.
extension Daemon {
  func startInputs() {
    guard monitor == nil, !plan.inputs.isEmpty else { return }
    let monitor = GPIOMonitor(lines.requests, root: plan.root) { [weak self] in
      guard let self else { return }
      eventLoop.execute { self.assumeIsolated { $0.takeInputs() } }
    }
    self.monitor = monitor
    monitor.start()
    // A counter that is new is known from now on, so that its total goes on after a crash.
    storeCounts()
  }

  /// Takes what the lines have to tell; what is worth a reading gets a number and goes into the outbox.
  private func takeInputs() {
    guard let monitor else { return }
    let taken = monitor.take()
    var notes: [ReadingNote] = []
    for report in taken.reports where !departure.hasSaidFarewell {
      if let reading = lines.take(LineReport(report, monitor), into: &notes) { accept(reading) }
    }
    log(notes)
    readyIfSensing()
    if taken.isFinished {
      takePulses()
      self.monitor = nil
    }
    numberReadings()
    pump()
    if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
  }

  // MARK: Counters

  func publishTotal(of line: LineID) {
    guard let monitor else { return }
    if let reading = lines.total(of: line, pulses: monitor.pulses(of: line.place), at: .now) { accept(reading) }
  }

  /// Tells the lines what their counters have seen by now.
  func takePulses() {
    guard let monitor else { return }
    for (line, _) in lines.counters { lines.counted(monitor.pulses(of: line.place), of: line) }
  }

  /// What the counters stand at, of those that the disk has otherwise.
  var movedCounts: [String: StoredCount] {
    takePulses()
    return lines.movedCounts
  }

  /// Stores the counters that moved.
  func storeCounts() {
    takePulses()
    guard let store, let moved = lines.takeMovedCounts() else { return }
    Task {
      do throws(StorageError) {
        try await store.setCounts(moved)
        lines.storedCounts(moved)
        storageWorks()
      } catch {
        lines.storingFailed()
        storageFails(error)
      }
    }
  }
}

extension LineReport {
  fileprivate init(_ report: GPIOReport, _ monitor: GPIOMonitor) {
    let line = LineID(place: report.input)
    let content: Content
    switch report.content {
    case .level(let level): content = .level(level)
    case .edge(let isRising, let isSuspect): content = .edge(isRising: isRising, isSuspect: isSuspect)
    case .gap(let lost): content = .gap(lost: lost)
    case .failed(let error): content = .failed("\(error)")
    case .released: content = .released
    case .found(let place):
      // Its total is that of now.
      self.init(line: line, content: .found("\(place)", pulses: monitor.pulses(of: report.input)), time: .now)
      return
    }
    self.init(line: line, content: content, time: report.time)
  }
}
