import Measuring

/// Recognises the presses of a button from the times of its levels; true is pressed.
///
/// idle –pressed→ pressed –held for `long`→ reports long, held –released→ idle. A press that ends before may be one of
/// two: released –pressed within `double`→ reports double, held; –not→ reports single, idle. The time of a press is its
/// beginning. It reports each as soon as it can be nothing else. Times are CLOCK_MONOTONIC, in nanoseconds; it does no
/// I/O.
struct GestureTrack: Equatable {
  struct Change: Equatable {
    var gesture: Gesture
    /// When its first press began.
    var time: Int64
  }

  private enum Phase: Equatable {
    case idle
    case pressed(since: Int64)
    /// The press that began at `press` has ended.
    case released(Int64, press: Int64)
    /// This press was reported.
    case held
  }

  private let double: Int64
  private let long: Int64
  private var phase: Phase

  /// - Parameter isPressed: now, and nobody knows since when: it does not report that press.
  init(_ times: GPIOInput.GestureTimes, isPressed: Bool) {
    double = times.double.wholeNanoseconds
    long = times.long.wholeNanoseconds
    phase = isPressed ? .held : .idle
  }

  /// When it reports something without another edge.
  var deadline: Int64? {
    switch phase {
    case .idle, .held: nil
    case .pressed(let since): since + long
    case .released(let time, _): time + double
    }
  }

  /// A level has settled, in the order of time. Reports that were due before it come first.
  mutating func take(isPressed: Bool, at time: Int64) -> [Change] {
    var changes = elapsed(at: time).map { [$0] } ?? []
    switch (phase, isPressed) {
    case (.idle, true): phase = .pressed(since: time)
    case (.pressed(let since), false):
      if double > 0 { phase = .released(time, press: since) } else { changes.append(report(.single, since, .idle)) }
    case (.released(_, let press), true): changes.append(report(.double, press, .held))
    case (.held, false): phase = .idle
    case (.idle, false), (.pressed, true), (.released, false), (.held, true): break
    }
    return changes
  }

  /// Every level that settled before `time` was taken.
  mutating func elapsed(at time: Int64) -> Change? {
    guard let deadline, time >= deadline else { return nil }
    return switch phase {
    case .pressed(let since): report(.long, since, .held)
    case .released(_, let press): report(.single, press, .idle)
    case .idle, .held: nil
    }
  }

  /// Edges were lost: the current press is unknown.
  mutating func lose() { phase = .idle }

  private mutating func report(_ gesture: Gesture, _ press: Int64, _ next: Phase) -> Change {
    phase = next
    return Change(gesture: gesture, time: press)
  }
}
