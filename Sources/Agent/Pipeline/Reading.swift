import Sensing

/// What is published of one name at one time, before it is a payload.
struct Reading: Sendable, Equatable {
  enum Content: Sendable, Equatable {
    case good(Value)
    case edge(Edge)
    case total(Total)
    /// So many readings of this name, or edges of its line, are lost for ever.
    case gap(lost: UInt64)
    /// It could not be read; the text says why.
    case bad(String)

    /// A value that has become infinite by its calibration is none.
    init(_ value: Value) {
      if case .number(let number) = value, !number.isFinite {
        self = .bad("scale and offset make the value too large for a number")
      } else {
        self = .good(value)
      }
    }
  }

  /// One edge of a GPIO line, as its level reads after `active_low`.
  struct Edge: Sendable, Equatable {
    /// From false to true; the level after it is the same flag.
    let isRising: Bool
    /// The edge before it was of the same direction: one between them was never seen.
    let isSuspect: Bool
  }

  /// What a counter stands at.
  struct Total: Sendable, Equatable {
    /// In the configured unit.
    let value: Double
    /// Units a second since the last total.
    let rate: Double
    /// Totals of one generation go on from each other; another one began at zero.
    let generation: UInt32
  }

  /// Index of the stream it belongs to.
  let stream: Int
  let content: Content
  let unit: String?
  /// When it was measured.
  let time: ContinuousClock.Instant
  /// Counts the readings of its name.
  let sequence: UInt64
  /// The first after an unclean stop: the numbers before it were not used.
  let restarted: Bool

  /// Bytes that a waiting reading stands for: its structure and what is behind it.
  var cost: Int {
    let text =
      switch content {
      case .bad(let text), .good(.text(let text)): text.utf8.count
      case .good, .edge, .total, .gap: 0
      }
    return MemoryLayout<Reading>.stride + text
  }
}
