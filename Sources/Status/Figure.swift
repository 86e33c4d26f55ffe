/// A number that the agent knows about itself, declared once (`Core.figures`): `limpet status --json`, the health
/// reading and the metrics file have it under this name.
package struct Figure: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// Only grows, since the start.
    case counter
    /// What it is now.
    case gauge
  }

  package enum Value: Sendable, Equatable {
    case count(UInt64)
    case amount(Double)
    /// Counts of one thing by a label, whose values are words of this program, so that there are few.
    case counts(label: StaticWord, [String: UInt64])
  }

  /// With the unit at its end, as Prometheus has it: `uptime_seconds`, `outbox_bytes`.
  package let name: StaticString
  package let kind: Kind
  /// One sentence without its point.
  package let help: StaticString
  package let value: Value

  package static func counter(_ name: StaticString, _ help: StaticString, _ count: UInt64) -> Figure {
    Figure(name: name, kind: .counter, help: help, value: .count(count))
  }

  package static func counter(
    _ name: StaticString, _ help: StaticString, by label: StaticWord, _ counts: [String: UInt64]
  ) -> Figure {
    Figure(name: name, kind: .counter, help: help, value: .counts(label: label, counts))
  }

  package static func gauge(_ name: StaticString, _ help: StaticString, _ count: Int) -> Figure {
    Figure(name: name, kind: .gauge, help: help, value: .count(UInt64(max(count, 0))))
  }

  package static func gauge(_ name: StaticString, _ help: StaticString, _ amount: Double) -> Figure {
    Figure(name: name, kind: .gauge, help: help, value: .amount(amount))
  }

  package static func == (one: Figure, other: Figure) -> Bool {
    "\(one.name)" == "\(other.name)" && one.kind == other.kind && one.value == other.value
  }
}

/// A word that is written in the source.
package struct StaticWord: Sendable, Equatable, ExpressibleByStringLiteral, CustomStringConvertible {
  package let description: String
  package init(stringLiteral word: StaticString) { description = "\(word)" }
}
