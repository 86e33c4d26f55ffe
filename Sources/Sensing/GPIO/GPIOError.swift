import Glibc
import LimpetText

/// Why an input gives no readings. The description is for the person at a terminal: what is wrong, where, what to do.
public enum GPIOError: Error, Sendable, Hashable {
  /// No chip can be looked at; `failures` say why, where there are any.
  case noChip([ReadError])
  case noSuchChip(String, existing: [String], unread: [ReadError])
  case ambiguousChip(String, candidates: [String])
  case noSuchDevice(String, existing: [String], unread: [ReadError])
  case ambiguousDevice(String, candidates: [String])
  /// An offset without a chip, on a board without a header of a Raspberry Pi.
  case noHeader(existing: [String], unread: [ReadError])
  case noSuchLine(String, chips: [String], existing: [String], unread: [ReadError])
  case ambiguousLine(String, candidates: [GPIOPlace])
  case noSuchOffset(UInt32, chip: String, lines: Int)
  /// Another program, or a driver, holds the line.
  case busy(GPIOPlace, consumer: String?)
  /// The line is an output that nobody holds.
  case output(GPIOPlace)
  /// The kernel does not give the line.
  case refused(GPIOPlace, errno: CInt)
  /// The input's mode needs the times of edges.
  case noInterrupt(GPIOPlace)
  /// One input is two lines of different chips.
  case twoChips(GPIOPlace, GPIOPlace)
  /// The chip was taken away.
  case gone(GPIOPlace)
  /// A read of its chip does not return.
  case unanswered(GPIOPlace)
  /// The kernel gave no thread or no descriptor.
  case noResources(errno: CInt)
}

extension GPIOError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noChip(let failures):
      failures.isEmpty
        ? "there is no GPIO chip: no /dev/gpiochip*; does this board have GPIO, and is its driver loaded?"
        : Self.list(failures)
    case .noSuchChip(let name, let existing, let unread):
      "no GPIO chip has the label, name or path \"\(printable(name, limit: 255))\"; there are: \(Self.list(existing))"
        + Self.more(unread)
    case .ambiguousChip(let name, let candidates):
      "more than one GPIO chip has the label \"\(printable(name))\": \(Self.list(candidates)); say which with device:, by the "
        + "end of its path, or name one by its path"
    case .noSuchDevice(let device, let existing, let unread):
      "no GPIO chip belongs to the device \"\(printable(device, limit: 255))\"; there are: \(Self.list(existing))"
        + Self.more(unread)
    case .ambiguousDevice(let device, let candidates):
      "more than one GPIO chip belongs to the device \"\(printable(device, limit: 255))\": \(Self.list(candidates)); write more "
        + "of its path, or chip: too"
    case .noHeader(let existing, let unread):
      "an offset alone means the header of a Raspberry Pi (\(GPIOChip.headerLabels.joined(separator: ", "))), which "
        + "this board does not have; write chip: with one of \(Self.list(existing))\(Self.more(unread))"
    case .noSuchLine(let name, let chips, let existing, let unread):
      "no line of \(Self.list(chips)) is named \"\(printable(name))\"; "
        + Self.advice(for: name, existing)
        + Self.more(unread)
    case .ambiguousLine(let name, let candidates):
      "more than one line is named \"\(printable(name))\": \(candidates.map { "\($0)" }.joined(separator: "; ")); "
        + "write chip: too, or the offset instead"
    case .noSuchOffset(let offset, let chip, let lines):
      "\(printable(chip)) has no line \(offset): it has \(lines), from 0 on"
    case .busy(let place, let consumer):
      "\(place) is held by \(consumer.map { "\"\(printable($0))\"" } ?? "another program or a driver"); end that, "
        + "or use another line"
    case .output(let place):
      "\(place) is an output, and reading it would make it an input; write force: true to allow that"
    case .refused(let place, let code): "\(place) cannot be requested: \(Self.reason(code))"
    case .noInterrupt(let place):
      "\(place) has no interrupt, and an encoder cannot be read without one; use a line of another chip, or wire the chip's "
        + "INT pin"
    case .twoChips(let first, let second):
      "\(first) and \(second) belong to different chips; an encoder needs both lines on one chip"
    case .gone(let place): "\(place): the chip is gone"
    case .unanswered(let place):
      "\(place): the kernel does not return from reading it; check the bus that its chip is on"
    case .noResources(let code):
      "GPIO cannot be read: \(ReadError.text(of: code)); raise TasksMax= or LimitNOFILE=, or free memory"
    }
  }

  private static func reason(_ code: CInt) -> String {
    switch code {
    case EACCES, EPERM: "\(ReadError.text(of: code)); add limpet's user to the group gpio"
    case ENOTTY: "this kernel lacks the GPIO interface of Linux 5.10 (CONFIG_GPIO_CDEV)"
    case EIO, EREMOTEIO, ETIMEDOUT: "\(ReadError.text(of: code)); the chip does not answer on its bus, check its wiring"
    case ENODEV, ENOENT: "the chip is gone"
    default: ReadError.text(of: code)
    }
  }

  /// Lines of a Raspberry Pi are named GPIO17 and have many names besides, as BCM17 and pin 11.
  private static func advice(for name: String, _ existing: [String]) -> String {
    guard !existing.isEmpty else { return "none has a name, write an offset" }
    let digits = name.drop { !$0.isNumber }.prefix { $0.isNumber }.drop { $0 == "0" }
    let header = "GPIO\(digits)"
    if let pin = pin(name), existing.contains("GPIO17") {
      return "pin \(pin) of the header is \(pins[pin].map { "GPIO\($0)" } ?? "no GPIO line")"
    }
    let isHeader = !digits.isEmpty && !name.lowercased().hasPrefix("pin") && existing.contains(header)
    if let near = isHeader ? header : Suggestion(candidates: existing).nearest(to: name) {
      return "did you mean \(printable(near))?"
    }
    return "there are: \(list(existing))"
  }

  /// `pin 11`, `P1_11`, `J8-11`: the header's own count, where names like GPIO17 are the processor's.
  private static func pin(_ name: String) -> Int? {
    let words = ["physical", "board", "pin", "p1_", "p1-", "j8"]
    guard let word = words.first(where: { name.lowercased().hasPrefix($0) }) else { return nil }
    let number = name.dropFirst(word.count).drop { " _-#.:".contains($0) }
    return Int(number).flatMap { (1...40).contains($0) ? $0 : nil }
  }

  /// The 40 pins of a Raspberry Pi.
  private static let pins = [
    3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25, 23: 11,
    24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
  ]

  private static func list(_ names: [String]) -> String {
    guard !names.isEmpty else { return "none" }
    let shown = names.prefix(12).map { printable($0) }.joined(separator: ", ")
    return names.count > 12 ? "\(shown) and \(names.count - 12) more" : shown
  }

  private static func list(_ failures: [ReadError]) -> String {
    failures.prefix(4).map { "\($0)" }.joined(separator: "; ")
  }

  /// The line may be on a chip that cannot be opened.
  private static func more(_ failures: [ReadError]) -> String {
    failures.isEmpty ? "" : "; \(list(failures))"
  }
}
