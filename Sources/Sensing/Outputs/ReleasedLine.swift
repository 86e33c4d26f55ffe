import LimpetPlatform
import Measuring

/// What becomes of a GPIO output when nobody holds it any more: the process has ended, or let go of it.
///
/// The kernel's interface promises nothing; drivers differ, and two of them have a parameter. `stop: on` and `stop: keep`
/// need a line that stays.
public enum ReleasedLine: Sendable, Hashable {
  /// It keeps direction and level.
  case stays
  /// It is an input from then on: whatever pulls it decides.
  case becomesInput
  /// The driver does not say.
  case unknown

  /// Whether outputs persist (drivers/pinctrl/bcm/pinctrl-bcm2835.c; drivers/pinctrl/pinctrl-rp1.c of Raspberry Pi's
  /// kernel): Y or N.
  private static let parameters = ["pinctrl_bcm2835", "pinctrl_rp1"].map {
    "/sys/module/\($0)/parameters/persist_gpio_outputs"
  }
  private static let broadcomLabels: Set = ["pinctrl-bcm2835", "pinctrl-bcm2711"]

  /// Of the lines of a chip, on the kernel that runs.
  ///
  /// - Parameters:
  ///   - label: the chip's.
  ///   - device: where it hangs; nil: not known.
  public init(ofChip label: String, device: String?, root: FileRoot) {
    if let parameter = Self.parameter(ofChip: label) {
      switch try? root.text(of: parameter) {
      case "Y", "1", "y": self = .stays
      case "N", "0", "n": self = .becomesInput
      // It came in 2024: kernels before differ, also among Raspberry Pi's own.
      default: self = .unknown
      }
    } else {
      // An expander has registers that only somebody who writes to it changes; behind SPI and USB there are also chips
      // that their drivers reset.
      self = device?.isBehindI2C == true ? .stays : .unknown
    }
  }

  public init(of place: GPIOPlace, root: FileRoot) {
    self.init(ofChip: place.chipLabel, device: place.device, root: root)
  }

  fileprivate static func parameter(ofChip label: String) -> String? {
    if broadcomLabels.contains(label) { return parameters[0] }
    return label == "pinctrl-rp1" ? parameters[1] : nil
  }

  /// For `limpet check`: what this board does with a line of a chip, and how that can be changed.
  public func sentence(aboutChip label: String) -> String {
    let parameter = Self.parameter(ofChip: label)
    return switch self {
    case .stays: "a released line stays as it is"
    case .becomesInput:
      "a released line becomes an input (\(parameter ?? "its driver") says so): what is wired to it, and its "
        + "pull, decide then"
    case .unknown where parameter != nil:
      "limpet cannot know whether a released line stays as it is: this kernel has no \(parameter ?? "parameter")"
    case .unknown: "limpet cannot know whether a released line stays as it is: its driver does not say"
    }
  }
}

/// What pulls the lines of a Raspberry Pi's header from power-on until somebody drives them.
public enum BootPull: Sendable, Hashable {
  case up, down

  /// nil: no line of that header.
  public init?(of offset: UInt32, chip label: String) {
    guard GPIOChip.headerLabels.contains(label), offset <= 27 else { return nil }
    self = offset <= 8 ? .up : .down
  }

  /// For `limpet check`: an output that this pull switches on until limpet runs; nil: it does not.
  public static func warning(about output: GPIOOutput, at place: GPIOPlace) -> String? {
    guard let pull = BootPull(of: place.offset, chip: place.chipLabel) else { return nil }
    guard (pull == .up) != output.isActiveLow, let line = configLine(for: output, at: place) else { return nil }
    let (direction, kind) = pull == .up ? ("up", "active high") : ("down", "active low")
    return
      "from power-on until limpet runs, GPIO\(place.offset) is pulled \(direction), which is on for an output that is "
      + "\(kind): write \(line) into config.txt, or take another line"
  }

  /// For config.txt: keeps an output off from power-on; nil: no line of the header.
  public static func configLine(for output: GPIOOutput, at place: GPIOPlace) -> String? {
    guard BootPull(of: place.offset, chip: place.chipLabel) != nil else { return nil }
    // The level at which it is off, and whether the line floats then.
    let isHigh = output.isActiveLow
    let floats = output.drive == (isHigh ? .openDrain : .openSource)
    let state = floats ? (isHigh ? "ip,pu" : "ip,pd") : (isHigh ? "op,dh" : "op,dl")
    return "gpio=\(place.offset)=\(state)"
  }
}
