import LimpetText
import Measuring
import Readings

/// Reads `sensors`.
struct SensorSection {
  private(set) var sensors: [SensorConfiguration] = []
  /// Their `name` keys.
  private(set) var names: [NamedReading] = []

  init(_ readers: [MappingReader]) {
    for reader in readers { read(reader) }
  }

  private mutating func read(_ reader: MappingReader) {
    let name = reader.read(SensorKeys.name)
    let type = reader.read(SensorKeys.type)
    let interval = reader.read(SensorKeys.interval)
    let maxAge = reader.read(SensorKeys.maxAge)
    if let age = maxAge.value, age < interval.value, !interval.isWrong {
      reader.conflict(
        maxAge.written, interval.written,
        "max_age \(WrittenDuration.text(age)) is shorter than interval "
          + "\(WrittenDuration.text(interval.value)); write a longer max_age"
      )
    }
    let timeout = reader.read(SensorKeys.timeout).value
    let retries = reader.read(SensorKeys.retry).value
    let change = reader.read(SensorKeys.change).value
    let unit = reader.read(SensorKeys.unit)
    let map = reader.readTexts(SensorKeys.map, limit: 256)
    let scale = reader.read(SensorKeys.scale)
    let offset = reader.read(SensorKeys.offset)
    let range = RangeSection(reader)
    let average = AverageKeys(reader, interval)
    let decimals = reader.read(SensorKeys.round).value
    let isRetained = reader.read(SensorKeys.retain).value
    let keep = reader.read(SensorKeys.keep).value
    let shown = PresentationSection(reader)
    let presentation = shown.presentation
    let source = type.value.flatMap { SensorKindReader(reader, $0, isMapped: map.isWritten).kind }
    if case .channels? = source {
      let single = [
        unit.written, map.written, scale.written, offset.written, range.written, average.written, shown.deviceClass,
        shown.uniqueID?.written,
      ]
      for written in single {
        reader.error(written, "has no meaning for several channels at once; remove it, or give each its own entry")
      }
    }
    let conversion = self.conversion(
      unit, of: source, reader, isConverted: [scale.isWritten, offset.isWritten, map.isWritten])
    reject(reader, type.value)
    guard let text = name.value, let written = name.written else { return }
    names.append(NamedReading(name: text, written: written, uniqueID: shown.uniqueID))
    guard let source else { return }
    var sensor = SensorConfiguration(
      name: text, source: source, interval: interval.value, timeout: timeout, retries: retries,
      change: change, maxAge: maxAge.value, unit: unit.value, map: map.value, scale: conversion?.scale ?? scale.value,
      offset: conversion?.offset ?? offset.value, range: range.range,
      average: average.average, decimals: decimals, isRetained: isRetained, keep: keep)
    sensor.presentation = presentation
    sensors.append(sensor)
    if !unit.isWrong { checkClass(shown, of: sensor, reader) }
  }

  /// It ignores what a `map` makes of the value: the description for Home Assistant fits that.
  private func checkClass(_ shown: PresentationSection, of sensor: SensorConfiguration, _ reader: MappingReader) {
    guard let name = shown.presentation.deviceClass, case .one = sensor.source, sensor.map.isEmpty else { return }
    let kind: DeviceClasses.Kind? =
      switch (shown.presentation.platform, sensor.source.shape) {
      case (.binarySensor, _), (nil, .flag): .binarySensor
      case (.sensor, _), (nil, .number), (nil, .text), (nil, .choice): .sensor
      case (nil, .any): nil
      }
    let isNumber = sensor.source.shape == .number
    let isFile = if case .one(.file, _) = sensor.source { true } else { false }
    let unit = sensor.unit ?? sensor.source.unit ?? (isFile ? nil : "")
    if let text = DeviceClasses.objection(to: name, as: kind, unit: isNumber ? unit : nil, mayBeBinary: kind == .sensor)
    {
      reader.error(shown.deviceClass, text)
    }
  }

