import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring

/// Puts what a process drove that is dead into its safe state, by the record that it left: `limpet outputs --safe`.
///
/// Nobody holds the lines then; what the kernel makes of a line that is let go of is ``ReleasedLine``.
public enum SafeOutputs {
  public struct Outcome: Sendable, Equatable {
    public enum Result: Sendable, Equatable {
      case driven(OutputLevel)
      /// `stop: keep`
      case left
      /// Who drove a fan before does again.
      case givenBack
      case failed(String)
    }

    /// What it is, for people.
    public var output: String
    public var result: Result
  }

  /// Whose the record is; nil: it does not say, or there is none.
  public static func owner(record path: String) throws(ReadError) -> RecordOwner? {
    do { return try OutputRecord.owner(path) } catch {
      guard error.isAbsence else { throw error }
      return nil
    }
  }

  /// Does it, each output on the thread it belongs to: one that hangs holds up no other. It blocks.
  ///
  /// What failed stays in the record, which goes when nothing is left.
  ///
  /// - Parameters:
  ///   - record: path of the file; where there is none, nothing was driven.
  ///   - limit: how long one that is busy or does not answer is tried.
  public static func drive(
    record path: String, root: FileRoot, within limit: Duration = .seconds(3)
  ) throws(ReadError) -> [Outcome] {
    let entries: [OutputRecord.Entry]
    do { entries = try OutputRecord.read(path) } catch {
      guard error.isAbsence else { throw error }
      return []
    }
    var round = Round(entries)
    let news = ConditionLock(false)
    let driver = OutputDriver(
      root: root, record: OutputRecord(earlier: entries), find: OutputThread.finder(root: root)
    ) {
      news.withLock { $0 = true }
      news.signal()
    }
    for (place, entry) in entries.enumerated() {
      switch entry.safe {
      case .level(let level): driver.hold(place, entry.request, level, adopts: false, safe: .untouched)
      case .former: driver.hold(place, entry.request, .on, adopts: true, safe: .former)
      case .untouched: continue
      }
    }
    let end = BootClock.now + limit
    while round.isWaiting, BootClock.now < end {
      news.wait { hasNews in
        let left = end - BootClock.now
        guard !hasNews, left > .zero else {
          hasNews = false
          return .ready(())
        }
        return .waitAtMost(left)
      }
      for report in driver.take().reports {
        if let (place, how) = round.take(report) { driver.release(place, how) }
      }
    }
    // What is not done by now is let go of with the process.
    driver.stop()
    try OutputRecord.write(round.failed, path)
    return round.outcomes
  }

  /// What became of each.
  private struct Round {
    private let entries: [OutputRecord.Entry]
    private var names: [String]
    private var failures: [Int: String] = [:]
    private var done: Set<Int> = []

    init(_ entries: [OutputRecord.Entry]) {
      self.entries = entries
      names = entries.map { "\($0.request.name)" }
      for (place, entry) in entries.enumerated() where entry.safe == .untouched { done.insert(place) }
    }

    var isWaiting: Bool { done.count < entries.count }

    /// - Returns: what is to be let go of, and how.
    mutating func take(_ report: OutputReport) -> (Int, OutputEnd)? {
      let place = report.output
      switch report.content {
      case .held(let level, let description):
        names[place] = description
        failures[place] = nil
        if case .level(let wanted) = entries[place].safe, level != wanted {
          failures[place] = "it reads back as \(level.isOn ? "on" : "off"); check its wiring"
        }
        return (place, entries[place].safe == .former ? .former : .untouched)
      case .failed(let reason): failures[place] = reason
      case .released: done.insert(place)
      case .driven: break
      }
      return nil
    }

    private func failure(_ place: Int) -> String? {
      failures[place] ?? (done.contains(place) ? nil : "the kernel does not return from driving it")
    }

    var failed: [OutputRecord.Entry] { entries.indices.filter { failure($0) != nil }.map { entries[$0] } }

    var outcomes: [Outcome] {
      entries.indices.map { place in
        let result: Outcome.Result =
          switch (failure(place), entries[place].safe) {
          case (let reason?, _): .failed(reason)
          case (nil, .level(let level)): .driven(level)
          case (nil, .untouched): .left
          case (nil, .former): .givenBack
          }
        return Outcome(output: names[place], result: result)
      }
    }
  }
}

extension SafeOutputs.Outcome: CustomStringConvertible {
  public var description: String {
    switch result {
    case .driven(let level):
      "\(output): \(level == .off ? "off" : level == .on ? "on" : decimals(level.percent) + " %")"
    case .left: "\(output): left as it is (stop: keep)"
    case .givenBack: "\(output): given back to its former driver"
    case .failed(let reason): "\(output): not put into its safe state: \(reason)"
    }
  }

  private func decimals(_ number: Double) -> String {
    number == number.rounded() ? "\(Int(number))" : "\((number * 10).rounded() / 10)"
  }
}

extension OutputRequest {
  /// For people, where it was not found.
  fileprivate var name: String {
    switch self {
    case .gpio(let output):
      switch output.line {
      case .offset(let offset): "line \(offset) of \(printable(output.chip ?? "the header"))"
      case .name(let name): printable(name)
      }
    case .pwm(let output): "PWM channel \(output.channel) of \(printable(output.device, limit: 256))"
    case .led(let name): "LED \(printable(name))"
    case .backlight(let name): "backlight \(printable(name))"
    case .fan(let output):
      "\(printable(output.channel)) of \(printable(output.device ?? output.chip ?? "", limit: 256))"
    }
  }
}
