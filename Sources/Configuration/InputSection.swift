import LimpetText
import Measuring
import Readings

package enum InputKeys {
  package static let name = Key(
    required: "name", .name, missing: "write the reading's name, such as door",
    help: "The reading's name; the {name} of topics.", example: "door")
  package static let chip = Key(
    optional: "chip", .text(bytes: 1...255),
    help: "The chip's label, name or path. Without it, limpet finds a line by its name; an offset is one of the "
      + "board's header.",
    example: "pinctrl-bcm2711")
  package static let device = Key(
    optional: "device", ValueKind<String>.devicePath,
    help: "Of several chips of one label: the path of the chip's device, or the end of it, such as 1-0020.",
    example: "1-0020")
  package static let poll = Key(
    optional: "poll", .duration(.milliseconds(5)...(.minutes(1)), unit: "ms"),
    help:
      "How often limpet looks at a line without an interrupt, 20ms unless written; it misses shorter pulses.",
    example: "20ms")
  package static let line = Key(
    required: "line", ValueKind<GPIOInput.Line>.line,
    missing: "write a line's name, such as GPIO17, or its offset",
    help: "The line's name, or its offset in chip.", example: "GPIO17")
  package static let lineB = Key(
    optional: "line_b", ValueKind<GPIOInput.Line>.line,
    help: "The second line of an encoder, of the same chip; mode encoder.", example: "GPIO6")
  package static let pull = Key(
    "pull", ValueKind<GPIOInput.Bias>.choice.withAdvice(Synonyms.pulls), default: "as-is",
    help: "The line's bias; no effect if the chip's driver cannot set one, which the kernel does not report.")
  static let activeLow = Key("active_low", .boolean, default: "false", help: "A low level is true.")
  package static let debounce = Key(
    "debounce", .duration(.zero...(.hours(1)), unit: "ms"), default: "0s",
    help: "How long a level must last before limpet accepts it.")
  package static let mode = Key(
    "mode", ValueKind<GPIOInput.Mode>.choice.withAdvice(Synonyms.modes), default: "state",
    help:
      "state publishes the level; event, each edge; counter, the total of pulses; frequency, pulses a second; duty, the "
      + "share of time that the line is true; pulse_width, how long it is true; gesture, the presses of a button (single, "
      + "double or long); encoder, the position of a knob with two lines.")
  package static let on = Key(
    "on", .text(bytes: 1...64), default: LevelTexts().on,
    help: "The payload for true in the format plain; modes state and event.")
  package static let off = Key(
    "off", .text(bytes: 1...64), default: LevelTexts().off,
    help: "The payload for false in the format plain; modes state and event.")
  package static let payloadOn = Key(
    optional: "payload_on", .text(bytes: 1...64), help: "The same as on, which some YAML readers treat as true.",
    example: "ON")
  package static let payloadOff = Key(
    optional: "payload_off", .text(bytes: 1...64), help: "The same as off, which some YAML readers treat as false.",
    example: "OFF")
  static let force = Key(
    "force", .boolean, default: "false", help: "Make an output line that nobody holds an input.")
  package static let maxRate = Key(
    "max_rate", .integer(1...100_000), default: "2000",
    help: "The most readings a second; limpet counts further ones as lost. Modes state, event and gesture.")
  package static let retain = Key(
    optional: "retain", .boolean, help: "The broker keeps the last reading; true for mode state, else false.",
    example: "true")
  package static let keep = Key(
    "keep", ValueKind<Keep>.choice, default: "all",
    help: "Which readings wait for the broker: all, or only the latest.")
  package static let scale = Key(
    "scale", .scale, default: "1",
    help: "Units per pulse or step; in modes frequency and pulse_width a factor for the value.")
  package static let unit = Key(
    optional: "unit", .text(bytes: 0...64),
    help: "The unit of a total; of a frequency Hz unless written, where rpm counts by the minute; ms, s or µs of a "
      + "pulse_width, ms unless written.", example: "L")
  package static let interval = Key(
    "interval", .duration(.milliseconds(10)...(.days(7))), default: "10s",
    help:
      "How often limpet publishes the value; modes counter, frequency, duty and pulse_width, and encoder where it has moved."
  )
  package static let pulses = Key(
    "pulses", .integer(1...100_000), default: "1",
    help: "How many pulses are one turn; mode frequency.", example: "2")
  package static let stepsPerPeriod = Key(
    "steps_per_period", ValueKind<String>.word(of: ["1", "2", "4"]), default: "1",
    help: "Steps in one period of the two lines, in which each rises and falls once; mode encoder.")
  package static let double = Key(
    "double", .duration(.zero...(.seconds(10)), unit: "ms"),
    default: WrittenDuration.text(GPIOInput.GestureTimes().double),
    help: "A second press that begins within this time makes a double press; with 0s every press is single, at once. "
      + "Mode gesture.")
  package static let long = Key(
    "long", .duration(.milliseconds(50)...(.minutes(1)), unit: "ms"),
    default: WrittenDuration.text(GPIOInput.GestureTimes().long),
    help: "A press that lasts this long is a long one; mode gesture.")

  package static let examples = [
    "{name: door, line: GPIO17, pull: up, active_low: true, debounce: 20ms}",
    "{name: float_switch, device: 1-0020, line: 3, pull: up}",
    "{name: button, chip: pinctrl-bcm2711, line: 27, mode: event}",
    "{name: water, line: GPIO4, mode: counter, scale: 0.5, unit: L, interval: 10s}",
    "{name: fan, line: GPIO22, pull: up, mode: frequency, pulses: 2, unit: rpm}",
    "{name: heater, line: GPIO23, mode: duty, interval: 1m}",
    "{name: knob, line: GPIO5, line_b: GPIO6, pull: up, mode: encoder, interval: 100ms}",
    "{name: bell, line: GPIO24, pull: up, active_low: true, debounce: 10ms, mode: gesture, long: 1s}",
  ]

  package static let all: [Declaration] = [
    name.declaration, chip.declaration, device.declaration, line.declaration, lineB.declaration, pull.declaration,
    activeLow.declaration, debounce.declaration, poll.declaration, mode.declaration, on.declaration, off.declaration,
    payloadOn.declaration, payloadOff.declaration, force.declaration, maxRate.declaration, retain.declaration,
    keep.declaration, scale.declaration, unit.declaration, interval.declaration, pulses.declaration,
    stepsPerPeriod.declaration, double.declaration, long.declaration, EntityKeys.title.declaration, EntityKeys.section,
  ]

  /// The modes that some keys belong to; the others belong to all.
  static let modes: [(key: String, modes: [GPIOInput.Mode])] = [
    (on.declaration.name, [.state, .event]), (off.declaration.name, [.state, .event]),
    (maxRate.declaration.name, [.state, .event, .gesture]),
    (scale.declaration.name, [.counter, .frequency, .pulseWidth, .encoder]),
    (unit.declaration.name, [.counter, .frequency, .pulseWidth, .encoder]),
    (interval.declaration.name, GPIOInput.Mode.allCases.filter(\.isSummed)),
    (pulses.declaration.name, [.frequency]),
    (double.declaration.name, [.gesture]), (long.declaration.name, [.gesture]),
    (lineB.declaration.name, [.encoder]), (stepsPerPeriod.declaration.name, [.encoder]),
    // An encoder's bounces cancel out, and its edges are too quick for polling.
    (debounce.declaration.name, GPIOInput.Mode.allCases.filter { $0 != .encoder }),
    (poll.declaration.name, GPIOInput.Mode.allCases.filter { $0 != .encoder }),
  ]
}

