import Measuring
import Readings
import Text

/// What drives an output.
package enum OutputType: String, Sendable, CaseIterable {
  case gpio, pwm, led, backlight, fan
}

package enum OutputKeys {
  package static let name = Key(
    required: "name", .name, missing: "write the output's name, such as pump",
    help: "The output's name; the {name} of topics.", example: "pump")
  package static let title = Key(
    optional: "title", .text(bytes: 1...128), help: "The output's name for people; without it, made of name.",
    example: "Pond pump")
  package static let type = Key(
    "type", ValueKind<OutputType>.choice, default: "gpio", help: "The kind of output; all but gpio have values in %.")
  package static let chip = Key(
    optional: "chip", .text(bytes: 1...255),
    help: "Of a line: the chip's label, name or path, as for inputs; of a fan: the hwmon chip's name.",
    example: "pinctrl-bcm2711")
  package static let device = Key(
    optional: "device", ValueKind<String>.devicePath,
    help: "The path of the chip's device, or the end of it, such as 1-0020; needed with pwm.", example: "1-0020")
  package static let line = Key(
    optional: "line", ValueKind<GPIOInput.Line>.line, help: "Of a gpio: the line's name, or its offset in chip.",
    example: "GPIO27")
  package static let pull = Key(
    "pull", ValueKind<GPIOInput.Bias>.choice, default: "as-is",
    help: "Of a gpio: the line's bias, for when nothing drives it.")
  static let activeLow = Key(
    "active_low", .boolean, default: "false", help: "On is a low level; of a pwm: the time that the signal is low.")
  package static let drive = Key(
    "drive", ValueKind<GPIOOutput.Drive>.choice, default: "push-pull",
    help: "Of a gpio: which levels limpet drives; for the other one it releases the line.")
  package static let channel = Key(
    optional: "channel", .text(bytes: 1...31), help: "Of a pwm: its number; of a fan: pwm1, pwm2 and so on.",
    example: "pwm1")
  package static let led = Key(
    optional: "led", .text(bytes: 1...255), help: "Of a led: its name in /sys/class/leds.", example: "ACT")
  package static let backlight = Key(
    optional: "backlight", .text(bytes: 1...255), help: "Of a backlight: its name in /sys/class/backlight.",
    example: "10-0045")
  package static let frequency = Key(
    optional: "frequency", .number, help: "Of a pwm: in Hz, 0.1 to 1000000.", example: "1000")
  package static let min = Key(
    "min", .number, default: "0", help: "The least value in % that is not off; not for gpio.")
  package static let max = Key("max", .number, default: "100", help: "The value in % that on is; not for gpio.")
  package static let ramp = Key(
    "ramp", .duration(.zero...(.hours(1)), unit: "s"), default: "0s",
    help:
      "How long the way from 0 to 100 % takes by a command, and as much less as it is shorter; what makes it safe takes "
      + "none. Not for gpio.")
  package static let start = Key(
    "start", ValueKind<OutputRules.Start>.choice, default: "off",
    help: "Its value when limpet starts, or its line comes back; restore: the last plain on or off.")
  package static let stop = Key(
    optional: "stop", ValueKind<OutputRules.Stop>.choice,
    help: "Its value when limpet stops, however that comes; keep: left as it is; off, and auto for a fan.",
    example: "off")
  package static let maxOn = Key(
    optional: "max_on", .duration(.milliseconds(10)...(.days(365)), unit: "m"),
    help: "How long it may be on without a break, whoever wants it.", example: "10m")
  package static let minOn = Key(
    "min_on", .duration(.zero...(.days(1)), unit: "s"), default: "0s",
    help: "How long it stays on at the least; a command to go off waits.")
  package static let minOff = Key(
    "min_off", .duration(.zero...(.days(1)), unit: "s"), default: "0s",
    help: "How long it stays off at the least; limpet refuses a command to go on.")
  package static let interlock = Key(
    optionalList: "interlock", .name, help: "Outputs that are never on together with this one.", example: "drain")
  package static let deadTime = Key(
    "dead_time", .duration(.zero...(.hours(1)), unit: "s"), default: "0s",
    help: "How long an interlocked output has been off before this one goes on.")
  package static let pulse = Key(
    optional: "pulse", .duration(.milliseconds(1)...(.days(1)), unit: "ms"),
    help: "On lasts this long, and is not extended by another on.", example: "500ms")
  package static let queued = Key(
    "queued", ValueKind<QueuedCommands>.choice, default: "refuse",
    help: "What limpet does with commands that waited at the broker while it was away.")
  package static let maxAge = Key(
    optional: "max_age", .duration(.seconds(1)...(.days(1)), unit: "s"),
    help: "A command must carry its time; limpet refuses an older one.", example: "30s")
  package static let maxRate = Key(
    "max_rate", .integer(1...1000), default: "10",
    help: "Commands a second; limpet always obeys what makes the output safe.")
  static let lostName = "lost"

  package static let examples = [
    "{name: pump, line: GPIO27, max_on: 10m, min_off: 5s, lost: {after: 2m, state: off}}",
    "{name: gate, line: GPIO22, active_low: true, drive: open-drain, pulse: 500ms}",
    "{name: heater_fan, type: pwm, device: 1-0040, channel: 0, frequency: 1000, min: 20}",
    "{name: status_led, type: led, led: ACT}",
  ]

  package static let all: [Declaration] = [
    name.declaration, title.declaration, type.declaration, chip.declaration, device.declaration, line.declaration,
    pull.declaration,
    activeLow.declaration, drive.declaration, channel.declaration, led.declaration, backlight.declaration,
    frequency.declaration, min.declaration, max.declaration, ramp.declaration, start.declaration, stop.declaration,
    .section(lostName, LostKeys.all, help: "Its value when its controller is silent."),
    maxOn.declaration, minOn.declaration, minOff.declaration, interlock.declaration, deadTime.declaration,
    pulse.declaration, queued.declaration, maxAge.declaration, maxRate.declaration,
    OutputEntityKeys.section,
  ]
}

/// What becomes of commands that waited.
package enum QueuedCommands: String, Sendable, CaseIterable {
  case refuse, obey
}

package enum OnOff: String, Sendable, CaseIterable {
  case on, off
}

package enum LostKeys {
  package static let after = Key(
    required: "after", .duration(.seconds(1)...(.days(7)), unit: "m"), missing: "write how long, such as 2m",
    help: "How long the broker, or heartbeat, is silent.", example: "2m")
  package static let state = Key(
    "state", ValueKind<OnOff>.choice, default: "off", help: "The output's value then.")
  package static let heartbeat = Key(
    optional: "heartbeat", .topic(.device),
    help: "Only messages on this topic count, and none that was retained; without it, every byte of the broker.",
    example: "home/alive")

  package static let all = [after.declaration, state.declaration, heartbeat.declaration]
}
