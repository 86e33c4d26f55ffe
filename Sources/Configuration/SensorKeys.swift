import LimpetText
import Measuring
import Readings

package enum SensorKeys {
  package static let name = Key(
    required: "name", .name, missing: "write the reading's name, such as cpu_temperature",
    help: "The reading's name; the {name} of topics.",
    example: "cpu_temperature")
  package static let type = Key(
    required: "type", ValueKind<SensorType>.choice.withAdvice(Synonyms.types),
    missing: "write \(Suggestion.list(SensorType.allCases.map(\.rawValue)))", help: "The kind of source.",
    example: "thermal")
  package static let interval = Key(
    "interval", .duration(.milliseconds(10)...(.days(7))), default: "10s", help: "How often limpet reads it.")
  package static let timeout = Key(
    "timeout", .duration(.milliseconds(10)...(.minutes(5)), unit: "s"), default: "5s",
    help:
      "How long one read may take; then the reading is bad, and limpet reads it again only when the kernel has answered."
  )
  package static let retry = Key(
    "retry", .integer(0...10), default: "0",
    help: "How many times limpet repeats a failed read, a second later each, before it publishes the failure.")
  package static let change = Key(
    optional: "change", ValueKind<ChangeThreshold>.change,
    help: "Publish when the value has changed by this much, a number or a percentage; without it, every sample.",
    example: "0.5")
  package static let maxAge = Key(
    optional: "max_age", .duration(.milliseconds(10)...(.days(30))),
    help: "Publish after this long even without a change.", example: "5m")
  package static let unit = Key(
    optional: "unit", .text(bytes: 0...64), help: "The unit to publish; without it, the source's.",
    example: "°C")
  package static let map = Declaration(
    name: "map",
    help: "The values that texts stand for, such as {open: 1, closed: 0}; any other text is a bad reading.",
    need: .optional, content: .texts, examples: ["{open: true, shut: false}"])
  package static let scale = Key("scale", .scale, default: "1", help: "A factor for the value.")
  package static let offset = Key(
    "offset", .number, default: "0", help: "What limpet adds after it has multiplied by scale.")
  static let rangeName = "range"
  package static let average = Key(
    optional: "average", ValueKind<Average.Statistic>.choice,
    help: "One value for each window: the mean, the median, the smallest or the largest of its samples.",
    example: "mean")
  package static let window = Key(
    optional: "window", .duration(.milliseconds(10)...(.days(7))), help: "The length of the window of average.",
    example: "1m")
  package static let round = Key(
    optional: "round", .integer(0...9), help: "Decimal places; without it, as many as the value has.",
    example: "1")
  package static let retain = Key("retain", .boolean, default: "false", help: "The broker keeps the last reading.")
  package static let keep = Key(
    "keep", ValueKind<Keep>.choice, default: "all",
    help: "Which readings wait for the broker: all, or only the latest.")

  package static let common: [Declaration] = [
    name.declaration, type.declaration, interval.declaration, timeout.declaration, retry.declaration,
    change.declaration, maxAge.declaration, unit.declaration, map, scale.declaration, offset.declaration,
    .section(rangeName, RangeKeys.all, help: "The values that are possible; one outside is a bad reading."),
    average.declaration, window.declaration, round.declaration, retain.declaration, keep.declaration,
    EntityKeys.title.declaration, EntityKeys.section,
  ]

  private static let entries = SensorType.allCases.map(\.entry)

  package static let samples = entries.flatMap(\.samples)

  /// Those of the types that every board has go first.
  package static let examples =
    (entries.filter { !$0.samples.isEmpty } + entries.filter { $0.samples.isEmpty }).flatMap(\.examples)

  package static let variants: [Declaration.Variant] = SensorType.allCases.map { type in
    Declaration.Variant(name: type.rawValue, keys: keys(of: type))
  }

  package static func keys(of type: SensorType) -> [Declaration] {
    type.entry.keys.map(\.key.declaration) + (type.entry.selection.map { [$0.severalKey.declaration] } ?? [])
  }
}

package enum RangeKeys {
  package static let min = Key(optional: "min", .number, help: "The smallest possible value.", example: "-40")
  package static let max = Key(optional: "max", .number, help: "The largest possible value.", example: "85")

  package static let all = [min.declaration, max.declaration]
}
