/// What one read of a source gave: a value, its unit and when it was measured.
public struct Measurement: Sendable, Equatable {
  public var value: Value
  /// The unit after the kernel's milli and micro are divided out, for example `°C`; nil for a plain number.
  public var unit: String?
  /// Right after the read returned. On Linux this clock is CLOCK_BOOTTIME: monotonic, suspend included.
  public var time: ContinuousClock.Instant

  /// Arguments are evaluated in order, so the time left out is the time after `value` was read.
  public init(value: Value, unit: String? = nil, time: ContinuousClock.Instant = .now) {
    self.value = value
    self.unit = unit
    self.time = time
  }
}

/// A measured value in the form that loses nothing.
public enum Value: Sendable, Hashable, CustomStringConvertible {
  /// Always finite: the sources refuse NaN and infinities.
  case number(Double)
  /// What the kernel prints as an integer and no unit divides: exact beyond 2^53, where a Double is not.
  case integer(Int64)
  case text(String)
  case flag(Bool)

  public var description: String {
    switch self {
    case .number(let number): "\(number)"
    case .integer(let integer): "\(integer)"
    case .text(let text): text
    case .flag(let flag): "\(flag)"
    }
  }

  /// A value the kernel gives in a fraction of its unit.
  ///
  /// One division of two exact operands rounds once, so 47774 / 1000 is the Double that prints as 47.774; multiplying by
  /// 0.001 would round twice.
  static func divided(_ raw: Int64, by divisor: Int64) -> Value {
    divisor == 1 ? .integer(raw) : .number(Double(raw) / Double(divisor))
  }
}
