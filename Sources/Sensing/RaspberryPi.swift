import LimpetPlatform
import LimpetText
import Measuring

/// What the firmware of a Raspberry Pi says of its supply and of its speed.
///
/// The kernel has a hwmon chip `rpi_volt` whose only attribute is the alarm of a supply that is too low; Raspberry Pi's own
/// kernel has all flags besides, in `get_throttled` of the firmware's device. Reading that makes the kernel warn once, with
/// a trace in its log, that this way is deprecated; so limpet reads it only if the configuration asks for it.
struct RaspberryPi {
  static let firmwareFolder = "/sys/bus/platform/drivers/raspberrypi-firmware"

  /// The name of the hwmon chip.
  static let voltageChip = "rpi_volt"

  let root: FileRoot

  func isUnderVoltage() throws(SensorError) -> Bool {
    guard let alarmPath else { return try flags() & 1 != 0 }
    return try root.integer(of: alarmPath) != 0
  }

  /// The alarm, if this kernel has the chip. Its driver asks the firmware every 2 s, forgets the answer before, and
  /// notifies pollers of the attribute of each change.
  var alarmPath: String? {
    let chip = ((try? HwmonChip.all(in: root)) ?? []).first { $0.name == Self.voltageChip }
    return chip.map { $0.folder + "/in0_lcrit_alarm" }
  }

  /// Capped, throttled, or at the soft temperature limit; that it ever was is in other bits.
  func isThrottled() throws(SensorError) -> Bool { try flags() & 0b1110 != 0 }

  /// A value for which `get_throttled` has to be read here.
  func needsFlags(_ word: SystemWord) -> Bool {
    switch word {
    case .throttled: true
    case .underVoltage: alarmPath == nil
    default: false
    }
  }

  /// Hexadecimal, without a prefix: 50005.
  private func flags() throws(SensorError) -> UInt32 {
    guard let path = flagsPath else {
      throw .noValue("no get_throttled here: not a Raspberry Pi, or not its own kernel", path: Self.firmwareFolder)
    }
    let text = try reading { () throws(ReadError) in try root.text(of: path) }
    guard let flags = UInt32(text.hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16) else {
      throw .notOneNumber(path: path, content: text, flaw: .text)
    }
    return flags
  }

  /// The attribute, where this kernel has it; the device's own name differs from board to board.
  var flagsPath: String? {
    let devices = (try? root.entries(of: Self.firmwareFolder)) ?? []
    return devices.map { "\(Self.firmwareFolder)/\($0)/get_throttled" }.first(where: root.exists)
  }
}
