/// How to read one GPIO line.
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
    /// The level, whenever it has settled at a new one.
    case state
    /// Every edge.
    case event
    /// Rising edges are counted.
    case counter
    /// How often a second the line rises.
    case frequency
    /// The part of its cycles in which the line is high.
    case duty
    /// How long the line is high.
    case pulseWidth = "pulse_width"
    /// The presses of a button.
    case gesture
    /// Two lines of a knob or a shaft: steps forwards and backwards.
    case encoder

    /// The thread of lines adds up its edges, and the core asks for the sums.
    public var isSummed: Bool {
      switch self {
      case .counter, .frequency, .duty, .pulseWidth, .encoder: true
      case .state, .event, .gesture: false
      }
    }

    /// Both edges of a pulse count, not only its beginning.
    package var needsBothEdges: Bool { self != .counter && self != .frequency }
  }

  /// This input for its second line alone; nil: it has none.
  package var second: GPIOInput? {
    guard let secondLine else { return nil }
    var input = self
    (input.line, input.secondLine) = (secondLine, nil)
    return input
  }

  /// How long the presses of a button are, and the pauses between them.
  public struct GestureTimes: Sendable, Hashable {
    /// A second press that begins within this after the first has ended makes a double one; zero: there are none.
    public var double: Duration
    /// A press that lasts this long is a long one.
    public var long: Duration

    public init(double: Duration = .milliseconds(400), long: Duration = .milliseconds(800)) {
      self.double = double
      self.long = long
    }
  }

  /// A chip's label, name or path; nil: every chip is searched for the line's name, and an offset is of the board's
  /// header.
  public var chip: String?
  /// Of chips that have one label, such as two equal expanders: the path of the chip's device, or the end of it, `1-0020`.
  public var device: String?
  public var line: Line
  /// In mode `encoder`, of the same chip.
  public var secondLine: Line?
  public var bias: Bias
  /// A low level is true.
  public var isActiveLow: Bool
  /// How long a level must last to settle; zero: not debounced.
  public var debounce: Duration
  public var mode: Mode
  /// Turns an output line that nobody holds into an input.
  public var isForced: Bool
  /// Edges a second, on average; half of them at once, after a quiet time. There is no limit if they are only added up.
  public var maxRate: Int

  /// How often limpet looks at the level if the line has no interrupt; nil: ``defaultPoll``.
  public var poll: Duration?
  /// In mode `gesture`.
  public var gesture: GestureTimes

  /// Whether it names the chip of its line.
  package var isOfOneChip: Bool { chip != nil || device != nil }

  public static let defaultPoll = Duration.milliseconds(20)

  public init(
    chip: String?, device: String? = nil, line: Line, bias: Bias, isActiveLow: Bool, debounce: Duration, mode: Mode,
    isForced: Bool, maxRate: Int, poll: Duration? = nil, gesture: GestureTimes = GestureTimes(),
    secondLine: Line? = nil
  ) {
    self.chip = chip
    self.device = device
    self.poll = poll
    self.gesture = gesture
    self.secondLine = secondLine
    self.line = line
    self.bias = bias
    self.isActiveLow = isActiveLow
    self.debounce = debounce
    self.mode = mode
    self.isForced = isForced
    self.maxRate = maxRate
  }
}
