import LimpetPlatform
import Measuring
import Synchronization

/// Watches GPIO lines on one thread of its own, and keeps its reports until they are taken.
///
/// It looks for a line that is missing or lost when /dev changes and every 5 s; the others go on. While nobody takes
/// the reports, it leaves events to the kernel, which keeps 1,024 of each line and counts what it drops: nothing here
/// grows without a bound.
public final class GPIOMonitor: Sendable {
  public struct Taken: Sendable {
    /// In order; of each input in the order of time.
    public var reports: [GPIOReport]
    /// The lines are released, and nothing follows.
    public var isFinished: Bool

    package init(reports: [GPIOReport], isFinished: Bool) {
      self.reports = reports
      self.isFinished = isFinished
    }
  }

  /// As `ps -L` shows it.
  public static let threadName = "limpet-gpio"

  private let inputs: [GPIOInput]
  private let root: FileRoot
  let mailbox: GPIOMailbox

  /// - Parameter deliver: Called on the monitor's thread when there are the first reports to take, or will be in a
  ///   moment: hop to an event loop in it, and do not block.
  public init(_ inputs: [GPIOInput], root: FileRoot, deliver: @escaping @Sendable () -> Void) {
    self.inputs = inputs
    self.root = root
    mailbox = GPIOMailbox(inputs: inputs.count, deliver: deliver)
  }

  /// Requests the lines and begins to watch them; call it once. Does not block.
  public func start() {
    let code = DetachedThread.start(Self.threadName) { [inputs, root, mailbox] in
      var watch = GPIOWatch(inputs, root: root, mailbox: mailbox)
      watch.run()
    }
    guard code != 0 else { return }
    for input in inputs.indices {
      mailbox.add([GPIOReport(input: input, content: .failed(.noResources(errno: code)), time: .now)])
    }
    mailbox.finish()
  }

  /// How often its thread was awake: at least once in 5 s.
  public var turns: Int { mailbox.turns.load(ordering: .relaxed) }

  /// The sums of an input since the start, over every loss and return of its line. At most 20 ms late.
  public func pulses(of input: Int) -> PulseCount { mailbox.pulses(of: input) }

  /// Releases lines, and then watches others; it does not touch lines that are not named. A released place is free for
  /// another line once it has reported `released`. Does not block.
  ///
  /// - Parameters:
  ///   - released: places of lines.
  ///   - added: lines at places that are free, or the next after the last.
  public func change(releasing released: [Int], adding added: [(place: Int, input: GPIOInput)]) {
    mailbox.change(releasing: released, adding: added)
  }

  /// Takes the events that wait, releases the lines, and then says that it has finished. Does not block.
  public func stop() { mailbox.stop() }
}
