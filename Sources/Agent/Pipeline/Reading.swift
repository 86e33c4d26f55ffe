import Sensing
import Time

/// What is published of one name at one time, before it is a payload.
struct Reading: Sendable, Equatable {
  enum Content: Sendable, Equatable {
    case good(Value)
    /// A value with something against it.
    indirect case doubtful(Value, Doubt)
    case edge(Edge)
    case total(Total)
    /// So many readings of this name, or edges of its line, are lost for ever.
    case gap(lost: UInt64)
    /// It could not be read; the text says why.
    case bad(String)

    init(_ value: Value, _ doubt: Doubt?) {
      self = doubt.map { .doubtful(value, $0) } ?? .good(value)
    }

    /// Bytes behind the structure.
    var cost: Int {
      switch self {
      case .bad(let text): text.utf8.count
      case .good(let value): value.cost
      case .doubtful(let value, let doubt): value.cost + doubt.reason.utf8.count
      case .edge, .total, .gap: 0
      }
    }

    /// What was measured, where something was.
    var measured: (value: Value, doubt: Doubt?)? {
      switch self {
      case .good(let value): (value, nil)
      case .doubtful(let value, let doubt): (value, doubt)
      case .edge, .total, .gap, .bad: nil
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
  let time: BootClock.Instant
  /// Counts the readings of its name.
  let sequence: UInt64
  /// The first after an unclean stop: the numbers before it were not used.
  var restarted: Bool
  /// What the wall clock says of `time`; nil: it was not synchronised yet.
  var label: TimeLabel?

  /// How old it is.
  func age(at now: BootClock.Instant) -> Duration { time.duration(to: now) }

  /// Bytes that a waiting reading stands for: its structure and what is behind it.
  var cost: Int { MemoryLayout<Reading>.stride + content.cost }
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
