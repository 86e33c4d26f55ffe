import LimpetText
import Measuring
import Readings

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
    "type", ValueKind<OutputType>.choice.withAdvice(Synonyms.outputTypes), default: "gpio",
    help: "The kind of output; all but gpio have values in %.")
  package static let chip = Key(
    optional: "chip", .text(bytes: 1...255),
    help: "For gpio: the chip's label, name or path, as for inputs; for fan: the hwmon chip's name.",
    example: "pinctrl-bcm2711")
  package static let device = Key(
    optional: "device", ValueKind<String>.devicePath,
    help: "The path of the chip's device, or the end of it, such as 1-0020; needed with pwm.", example: "1-0020")
  package static let line = Key(
    optional: "line", ValueKind<GPIOInput.Line>.line, help: "For gpio: the line's name, or its offset in chip.",
    example: "GPIO27")
  package static let pull = Key(
    "pull", ValueKind<GPIOInput.Bias>.choice, default: "as-is",
    help: "For gpio: the line's bias while nothing drives it.")
  static let activeLow = Key(
    "active_low", .boolean, default: "false", help: "A low level is on; for pwm: the low part of the signal counts.")
  package static let drive = Key(
    "drive", ValueKind<GPIOOutput.Drive>.choice, default: "push-pull",
    help: "For gpio: the levels that limpet drives; for the other one it lets go of the line.")
  package static let channel = Key(
    optional: "channel", .text(bytes: 1...31), help: "For pwm: the channel's number; for fan: pwm1, pwm2 and so on.",
    example: "pwm1")
  package static let led = Key(
    optional: "led", .text(bytes: 1...255), help: "For led: its name in /sys/class/leds.", example: "ACT")
  package static let backlight = Key(
    optional: "backlight", .text(bytes: 1...255), help: "For backlight: its name in /sys/class/backlight.",
    example: "10-0045")
  package static let frequency = Key(
    optional: "frequency", .number, help: "For pwm: in Hz, 0.1 to 1000000.", example: "1000")
  package static let min = Key(
    "min", .number, default: "0", help: "The lowest value in % other than off; not for gpio.")
  package static let max = Key("max", .number, default: "100", help: "The value in % that on means; not for gpio.")
  package static let ramp = Key(
    "ramp", .duration(.zero...(.hours(1)), unit: "s"), default: "0s",
    help:
      "How long a change from 0 to 100 % takes after a command; a smaller change takes proportionally less, and one that "
      + "makes the output safe is immediate. Not for gpio.")
  package static let start = Key(
    "start", ValueKind<OutputRules.Start>.choice.withAdvice(Synonyms.levels), default: OutputRules().start.rawValue,
    help: "Its value when limpet starts or its line comes back; restore: the last on or off that was commanded "
      + "without a time.")
  package static let stop = Key(
    optional: "stop", ValueKind<OutputRules.Stop>.choice,
    help: "Its value when limpet stops, for whatever reason; keep leaves it as it is. Without it: off, and auto for "
      + "a fan.",
    example: "off")
  package static let maxOn = Key(
    optional: "max_on", .duration(.milliseconds(10)...(.days(365)), unit: "m"),
    help: "The longest time that it may be on without a break, whoever commands it.", example: "10m")
  package static let minOn = Key(
    "min_on", .duration(.zero...(.days(1)), unit: "s"), default: "0s",
    help: "The shortest time that it stays on; a command to switch it off waits.")
  package static let minOff = Key(
    "min_off", .duration(.zero...(.days(1)), unit: "s"), default: "0s",
    help: "The shortest time that it stays off; limpet refuses commands to switch it on.")
  package static let interlock = Key(
    optionalList: "interlock", .name, help: "Outputs that are never on together with this one.", example: "drain")
  package static let deadTime = Key(
    "dead_time", .duration(.zero...(.hours(1)), unit: "s"), default: "0s",
    help: "How long interlocked outputs must have been off before this one goes on.")
  package static let pulse = Key(
    optional: "pulse", .duration(.milliseconds(1)...(.days(1)), unit: "ms"),
    help: "On lasts this long; another on does not extend it.", example: "500ms")
  package static let queued = Key(
    "queued", ValueKind<QueuedCommands>.choice, default: "refuse",
    help: "What limpet does with commands that waited at the broker while it was away.")
  package static let maxAge = Key(
    optional: "max_age", .duration(.seconds(1)...(.days(1)), unit: "s"),
    help: "Commands must carry their time; limpet refuses those that are older than this.", example: "30s")
  package static let maxRate = Key(
    "max_rate", .integer(1...1000), default: String(OutputRules().maxRate),
    help: "The most commands a second; limpet always obeys one that makes the output safe.")
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

/// What happens to commands that waited.
package enum QueuedCommands: String, Sendable, CaseIterable {
  case refuse, obey
}

package enum OnOff: String, Sendable, CaseIterable {
  case on, off
}

package enum LostKeys {
  package static let after = Key(
    required: "after", .duration(.seconds(1)...(.days(7)), unit: "m"), missing: "write how long, such as 2m",
    help: "How long the broker, or heartbeat, must be silent.", example: "2m")
  package static let state = Key(
    "state", ValueKind<OnOff>.choice, default: "off", help: "The output's value then.")
  package static let heartbeat = Key(
    optional: "heartbeat", .topic(.device),
    help: "Only live messages on this topic count, not retained ones; without it, everything that the broker sends.",
    example: "home/alive")

  package static let all = [after.declaration, state.declaration, heartbeat.declaration]
}
