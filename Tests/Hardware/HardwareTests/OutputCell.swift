import TestScene
import Testing

/// How an output came on, and what then happened to what drives it.
struct OutputCell: Sendable, CustomTestStringConvertible {
  /// How it came on.
  enum Way: String, CaseIterable, Sendable {
    case command = "on"
    case limited = "on for"
    case pulse = "pulse"
    case interlocked = "interlocked"
  }

  /// A reboot is not among them: the guest ends with its tests, and its simulated chips are gone with their levels. What
  /// limpet has a part in is a stop before it and a start behind it, which are here; what a board does between the two is
  /// its pulls' doing. Nor does the guest sleep: its files come over a device that does not survive that. A process that
  /// is stopped is what its rules see of a suspend, but for CLOCK_MONOTONIC, which goes on: that the simulator has.
  enum Ending: String, CaseIterable, Sendable {
    case terminated = "SIGTERM"
    case killed = "SIGKILL, then limpet outputs --safe"
    case aborted = "limpet abort"
    case halfOpen = "half-open connection"
    case reset = "reset by a proxy"
    case brokerRestarted = "broker restarted"
    case brokerGone = "broker gone for good"
    case twin = "a twin with the same client id"
    case clockStepped = "clock set an hour forth, and back"
    case ruleChanged = "reload that shortens its time"
    case dropped = "reload without it"
    case upgraded = "stop and start, as by an upgrade"
    case chipReturned = "chip gone and back"
    case suspended = "stopped for 12 s, as by a suspend"
    case watchdog = "hung, and ended by its watchdog"

    /// What it does to the machine would disturb tests beside it.
    var isAlone: Bool { self == .clockStepped || self == .chipReturned }
  }

  let ending: Ending
  let way: Way

  var testDescription: String { "\(ending.rawValue): \(way.rawValue)" }

  /// All of them, or each ending once, in turn after another beginning.
  static func chosen(alone: Bool) -> [OutputCell] {
    Ending.allCases.enumerated().flatMap { number, ending in
      (Selection.isWhole ? Way.allCases : [Way.allCases[number % Way.allCases.count]]).map {
        OutputCell(ending: ending, way: $0)
      }
    }
    .filter { $0.ending.isAlone == alone }
  }

  // MARK: What the rules say, in seconds

  static let keepAlive = 1.0
  /// The least that the configuration takes beside that.
  private static let lostAfter = 1.5 * keepAlive + 6
  static let deadTime = 1.0
  static let shorter = 5.0
  /// Time counts from the order to go on, and the edge comes after that.
  static let early = 0.3
  /// What is done at once, on an emulated processor.
  static let atOnce = 2.0 * Double(Patience.factor)

  /// How long it stays on where nothing ends that earlier; nil: until somebody says otherwise.
  var time: Double? {
    guard way == .limited || way == .pulse else { return nil }
    switch ending {
    case .twin: return 90
    // It is over before the agent goes on.
    case .suspended: return 8
    default: return 25
    }
  }

  /// How long its controller may be silent: beside a suspend that is another rule than the one that is looked at.
  var lostAfter: Double { ending == .suspended ? 60 : Self.lostAfter }

  static let sleep = 12.0
  /// The unit's WatchdogSec and TimeoutAbortSec.
  static let (watchdog, abortTimeout) = (10.0, 2.0)

  /// Why it went off.
  enum Off {
    /// It did not, by this ending.
    case no
    /// - Parameters:
    ///   - cause: as it is told.
    ///   - within: from the ending.
    case by(String, within: ClosedRange<Double>)
  }

  /// - Parameter age: how long it had been on.
  func off(age: Double) -> Off {
    // The last byte may be as old as a keepalive and an answer.
    let lost = Self.lostAfter - Self.keepAlive * 1.5 - 0.5...Self.lostAfter + Self.atOnce
    switch ending {
    case .terminated, .upgraded, .aborted: return .by("stop", within: 0...Self.atOnce)
    case .dropped: return .by("reload", within: 0...Self.atOnce)
    // Nobody is there to tell; the next start does.
    case .killed: return .by("start", within: 0...Self.atOnce)
    case .watchdog: return .by("start", within: Self.watchdog...Self.watchdog + Self.abortTimeout + Self.atOnce)
    // From the resume.
    case .suspended:
      guard time != nil else { return .no }
      return .by(way == .pulse ? "pulse" : "for", within: 0...Double(Patience.factor))
    case .halfOpen, .brokerGone: return .by("lost", within: lost)
    // It has to start first, and to take over until the agent gives way.
    case .twin: return .by("lost", within: lost.lowerBound...lost.upperBound + 5 * Self.atOnce)
    case .ruleChanged:
      let rest = max(0, Self.shorter - age - Self.early)
      return .by(way == .pulse ? "pulse" : "max_on", within: rest...rest + Self.atOnce)
    case .chipReturned: return .by("returned", within: 0...Self.atOnce * 2)
    case .reset, .brokerRestarted, .clockStepped: return .no
    }
  }
}