extension GPIOInput.Mode {
  /// The default unit of the value.
  fileprivate var unit: String? {
    switch self {
    case .frequency: "Hz"
    case .duty: "%"
    case .pulseWidth: PulseWidthUnit.milliseconds.rawValue
    case .state, .event, .counter, .gesture, .encoder: nil
    }
  }
}

extension ValueKind where Value == GPIOInput.Line {
  /// Digits alone are an offset, anything else a name, which the kernel cuts at 31 bytes (GPIO_MAX_NAME_SIZE).
  package static let line = ValueKind(.text(bytes: 1...31)) { text throws(Mismatch) in
    if !text.isEmpty, text.unicodeScalars.allSatisfy(\.isDigit) {
      guard let offset = UInt32(text), offset <= 65535 else {
        throw Mismatch(message: "\(quoted(text)) is not an offset; write 0 to 65535, or a line's name")
      }
      return .offset(offset)
    }
    // It would count as a name, and only the board would show that there is no such line.
    if text.first == "-", text.dropFirst().unicodeScalars.allSatisfy(\.isDigit), text.utf8.count > 1 {
      throw Mismatch(message: "\(quoted(text)) is not an offset: lines count from 0; write 0 to 65535")
    }
    return .name(try ValueKind<String>.text(bytes: 1...31).parse(text))
  }
}

/// Reads `inputs`.
struct InputSection {
  private(set) var inputs: [InputConfiguration] = []
  /// Their `name` keys.
  private(set) var names: [NamedReading] = []
  private(set) var lines: [(input: GPIOInput, written: Written)] = []

  init(_ readers: [MappingReader]) {
    for reader in readers { read(reader) }
  }

