internal import CGPIO
import Glibc
import LimpetPlatform
import Measuring

/// A GPIO line that was found.
struct FoundLine: FoundOutput {
  private let output: GPIOOutput
  private let place: GPIOPlace
  private let root: FileRoot
  let request: OutputRequest

  init(_ output: GPIOOutput, in inventory: GPIOInventory, root: FileRoot) throws(OutputError) {
    let place: GPIOPlace
    do { place = try output.place(in: inventory) } catch { throw .line(error) }
    (self.output, self.place, self.root) = (output, place, root)
    // Label and device are what stays; if two chips share both, only the number distinguishes them.
    let namesakes = inventory.chips.count { $0.label == place.chipLabel && $0.device == place.device }
    var same = output
    same.chip = namesakes == 1 ? place.chipLabel : place.path
    same.device = namesakes == 1 ? place.device : nil
    same.line = .offset(place.offset)
    request = .gpio(same)
  }

  var identity: String { Self.identity(of: place) }
  static func identity(of place: GPIOPlace) -> String { "\(place.path):\(place.offset)" }
  var bus: String? { place.device?.chipBehindBus }
  var former: String? { nil }
  var description: String { "\(place)" }
  var looseness: String? {
    let released = ReleasedLine(of: place, root: root)
    return released == .stays ? nil : released.sentence(aboutChip: place.chipLabel)
  }

  func take(_ level: OutputLevel, adopts: Bool, former: String?) throws(OutputError) -> Taken {
    do throws(GPIOError) {
      let line = try HeldLine(output, at: place, root: root, level, adopts: adopts)
      return (line, line.first)
    } catch {
      throw .line(error)
    }
  }
}

extension GPIOOutput {
  /// The line that is meant, if it can be taken: one that is an output and held by nobody may.
  public func place(in inventory: GPIOInventory) throws(GPIOError) -> GPIOPlace {
    try GPIOInput(
      chip: chip, device: device, line: line, bias: bias, isActiveLow: isActiveLow, debounce: .zero, mode: .state,
      isForced: true, maxRate: 1
    ).place(in: inventory)
  }
}

/// A line that this process drives until this value ends.
final class HeldLine: HeldOutput {
  /// The level it was requested with, or had before it was adopted.
  let first: OutputLevel
  private let line: CInt
  private let chip: CInt
  private let output: GPIOOutput
  private let place: GPIOPlace

  /// Shown by gpioinfo(1).
  private static let consumer = "limpet"
  /// A shorted wire shows it only after a moment, and so does one with a capacitor: in microseconds.
  private static let (lookPause, looks) = (UInt32(1_000), 10)

  /// - Parameter adopts: where it is an output already, it keeps its level.
  init(
    _ output: GPIOOutput, at place: GPIOPlace, root: FileRoot, _ level: OutputLevel, adopts: Bool
  ) throws(GPIOError) {
    let path: String
    do { path = try root.location(of: place.path) } catch { throw .gone(place) }
    let chip = open(path, O_RDWR | O_CLOEXEC)
    guard chip >= 0 else { throw .refused(place, errno: errno) }
    // Numbers of chips are given anew: between the look and the opening another one may have come there.
    let identity = limpet_gpio_chip_is(chip, place.chipName, place.chipLabel)
    guard identity == 0 else {
      close(chip)
      throw identity == ENODEV ? .gone(place) : .refused(place, errno: identity)
    }
    var line: CInt = -1
    var first = level.isOn ? OutputLevel.on : .off
    let code = Self.consumer.withCString { consumer in
      var request = limpet_gpio_output(
        offset: place.offset, bias: output.bias.code, drive: output.drive.code, is_active_low: output.isActiveLow,
        is_on: level.isOn, consumer: consumer)
      guard adopts else { return limpet_gpio_request_output(chip, &request, &line) }
      var code = limpet_gpio_request_as_is(chip, &request, &line)
      guard code == 0 else { return code }
      // Only now the driver was asked: what was known of a line that nobody held may be outdated.
      var isOutput = false
      var levels: UInt64 = 0
      code = limpet_gpio_is_output(chip, place.offset, &isOutput)
      if code == 0, isOutput { code = limpet_gpio_levels(line, 1, &levels) }
      if code == 0 {
        if isOutput { request.is_on = levels & 1 != 0 }
        first = request.is_on ? .on : .off
        code = limpet_gpio_make_output(line, &request)
      }
      if code != 0 { close(line) }
      return code
    }
    guard code == 0 else {
      close(chip)
      if code == EBUSY { throw .busy(place, consumer: nil) }
      throw .refused(place, errno: code)
    }
    (self.first, self.line, self.chip, self.output, self.place) = (first, line, chip, output, place)
  }

  deinit {
    close(line)
    close(chip)
  }

  var isThere: Bool { limpet_gpio_chip_is_there(chip) == 0 }

  func drive(_ level: OutputLevel) throws(OutputError) { try check(limpet_gpio_set_level(line, level.isOn)) }

  func readBack(of level: OutputLevel) throws(OutputError) -> OutputLevel? {
    guard output.isDriven(level) else { return nil }
    var read = try self.level()
    for _ in 0..<Self.looks where read.isOn != level.isOn {
      usleep(Self.lookPause)
      read = try self.level()
    }
    return read
  }

  func leave(_ end: OutputEnd) throws(OutputError) {
    if case .level(let level) = end { try drive(level) }
  }

  private func level() throws(OutputError) -> OutputLevel {
    var levels: UInt64 = 0
    try check(limpet_gpio_levels(line, 1, &levels))
    return levels & 1 != 0 ? .on : .off
  }

  private func check(_ code: CInt) throws(OutputError) {
    guard code != 0 else { return }
    throw .line(code == ENODEV ? .gone(place) : .refused(place, errno: code))
  }
}

extension GPIOOutput {
  /// At this level the line is driven, and does not float.
  func isDriven(_ level: OutputLevel) -> Bool {
    let isHigh = level.isOn != isActiveLow
    return switch drive {
    case .pushPull: true
    case .openDrain: !isHigh
    case .openSource: isHigh
    }
  }
}

extension GPIOOutput.Drive {
  fileprivate var code: limpet_gpio_drive {
    switch self {
    case .pushPull: LIMPET_GPIO_PUSH_PULL
    case .openDrain: LIMPET_GPIO_OPEN_DRAIN
    case .openSource: LIMPET_GPIO_OPEN_SOURCE
    }
  }
}
