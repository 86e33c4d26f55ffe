import LimpetText
import Measuring

extension Configuration {
  /// Outputs whose line or device an earlier one has by the same words, whatever the board is.
  ///
  /// - Parameter isCheck: it is an error; else `run` goes on, and never drives the later one.
  package func twins(isCheck: Bool) -> [BoardObjection] {
    outputs.indices.compactMap { index in
      guard let first = outputs[..<index].first(where: { $0.request.isSame(as: outputs[index].request) }) else {
        return nil
      }
      return BoardObjection(
        output: outputs[index].name, key: .line, isWarning: !isCheck,
        message: "it is what \(quoted(first.name)) drives already\(BoardObjection.choice(isCheck: isCheck))")
    }
  }
}

extension BoardObjection {
  /// What to do about two entries of one line.
  package static func choice(isCheck: Bool) -> String {
    "\(isCheck ? "" : ", so limpet never drives this one"); write another, or remove one of the entries"
  }
}

extension OutputRequest {
  /// Whether both would drive the same line or device.
  func isSame(as other: OutputRequest) -> Bool {
    switch (self, other) {
    case (.gpio(let one), .gpio(let two)):
      one.line == two.line && GPIOPlaceWords(one.chip, one.device).mayBe(GPIOPlaceWords(two.chip, two.device), one.line)
    case (.pwm(let one), .pwm(let two)): one.device == two.device && one.channel == two.channel
    default: self == other
    }
  }
}

/// How a chip is named.
private struct GPIOPlaceWords: Equatable {
  var chip: String?
  var device: String?

  init(_ chip: String?, _ device: String?) {
    self.chip = chip
    self.device = device
  }

  private var isNone: Bool { chip == nil && device == nil }

  /// A name without a chip is searched on all chips.
  func mayBe(_ other: Self, _ line: GPIOInput.Line) -> Bool {
    if case .name = line, isNone || other.isNone { return true }
    return self == other
  }
}

extension GPIOInput {
  func mayBeOf(_ chip: String?, _ device: String?) -> Bool {
    GPIOPlaceWords(self.chip, self.device).mayBe(GPIOPlaceWords(chip, device), line)
  }
}