  private mutating func read(_ reader: MappingReader) {
    let name = reader.read(InputKeys.name)
    let line = reader.read(InputKeys.line)
    let mode = reader.read(InputKeys.mode)
    let scale = reader.read(InputKeys.scale)
    let unit = reader.read(InputKeys.unit)
    let interval = reader.read(InputKeys.interval)
    let lineB = reader.read(InputKeys.lineB)
    let debounce = reader.read(InputKeys.debounce)
    let poll = reader.read(InputKeys.poll)
    let stepsPerPeriod = reader.read(InputKeys.stepsPerPeriod)
    let pulses = reader.read(InputKeys.pulses)
    let double = reader.read(InputKeys.double)
    let long = reader.read(InputKeys.long)
    let on = Self.text(InputKeys.on, or: InputKeys.payloadOn, reader)
    let off = Self.text(InputKeys.off, or: InputKeys.payloadOff, reader)
    let maxRate = reader.read(InputKeys.maxRate)
    let gpio = GPIOInput(
      chip: reader.read(InputKeys.chip).value, device: reader.read(InputKeys.device).value,
      line: line.value ?? .offset(0),
      bias: reader.read(InputKeys.pull).value, isActiveLow: reader.read(InputKeys.activeLow).value,
      debounce: debounce.value, mode: mode.value,
      isForced: reader.read(InputKeys.force).value, maxRate: maxRate.value,
      poll: poll.value,
      gesture: GPIOInput.GestureTimes(double: double.value, long: long.value), secondLine: lineB.value)
    let presentation = PresentationSection(reader)
    var input = InputConfiguration(
      name: name.value ?? "", gpio: gpio, levels: LevelTexts(on: on.value, off: off.value),
      isRetained: reader.read(InputKeys.retain).value ?? (mode.value == .state),
      scale: scale.value, unit: unit.value ?? mode.value.unit, interval: interval.value, pulses: pulses.value,
      stepsPerPeriod: Int(stepsPerPeriod.value) ?? 1,
      keep: reader.read(InputKeys.keep).value)
    input.presentation = presentation.presentation
    if mode.value != .state, !mode.isWrong {
      reader.error(presentation.platform, "as belongs to mode state, not \(mode.value.rawValue); remove it")
    }
    if on.value == off.value, !on.isWrong, !off.isWrong {
      reader.conflict(on.written, off.written, "on and off are the same text; write another for one of them")
    }
    if let text = unit.value, let written = unit.written { UnitAdvice.check(text, written, reader.log) }
    if let name = presentation.presentation.deviceClass, !mode.isWrong, !unit.isWrong {
      let kind = presentation.presentation.platform == .sensor ? .sensor : mode.value.entity
      let text = DeviceClasses.objection(
        to: name, as: kind, unit: mode.value == .state ? nil : input.unit ?? "", mayBeBinary: false)
      if let text { reader.error(presentation.deviceClass, text) }
    }
    if !mode.isWrong {
      let written = [
        on.written, off.written, maxRate.written, scale.written, unit.written, interval.written, pulses.written,
        double.written, long.written, lineB.written, stepsPerPeriod.written, debounce.written, poll.written,
      ]
      for ((key, modes), written) in zip(InputKeys.modes, written) where written != nil && !modes.contains(mode.value) {
        reader.conflict(written, mode.written, Self.misplaced(key, modes, mode.value))
      }
      if mode.value == .encoder, lineB.written == nil {
        reader.missing("line_b", "an encoder has two lines; write line_b: too")
      }
      if mode.value == .pulseWidth, let text = unit.value, PulseWidthUnit(rawValue: text) == nil, !unit.isWrong {
        reader.conflict(unit.written, mode.written, "\(quoted(text)) is not a unit of pulse_width; write ms, s or µs")
      }
    }
    reader.reject(unknownTo: InputKeys.all)
    if let written = line.written { check(gpio, written, reader) }
    if let second = gpio.second, let written = lineB.written { check(second, written, reader) }
    if let text = name.value, let written = name.written {
      names.append(NamedReading(name: text, written: written, uniqueID: presentation.uniqueID))
      inputs.append(input)
    }
  }

  /// Two names of one key.
  private static func text(_ key: Key<String>, or other: Key<String?>, _ reader: MappingReader) -> Field<String> {
    let (first, second) = (reader.read(key), reader.read(other))
    guard let text = second.value, let written = second.written else { return first }
    if let before = first.written {
      let (one, two) = (key.declaration.name, other.declaration.name)
      reader.conflict(before, written, "\(one) and \(two) are the same; remove one of them")
    }
    return Field(value: text, written: written)
  }

  private static func misplaced(_ key: String, _ modes: [GPIOInput.Mode], _ mode: GPIOInput.Mode) -> String {
    let words = modes.map(\.rawValue)
    let owners =
      words.count == 1
      ? "mode \(words[0])" : "modes \(words.dropLast().joined(separator: ", ")) and \(words.last ?? "")"
    let advice = words.count == 1 ? ", or write mode: \(words[0])" : ", or write one of those"
    return "\(key) belongs to \(owners), not \(mode.rawValue); remove it" + advice
  }

  /// A line can be requested once.
  private mutating func check(_ input: GPIOInput, _ written: Written, _ reader: MappingReader) {
    let same = lines.first { other in
      guard other.input.line == input.line else { return false }
      // A name without a chip is searched on all chips.
      if case .name = input.line, !other.input.isOfOneChip || !input.isOfOneChip { return true }
      return other.input.chip == input.chip && other.input.device == input.device
    }
    if let same {
      reader.error(
        written,
        "the line is already used on \(reader.log.line(same.written.key, seenFrom: written.key)); "
          + "write another, or remove one of the entries")
    }
    lines.append((input, written))
  }
}

extension GPIOInput.Mode {
  /// What Home Assistant shows it as.
  fileprivate var entity: DeviceClasses.Kind {
    switch self {
    case .state: .binarySensor
    case .event, .gesture: .event
    case .counter, .frequency, .duty, .pulseWidth, .encoder: .sensor
    }
  }
}
