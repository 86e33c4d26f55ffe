import Measuring
import Readings
import Text

package enum InputKeys {
  package static let name = Key(
    required: "name", .name, missing: "write what the reading is called, such as door",
    help: "What the reading is called; the {name} of topics.", example: "door")
  package static let chip = Key(
    optional: "chip", .text(bytes: 1...255),
    help: "The chip's label, name or path; without it, the line's name decides, or an offset is the board's header.",
    example: "pinctrl-bcm2711")
  package static let device = Key(
    optional: "device", ValueKind<String>.devicePath,
    help: "Of several chips of one label: the path of the chip's device, or the end of it, such as 1-0020.",
    example: "1-0020")
  package static let poll = Key(
    optional: "poll", .duration(.milliseconds(5)...(.minutes(1)), unit: "ms"),
    help:
      "How often the level is looked at on a line without an interrupt, 20ms unless written; shorter pulses are missed.",
    example: "20ms")
  package static let line = Key(
    required: "line", ValueKind<GPIOInput.Line>.line,
    missing: "write a line's name, such as GPIO17, or its offset",
    help: "The line's name, or its offset in chip.", example: "GPIO17")
  package static let pull = Key(
    "pull", ValueKind<GPIOInput.Bias>.choice, default: "as-is",
    help: "The line's bias; without effect where the chip's driver has none, which the kernel does not say.")
  static let activeLow = Key("active_low", .boolean, default: "false", help: "A low level is true.")
  package static let debounce = Key(
    "debounce", .duration(.zero...(.hours(1)), unit: "ms"), default: "0s",
    help: "How long a level must hold to be believed.")
  package static let mode = Key(
    "mode", ValueKind<GPIOInput.Mode>.choice, default: "state",
    help: "state publishes the level, event each edge, counter the total of pulses.")
  package static let on = Key(
    "on", .text(bytes: 1...64), default: LevelTexts().on,
    help: "What stands for true in the format plain; not mode counter.")
  package static let off = Key(
    "off", .text(bytes: 1...64), default: LevelTexts().off,
    help: "What stands for false in the format plain; not mode counter.")
  static let force = Key(
    "force", .boolean, default: "false", help: "A line that is an output, and held by nobody, is made an input.")
  package static let maxRate = Key(
    "max_rate", .integer(1...100_000), default: "2000",
    help: "Readings a second that are published at most; what is more is counted as lost. Not mode counter.")
  package static let retain = Key(
    optional: "retain", .boolean, help: "The server keeps the last reading; true for mode state, else false.",
    example: "true")
  package static let keep = Key(
    "keep", ValueKind<Keep>.choice, default: "all",
    help: "Which readings wait for the broker: all, or only the latest.")
  package static let scale = Key("scale", .scale, default: "1", help: "Units per pulse; mode counter.")
  package static let unit = Key(
    optional: "unit", .text(bytes: 0...64), help: "The unit of a total; mode counter.", example: "L")
  package static let interval = Key(
    "interval", .duration(.milliseconds(10)...(.days(7))), default: "10s",
    help: "How often a total is published; mode counter.")

  package static let examples = [
    "{name: door, line: GPIO17, pull: up, active_low: true, debounce: 20ms}",
    "{name: float_switch, device: 1-0020, line: 3, pull: up}",
    "{name: button, chip: pinctrl-bcm2711, line: 27, mode: event}",
    "{name: water, line: GPIO4, mode: counter, scale: 0.5, unit: L, interval: 10s}",
  ]

  package static let all: [Declaration] = [
    name.declaration, chip.declaration, device.declaration, line.declaration, pull.declaration, activeLow.declaration,
    debounce.declaration, poll.declaration, mode.declaration, on.declaration, off.declaration, force.declaration,
    maxRate.declaration, retain.declaration, keep.declaration, scale.declaration, unit.declaration,
    interval.declaration,
  ]
}

extension ValueKind where Value == GPIOInput.Line {
  /// Digits alone are an offset, anything else a name, which the kernel cuts at 31 bytes (GPIO_MAX_NAME_SIZE).
  package static let line = ValueKind(.text(bytes: 1...31)) { text throws(Mismatch) in
    if !text.isEmpty, text.unicodeScalars.allSatisfy(\.isDigit) {
      guard let offset = UInt32(text), offset <= 65535 else {
        throw Mismatch(message: "\(quoted(text)) is no offset of a chip; write 0 to 65535, or a line's name")
      }
      return .offset(offset)
    }
    // It would be looked for as a name, and only on the board be found to be none.
    if text.first == "-", text.dropFirst().unicodeScalars.allSatisfy(\.isDigit), text.utf8.count > 1 {
      throw Mismatch(message: "\(quoted(text)) is no offset of a chip, they count from 0; write 0 to 65535")
    }
    return .name(try ValueKind<String>.text(bytes: 1...31).parse(text))
  }
}

/// Reads `inputs`.
struct InputSection {
  private(set) var inputs: [InputConfiguration] = []
  /// Their `name` keys.
  private(set) var names: [NamedReading] = []
  private var lines: [(input: GPIOInput, written: Written)] = []

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
    let on = reader.read(InputKeys.on)
    let off = reader.read(InputKeys.off)
    let maxRate = reader.read(InputKeys.maxRate)
    let gpio = GPIOInput(
      chip: reader.read(InputKeys.chip).value, device: reader.read(InputKeys.device).value,
      line: line.value ?? .offset(0),
      bias: reader.read(InputKeys.pull).value, isActiveLow: reader.read(InputKeys.activeLow).value,
      debounce: reader.read(InputKeys.debounce).value, mode: mode.value,
      isForced: reader.read(InputKeys.force).value, maxRate: maxRate.value,
      poll: reader.read(InputKeys.poll).value)
    let input = InputConfiguration(
      name: name.value ?? "", gpio: gpio, levels: LevelTexts(on: on.value, off: off.value),
      isRetained: reader.read(InputKeys.retain).value ?? (mode.value == .state),
      scale: scale.value, unit: unit.value, interval: interval.value,
      keep: reader.read(InputKeys.keep).value)
    if on.value == off.value, !on.isWrong, !off.isWrong {
      reader.conflict(on.written, off.written, "on and off are the same text; write another for one of them")
    }
    if !mode.isWrong {
      let counters = [("scale", scale.written), ("unit", unit.written), ("interval", interval.written)]
      let levels = [("on", on.written), ("off", off.written), ("max_rate", maxRate.written)]
      let isCounter = mode.value == .counter
      for (key, written) in isCounter ? levels : counters where written != nil {
        reader.conflict(
          written, mode.written,
          isCounter
            ? "\(key) belongs to modes state and event, not counter; remove it"
            : "\(key) belongs to mode counter, not \(mode.value.rawValue); remove it, or write mode: counter")
      }
    }
    reader.reject(unknownTo: InputKeys.all)
    if let written = line.written { check(gpio, written, reader) }
    if let text = name.value, let written = name.written {
      names.append(NamedReading(name: text, written: written))
      inputs.append(input)
    }
  }

  /// A line can be requested once.
  private mutating func check(_ input: GPIOInput, _ written: Written, _ reader: MappingReader) {
    let same = lines.first { other in
      guard other.input.line == input.line else { return false }
      // A name without a chip is looked for on all of them.
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