  /// How the source's unit becomes the written one, if the configuration has no `scale` and `offset`.
  private func conversion(
    _ unit: Field<String?>, of source: SensorKind?, _ reader: MappingReader, isConverted: [Bool]
  ) -> Units.Conversion? {
    guard let text = unit.value, !text.isEmpty, let written = unit.written else { return nil }
    UnitAdvice.check(text, written, reader.log)
    guard !isConverted.contains(true), case .one? = source, let own = source?.unit else { return nil }
    if let conversion = Units.conversion(from: own, to: Units.usual(for: text) ?? text) {
      return conversion == Units.Conversion(scale: 1, offset: 0) ? nil : conversion
    }
    reader.log.error(
      written.value, written.path,
      "\(quoted(text)) does not fit the source, which is in \(own); remove unit, or write scale and offset beside it")
    return nil
  }

  /// Without a type the keys of all types are accepted: only the type is wrong.
  private func reject(_ reader: MappingReader, _ type: SensorType?) {
    let types = type.map { [$0] } ?? SensorType.allCases
    reader.reject(unknownTo: SensorKeys.common + types.flatMap(SensorKeys.keys)) { key in
      let owners = SensorKeys.variants.filter { $0.keys.contains { $0.name == key } }.map(\.name)
      guard let type, !owners.isEmpty else { return nil }
      return "belongs to type \(Suggestion.list(owners)), not \(type.rawValue); remove it"
    }
  }
}

/// Reads `range`.
private struct RangeSection {
  var range: ValueRange?
  /// Where the key stands.
  var written: Written?

  init(_ reader: MappingReader) {
    guard let position = reader.position(of: SensorKeys.rangeName) else { return }
    written = Written(path: reader.path(to: SensorKeys.rangeName), key: position, value: position)
    let section = reader.section(SensorKeys.rangeName)
    let min = section.read(RangeKeys.min)
    let max = section.read(RangeKeys.max)
    if let low = min.value, let high = max.value, low > high {
      section.error(
        min.written,
        "min \(low.shortestDecimal) is more than max \(high.shortestDecimal); raise max or lower min")
    }
    if min.value == nil, max.value == nil, !min.isWrong, !max.isWrong {
      section.missing(RangeKeys.min.name, "write min, max or both")
    }
    section.reject(unknownTo: RangeKeys.all)
    range = ValueRange(min: min.value, max: max.value)
  }
}

/// Reads `average` and `window`.
private struct AverageKeys {
  var average: Average?
  var written: Written?

  init(_ reader: MappingReader, _ interval: Field<Duration>) {
    let statistic = reader.read(SensorKeys.average)
    let window = reader.read(SensorKeys.window)
    written = statistic.written
    if window.isWritten, !statistic.isWritten, !statistic.isWrong {
      reader.error(window.written, "a window needs an average; write mean, median, min or max beside it")
    }
    guard let statistic = statistic.value else { return }
    guard let length = window.value else {
      if !window.isWrong { reader.missing(SensorKeys.window.name, "write how long average looks back, such as 1m") }
      return
    }
    if !interval.isWrong {
      if length < interval.value {
        reader.conflict(
          window.written, interval.written,
          "window \(WrittenDuration.text(length)) is shorter than interval \(WrittenDuration.text(interval.value)); "
            + "write a longer window")
      } else if length / interval.value > Double(Average.sampleLimit) {
        reader.conflict(
          window.written, interval.written,
          "window \(WrittenDuration.text(length)) has more than \(Average.sampleLimit) intervals; "
            + "write a longer interval or a shorter window")
      }
    }
    average = Average(statistic: statistic, window: length)
  }
}

/// Spellings of units that others do not know.
enum UnitAdvice {
  static func check(_ unit: String, _ written: Written, _ log: DiagnosticLog) {
    guard let usual = Units.usual(for: unit) else { return }
    log.warning(
      written.value, written.path,
      "\(quoted(unit)) is usually written \(usual), and Home Assistant knows only that; write \(usual)")
  }
}
