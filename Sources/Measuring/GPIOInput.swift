/// What is asked of one GPIO line.
public struct GPIOInput: Sendable, Hashable {
  public enum Line: Sendable, Hashable {
    /// As the device tree or the firmware names it, for example `GPIO17`.
    case name(String)
    /// The line's number in its chip.
    case offset(UInt32)
  }

  public enum Bias: String, Sendable, CaseIterable {
    case up, down, none
    case asIs = "as-is"
  }

  public enum Mode: String, Sendable, CaseIterable {
    /// The level, whenever another one has settled.
    case state
    /// Every edge.
    case event
    /// Rising edges are counted.
    case counter
  }

  /// A chip's label, name or path; nil: every chip is searched for the line's name, and an offset is of the board's
  /// header.
  public var chip: String?
  /// Of chips that have one label, such as two equal expanders: the path of the chip's device, or the end of it, `1-0020`.
  public var device: String?
  public var line: Line
  public var bias: Bias
  /// A low level is true.
  public var isActiveLow: Bool
  /// How long a level must hold; zero: not debounced.
  public var debounce: Duration
  public var mode: Mode
  /// A line that is an output, and held by nobody, is made an input.
  public var isForced: Bool
  /// Readings a second, on average; half of them at once, after a quiet time. Counters have no such limit.
  public var maxRate: Int

  /// How often the level is looked at where the line has no interrupt; nil: ``defaultPoll``.
  public var poll: Duration?

  /// It says of which chip its line is.
  package var isOfOneChip: Bool { chip != nil || device != nil }

  public static let defaultPoll = Duration.milliseconds(20)

  public init(
    chip: String?, device: String? = nil, line: Line, bias: Bias, isActiveLow: Bool, debounce: Duration, mode: Mode,
    isForced: Bool, maxRate: Int, poll: Duration? = nil
  ) {
    self.chip = chip
    self.device = device
    self.poll = poll
    self.line = line
    self.bias = bias
    self.isActiveLow = isActiveLow
    self.debounce = debounce
    self.mode = mode
    self.isForced = isForced
    self.maxRate = maxRate
  }
}
