import LimpetText
import Measuring
import Readings

/// An output, which takes commands.
public struct OutputConfiguration: Sendable, Equatable {
  public var name: String
  public var request: OutputRequest
  package var rules: OutputRules
  /// `{device}` is filled in.
  public var heartbeat: TopicTemplate?
  /// How Home Assistant shows it; nil: as its type suggests.
  package var entity: OutputEntity?
  package var presentation = Presentation()

  package init(name: String, request: OutputRequest, rules: OutputRules, heartbeat: TopicTemplate? = nil) {
    self.name = name
    self.request = request
    self.rules = rules
    self.heartbeat = heartbeat
  }
}

/// Reads `outputs`.
struct OutputSection {
  private(set) var outputs: [OutputConfiguration] = []
  /// Their `name` keys.
  private(set) var names: [NamedReading] = []
  private var interlocks: [Interlock] = []
  /// The positions of keys that a board may object to, by an output's name.
  private(set) var places: [String: [BoardObjection.Key: Written]] = [:]

  /// - Parameters:
  ///   - keepalive: decides how soon limpet notices at the earliest that the broker is gone.
  ///   - commands: whether limpet subscribes to commands.
  ///   - lines: of the inputs: a line can be requested once.
  init(
    _ readers: [MappingReader], keepalive: Field<Duration>, commands: Field<OnOff>,
    lines: [(input: GPIOInput, written: Written)]
  ) {
    for reader in readers { read(reader, LostBounds(keepalive: keepalive, commands: commands), lines) }
    Interlock.check(interlocks, known: Set(names.map(\.name)))
  }

  private mutating func read(
    _ reader: MappingReader, _ bounds: LostBounds, _ lines: [(input: GPIOInput, written: Written)]
  ) {
    let name = reader.read(OutputKeys.name)
    let type = reader.read(OutputKeys.type)
    let request = RequestReader(reader, type)
    var rules = OutputRules()
    var interlock = Interlock(reader)
    let heartbeat = readRules(reader, type, bounds, &rules, &interlock)
    let shown = OutputEntitySection(reader, type)
    rules.interlock = interlock.names.filter { !$0.isWrong }.map(\.value)
    reader.reject(unknownTo: OutputKeys.all)
    if let request = request.request, let written = request.written ?? name.written {
      check(request.value, written, lines, reader)
    }
    guard let text = name.value, let written = name.written else { return }
    if text == Self.reserved {
      reader.error(written, "\(quoted(text)) is a name that limpet needs for itself; write another")
    }
    names.append(NamedReading(name: text, written: written, uniqueID: shown.uniqueID))
    interlock.owner = text
    interlocks.append(interlock)
    if let request = request.request {
      var output = OutputConfiguration(name: text, request: request.value, rules: rules, heartbeat: heartbeat)
      output.entity = shown.entity
      output.presentation = shown.presentation
      outputs.append(output)
      let stop = reader.position(of: OutputKeys.stop.name).map {
        Written(path: reader.path(to: OutputKeys.stop.name), key: $0, value: $0)
      }
      places[text] = [.line: request.written ?? written, .stop: stop ?? written]
    }
  }

  /// `limpet/{device}/fence/set` separates old commands from new ones.
  private static let reserved = "fence"

  /// A line can be requested once; of two outputs of one line `run` drives the first, and `check` says so.
  private func check(
    _ request: OutputRequest, _ written: Written, _ lines: [(input: GPIOInput, written: Written)],
    _ reader: MappingReader
  ) {
    guard case .gpio(let output) = request,
      let other = lines.first(where: { $0.input.line == output.line && $0.input.mayBeOf(output.chip, output.device) })
    else { return }
    reader.error(
      written,
      "it is already used on \(reader.log.line(other.written.key, seenFrom: written.key)); "
        + "write another, or remove one of the entries")
  }
}

