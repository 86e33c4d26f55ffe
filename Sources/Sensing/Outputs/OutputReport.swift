import LimpetInstants
import Measuring

/// A report of one output.
public struct OutputReport: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    /// The output is held from now on.
    ///
    /// - Parameters:
    ///   - OutputLevel: what was read back.
    ///   - description: where it was found, for people.
    case held(OutputLevel, description: String)
    /// The output is not held (any more), and is looked for again. Reported when the reason changes.
    case failed(String)
    /// A level was driven.
    ///
    /// - Parameters:
    ///   - number: of the drive.
    ///   - readBack: what was read back; nil: a line that was let go of (open drain, open source) shows what others drive,
    ///     so there is nothing to judge.
    case driven(number: UInt64, readBack: OutputLevel?)
    /// The output was let go of, as asked for: nothing follows of it.
    case released
  }

  /// The place of the output.
  public var output: Int
  public var content: Content
  public var time: BootClock.Instant

  public init(output: Int, content: Content, time: BootClock.Instant) {
    self.output = output
    self.content = content
    self.time = time
  }
}
