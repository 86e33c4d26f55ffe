import LimpetInstants
import Measuring
import Plan

/// A report of one line.
package struct LineReport: Sendable {
  package enum Content: Sendable {
    /// The level has settled, in mode `state`.
    case level(Bool)
    /// An edge, in mode `event`. `isSuspect`: the one before it was of the same direction.
    case edge(isRising: Bool, isSuspect: Bool)
    /// What was done with a button, in mode `gesture`.
    case gesture(Gesture)
    /// So many edges were dropped before they could be read, and what they were is not known.
    case gap(lost: UInt64)
    /// The line is read from now on; `pulses` as for `Lines.total`.
    case found(String, pulses: PulseCount)
    /// The line cannot be read (any more), and is looked for again. Reported when the reason changes.
    case failed(String)
    /// The line was let go of, as asked for: nothing follows of it.
    case released
  }

  package let line: LineID
  package let content: Content
  package let time: BootClock.Instant

  package init(line: LineID, content: Content, time: BootClock.Instant) {
    self.line = line
    self.content = content
    self.time = time
  }
}