extension OutputSection {
  /// - Returns: the heartbeat's topic.
  private func readRules(
    _ reader: MappingReader, _ type: Field<OutputType>, _ bounds: LostBounds, _ rules: inout OutputRules,
    _ interlock: inout Interlock
  ) -> TopicTemplate? {
    let start = reader.read(OutputKeys.start)
    let stop = reader.read(OutputKeys.stop)
    let maxOn = reader.read(OutputKeys.maxOn)
    let minOn = reader.read(OutputKeys.minOn)
    let minOff = reader.read(OutputKeys.minOff)
    let deadTime = reader.read(OutputKeys.deadTime)
    let pulse = reader.read(OutputKeys.pulse)
    rules.start = start.value
    rules.stop = stop.value ?? (type.value == .fan ? .automatic : .off)
    rules.maxOn = maxOn.value
    rules.minOn = minOn.value
    rules.minOff = minOff.value
    rules.deadTime = deadTime.value
    rules.pulse = pulse.value
    rules.obeysQueued = reader.read(OutputKeys.queued).value == .obey
    rules.maxAge = reader.read(OutputKeys.maxAge).value
    rules.maxRate = reader.read(OutputKeys.maxRate).value
    if start.value == .restore { interlock.restores = start.written }
    if stop.value == .on { interlock.stopsOn = stop.written }
    if deadTime.value > .zero { interlock.deadTime = deadTime.written }
    let lost = LostSection(reader, bounds)
    rules.lost = lost.lost
    readBounds(reader, type, &rules)
    func clash(_ first: Written?, _ second: Written?, _ text: String) {
      if first != nil, second != nil { reader.conflict(first, second, text) }
    }
    if start.value == .restore {
      clash(
        start.written, maxOn.written, "with start: restore, max_on would begin again at each start; remove one of them")
    }
    if rules.stop == .keep {
      clash(
        stop.written, maxOn.written,
        "stop: keep leaves it on after limpet ends, when nothing watches max_on; remove one of them")
      clash(
        stop.written, lost.written,
        "stop: keep leaves it on after limpet ends, when nothing watches lost; remove one of them")
    }
    if rules.stop == .automatic, type.value != .fan, !type.isWrong {
      reader.error(stop.written, "auto belongs to type fan; write off, on or keep")
    }
    if let longest = maxOn.value, longest < minOn.value {
      reader.conflict(maxOn.written, minOn.written, "max_on is shorter than min_on; write a longer max_on")
    }
    if let pulse = pulse.value, let written = reader.position(of: OutputKeys.pulse.name) {
      let own = Written(path: reader.path(to: OutputKeys.pulse.name), key: written, value: written)
      if let longest = maxOn.value, pulse > longest {
        reader.conflict(own, maxOn.written, "pulse is longer than max_on; write a shorter pulse")
      }
      if pulse < minOn.value {
        reader.conflict(own, minOn.written, "pulse is shorter than min_on; write a longer pulse")
      }
      if start.value == .on { clash(own, start.written, "only a command begins a pulse; remove start, or pulse") }
    }
    if maxOn.value != nil, minOff.value == .zero, let written = maxOn.written {
      reader.log.warning(
        written.key, written.path,
        "without min_off the next command switches it on again at once; write how long it must stay off")
    }
    return lost.heartbeat
  }

  private func readBounds(_ reader: MappingReader, _ type: Field<OutputType>, _ rules: inout OutputRules) {
    let least = reader.read(OutputKeys.min)
    let most = reader.read(OutputKeys.max)
    let ramp = reader.read(OutputKeys.ramp)
    if type.value == .gpio, !type.isWrong {
      for (key, written) in [("min", least.written), ("max", most.written), ("ramp", ramp.written)] {
        reader.error(written, "\(key) belongs to outputs with values in %, not to gpio; remove it")
      }
      return
    }
    for field in [least, most] where !(0...100).contains(field.value) {
      reader.error(field.written, "out of bounds; write 0 to 100")
    }
    if least.value > most.value || most.value == 0 {
      reader.error(least.written ?? most.written, "min is above max, or max is 0; write a smaller min")
    }
    rules.least = OutputLevel(percent: least.value)
    rules.on = OutputLevel(percent: most.value)
    rules.ramp = ramp.value
  }
}

/// What `lost` depends on.
private struct LostBounds {
  let keepalive: Field<Duration>
  let commands: Field<OnOff>
}

/// Reads `lost`.
private struct LostSection {
  var lost: OutputRules.Lost?
  var heartbeat: TopicTemplate?
  /// Where the key stands.
  var written: Written?

