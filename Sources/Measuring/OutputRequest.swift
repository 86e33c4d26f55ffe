/// How to request and drive one output.
public enum OutputRequest: Sendable, Hashable {
  case gpio(GPIOOutput)
  case pwm(PWMOutput)
  /// An LED by its name in /sys/class/leds.
  case led(String)
  /// A backlight by its name in /sys/class/backlight.
  case backlight(String)
  case fan(FanOutput)
}

/// A line that is driven.
public struct GPIOOutput: Sendable, Hashable {
  public enum Drive: String, Sendable, CaseIterable {
    /// High and low are driven.
    case pushPull = "push-pull"
    /// Low is driven; for high the line floats.
    case openDrain = "open-drain"
    /// High is driven; for low the line floats.
    case openSource = "open-source"
  }

  /// A chip's label, name or path; nil: every chip is searched for the line's name, and an offset is of the board's
  /// header.
  public var chip: String?
  /// Of chips that have one label: the path of the chip's device, or the end of it, `1-0020`.
  public var device: String?
  public var line: GPIOInput.Line
  public var bias: GPIOInput.Bias
  /// On is a low level.
  public var isActiveLow: Bool
  /// How the line is driven, after ``isActiveLow`` was applied.
  public var drive: Drive

  public init(
    chip: String?, device: String? = nil, line: GPIOInput.Line, bias: GPIOInput.Bias = .asIs, isActiveLow: Bool = false,
    drive: Drive = .pushPull
  ) {
    self.chip = chip
    self.device = device
    self.line = line
    self.bias = bias
    self.isActiveLow = isActiveLow
    self.drive = drive
  }
}

/// A channel of a PWM chip (/sys/class/pwm).
public struct PWMOutput: Sendable, Hashable {
  /// The chip by the path of its device, or the end of it: the kernel numbers PWM chips anew at each boot.
  public var device: String
  public var channel: Int
  /// In Hz.
  public var frequency: Double
  /// The duty is the time that the signal is low.
  public var isInverted: Bool

  public init(device: String, channel: Int, frequency: Double, isInverted: Bool = false) {
    self.device = device
    self.channel = channel
    self.frequency = frequency
    self.isInverted = isInverted
  }
}

/// A channel of a hwmon chip that drives a fan.
public struct FanOutput: Sendable, Hashable {
  /// The chip's name.
  public var chip: String?
  /// Of chips that have one name: the path of the chip's device, or the end of it.
  public var device: String?
  /// `pwm1`.
  public var channel: String

  public init(chip: String?, device: String? = nil, channel: String) {
    self.chip = chip
    self.device = device
    self.channel = channel
  }
}

/// How far an output is on.
public struct OutputLevel: Sendable, Hashable, Comparable {
  /// 0 to 100; a GPIO line is one or the other.
  public var percent: Double

  public init(percent: Double) { self.percent = percent }

  public static let off = OutputLevel(percent: 0)
  public static let on = OutputLevel(percent: 100)

  /// Any value above 0 is on.
  public var isOn: Bool { percent > 0 }

  public static func < (left: OutputLevel, right: OutputLevel) -> Bool { left.percent < right.percent }
}

/// What happens to an output when it is released.
public enum OutputEnd: Sendable, Hashable {
  case level(OutputLevel)
  /// It stays as it is, if the kernel leaves it so.
  case untouched
  /// A fan goes back to its control of before (`pwmN_enable` as it was found); for others ``untouched``.
  case former
}
