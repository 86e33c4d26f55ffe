import LimpetInstants
import Measuring

/// What a name publishes at one time, before it is a payload.
package struct Reading: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    case good(Value)
    /// A value that is doubtful.
    indirect case doubtful(Value, Doubt)
    case edge(Edge)
    case total(Total)
    /// The state of an output.
    indirect case output(Output)
    /// This many readings of the name, or edges of its line, are lost for ever.
    case gap(lost: UInt64)
    /// It could not be read; the text says why.
    case bad(String)

    package init(_ value: Value, _ doubt: Doubt?) {
      self = doubt.map { .doubtful(value, $0) } ?? .good(value)
    }

    /// Bytes outside the structure.
    package var cost: Int {
      switch self {
      case .bad(let text): text.utf8.count
      case .good(let value): value.cost
      case .doubtful(let value, let doubt): value.cost + doubt.reason.utf8.count
      case .output(let output): output.value.cost + (output.doubt?.reason.utf8.count ?? 0)
      case .edge, .total, .gap: 0
      }
    }

    /// The measured value, if there is one.
    package var measured: (value: Value, doubt: Doubt?)? {
      switch self {
      case .good(let value): (value, nil)
      case .doubtful(let value, let doubt): (value, doubt)
      case .output(let output): (output.value, output.doubt)
      case .edge, .total, .gap, .bad: nil
      }
    }
  }

  /// One edge of a GPIO line, as its level reads after `active_low`.
  package struct Edge: Sendable, Equatable {
    /// From false to true; the level after it is the same flag.
    package let isRising: Bool
    /// The edge before it was of the same direction: one between them was never seen.
    package let isSuspect: Bool

    package init(isRising: Bool, isSuspect: Bool) {
      self.isRising = isRising
      self.isSuspect = isSuspect
    }
  }

  /// The total of a counter.
  package struct Total: Sendable, Equatable {
    /// In the configured unit.
    package let value: Double
    /// Units a second since the last total.
    package let rate: Double
    /// Totals of one generation continue each other; a new one began at zero.
    package let generation: UInt32
  }

  /// What it is a reading of.
  package let stream: StreamID
  package let content: Content
  package let unit: String?
  /// When it was measured.
  package let time: BootClock.Instant
  /// Counts the readings of its name.
  package let sequence: UInt64
  /// The first after an unclean stop: the numbers before it were not used.
  package var restarted: Bool
  /// `time` by the wall clock; nil: the clock was not synchronised yet.
  package var label: TimeLabel?

  package init(
    stream: StreamID, content: Content, unit: String?, time: BootClock.Instant, sequence: UInt64, restarted: Bool,
    label: TimeLabel? = nil
  ) {
    self.stream = stream
    self.content = content
    self.unit = unit
    self.time = time
    self.sequence = sequence
    self.restarted = restarted
    self.label = label
  }

  /// How old it is.
  package func age(at now: BootClock.Instant) -> Duration { time.duration(to: now) }

  /// The bytes of a waiting reading: its structure and those outside it.
  package var cost: Int { MemoryLayout<Reading>.stride + content.cost }
}

extension Value {
  /// Bytes behind the value itself.
  fileprivate var cost: Int {
    switch self {
    case .text(let text): text.utf8.count
    case .channels(let channels):
      channels.reduce(0) { $0 + MemoryLayout<ChannelValue>.stride + ($1.value?.cost ?? 0) }
    case .number, .integer, .flag: 0
    }
  }
}