  init(_ reader: MappingReader, _ bounds: LostBounds) {
    guard let position = reader.position(of: OutputKeys.lostName) else { return }
    written = Written(path: reader.path(to: OutputKeys.lostName), key: position, value: position)
    let section = reader.section(OutputKeys.lostName)
    let after = section.read(LostKeys.after)
    let state = section.read(LostKeys.state)
    let topic = section.read(LostKeys.heartbeat)
    section.reject(unknownTo: LostKeys.all)
    heartbeat = topic.value
    // The broker may have died just after it answered.
    let least = bounds.keepalive.value * 3 / 2 + .seconds(6)
    if topic.isWritten, bounds.commands.value == .off {
      section.conflict(
        topic.written, bounds.commands.written,
        "with commands: off limpet subscribes to nothing, so it never hears the heartbeat; remove one of them")
    }
    if let time = after.value, !topic.isWrong {
      if bounds.keepalive.value == .zero, topic.value == nil {
        section.conflict(
          after.written, bounds.keepalive.written,
          "with broker.keepalive 0 limpet does not notice a lost broker; write a keepalive, or heartbeat")
      } else if time < least {
        section.conflict(
          after.written, bounds.keepalive.written,
          "limpet notices a lost broker only after up to 1.5 × broker.keepalive + 6 s; write at least "
            + "\(WrittenDuration.text(least)) for lost.after, or a shorter keepalive")
      }
    }
    if let time = after.value { lost = OutputRules.Lost(after: time, isOn: state.value == .on) }
  }
}

/// Reads the type of an output, with the keys that belong to it.
private struct RequestReader {
  var request: (value: OutputRequest, written: Written?)?

  init(_ reader: MappingReader, _ type: Field<OutputType>) {
    let chip = reader.read(OutputKeys.chip)
    let device = reader.read(OutputKeys.device)
    let line = reader.read(OutputKeys.line)
    let pull = reader.read(OutputKeys.pull)
    let activeLow = reader.read(OutputKeys.activeLow)
    let drive = reader.read(OutputKeys.drive)
    let channel = reader.read(OutputKeys.channel)
    let led = reader.read(OutputKeys.led)
    let backlight = reader.read(OutputKeys.backlight)
    let frequency = reader.read(OutputKeys.frequency)
    guard !type.isWrong else { return }
    let owners: [(key: String, written: Written?, types: [OutputType])] = [
      ("chip", chip.written, [.gpio, .fan]), ("device", device.written, [.gpio, .pwm, .fan]),
      ("line", line.written, [.gpio]), ("pull", pull.written, [.gpio]), ("drive", drive.written, [.gpio]),
      ("active_low", activeLow.written, [.gpio, .pwm]), ("channel", channel.written, [.pwm, .fan]),
      ("led", led.written, [.led]), ("backlight", backlight.written, [.backlight]),
      ("frequency", frequency.written, [.pwm]),
    ]
    for (key, written, types) in owners where !types.contains(type.value) {
      reader.error(
        written,
        "\(key) belongs to type \(Suggestion.list(types.map(\.rawValue))), not \(type.value.rawValue); remove it")
    }
    switch type.value {
    case .gpio:
      guard let value = line.value else {
        if !line.isWrong { reader.missing("line", "write a line's name, such as GPIO27, or its offset") }
        return
      }
      request = (
        .gpio(
          GPIOOutput(
            chip: chip.value, device: device.value, line: value, bias: pull.value, isActiveLow: activeLow.value,
            drive: drive.value)), line.written
      )
    case .pwm:
      guard let place = device.value else {
        if !device.isWrong { reader.missing("device", "write the path of the PWM chip's device, or the end of it") }
        return
      }
      guard let number = channel.value.flatMap({ Int($0) }), (0...255).contains(number) else {
        if channel.value == nil, !channel.isWrong { reader.missing("channel", "write the channel's number, such as 0") }
        reader.error(channel.written, "is not a channel of a pwm; write its number, such as 0")
        return
      }
      let hertz = frequency.value ?? 1000
      if !(0.1...1_000_000).contains(hertz) {
        reader.error(frequency.written, "out of bounds; write 0.1 to 1000000 (Hz)")
      }
      request = (
        .pwm(PWMOutput(device: place, channel: number, frequency: hertz, isInverted: activeLow.value)), device.written
      )
    case .led:
      guard let name = led.value else {
        if !led.isWrong { reader.missing("led", "write its name in /sys/class/leds") }
        return
      }
      request = (.led(name), led.written)
    case .backlight:
      guard let name = backlight.value else {
        if !backlight.isWrong { reader.missing("backlight", "write its name in /sys/class/backlight") }
        return
      }
      request = (.backlight(name), backlight.written)
    case .fan:
      guard let name = channel.value else {
        if !channel.isWrong { reader.missing("channel", "write pwm1, or another of the chip") }
        return
      }
      if chip.value == nil, device.value == nil, !chip.isWrong, !device.isWrong {
        reader.missing("chip", "write the hwmon chip's name, or its device")
      }
      request = (.fan(FanOutput(chip: chip.value, device: device.value, channel: name)), channel.written)
    }
  }
}
