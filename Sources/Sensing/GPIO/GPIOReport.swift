import LimpetInstants
import Measuring

/// A report of one input.
public struct GPIOReport: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    /// The level has settled, in mode `state`.
    case level(Bool)
    /// An edge, in mode `event`. `isSuspect`: the one before it was of the same direction.
    case edge(isRising: Bool, isSuspect: Bool)
    /// A press of a button, in mode `gesture`; its time is the beginning of the first press.
    case gesture(Gesture)
    /// This many edges were dropped before they could be read.
    case gap(lost: UInt64)
    /// The line is read from now on.
    case found(GPIOPlace)
    /// The line cannot be read (any more), and is looked for again. Reported when the reason changes.
    case failed(GPIOError)
    /// The line was released, as asked for: no report of it follows.
    case released
  }

  /// Index of the input.
  public var input: Int
  public var content: Content
  /// When it was. Of levels and edges, the kernel's time of the edge, debouncing taken off.
  public var time: BootClock.Instant
}
