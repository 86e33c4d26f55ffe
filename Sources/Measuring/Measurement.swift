import LimpetInstants

/// The result of one read of a source: a value, its unit and when it was measured.
public struct Measurement: Sendable, Equatable {
  public var value: Value
  /// The unit after the kernel's milli and micro are divided out, for example `°C`; nil for a plain number.
  public var unit: String?
  /// Why the value is doubtful; nil: it is good.
  public var doubt: Doubt?
  /// Right after the read returned. On Linux this clock is CLOCK_BOOTTIME: monotonic, suspend included.
  public var time: BootClock.Instant

  /// - Parameter time: arguments are evaluated in order, so `.now` as the last one is the time after `value` was read.
  public init(value: Value, unit: String? = nil, doubt: Doubt? = nil, time: BootClock.Instant) {
    self.value = value
    self.unit = unit
    self.doubt = doubt
    self.time = time
  }
}

/// What is wrong with a value that is there.
public struct Doubt: Sendable, Hashable {
  /// The `quality` of a reading, the worst last.
  public enum Grade: String, Sendable, Hashable, CaseIterable {
    /// The value is right, and the driver says that it is past one of its limits.
    case alarm
    /// The value may be false: the sensor's answer without a measurement looks the same.
    case uncertain
    /// Of several values at least one could not be read.
    case bad
  }

  public var grade: Grade
  public var reason: String

  public init(_ grade: Grade, _ reason: String) {
    self.grade = grade
    self.reason = reason
  }
}

/// A measured value, without loss.
public enum Value: Sendable, Hashable, CustomStringConvertible {
  /// Always finite: the sources refuse NaN and infinities.
  case number(Double)
  /// What the kernel prints as an integer and no unit divides: exact beyond 2^53, where a Double is not.
  case integer(Int64)
  case text(String)
  case flag(Bool)
  /// The values of several channels of one device, from one read.
  case channels([ChannelValue])

  public var description: String {
    switch self {
    case .channels(let channels):
      channels.map { "\($0.name) \($0.value?.description ?? "-")" }.joined(separator: ", ")
    case .number(let number): "\(number)"
    case .integer(let integer): "\(integer)"
    case .text(let text): text
    case .flag(let flag): "\(flag)"
    }
  }

  /// The value as a number, where it is one.
  public var number: Double? {
    switch self {
    case .number(let value): value
    case .integer(let value): Double(value)
    case .text, .flag, .channels: nil
    }
  }

  /// A value the kernel gives in a fraction of its unit.
  ///
  /// One division of two exact operands rounds once, so 47774 / 1000 is the Double that prints as 47.774; multiplying by
  /// 0.001 would round twice.
  package static func divided(_ raw: Int64, by divisor: Int64) -> Value {
    divisor == 1 ? .integer(raw) : .number(Double(raw) / Double(divisor))
  }
}

/// One of several values that are read together.
public struct ChannelValue: Sendable, Hashable {
  public var name: String
  /// nil: it could not be read.
  public var value: Value?
  public var unit: String?

  public init(_ name: String, _ value: Value?, unit: String? = nil) {
    self.name = name
    self.value = value
    self.unit = unit
  }
}
