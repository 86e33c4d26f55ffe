import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// Looks at lines that have no interrupts: those of expanders whose INT pin is not wired, as on most relay and input
/// boards.
///
/// Each chip has a thread of its own, since a transfer on a bus that is stuck does not return, and one request for all
/// of its lines, so that a look is one transfer. Changes go the way of edges: the same rules debounce them, and the
/// same mailbox has them. It misses a pulse between two looks.
final class GPIOPoller: Sendable {
  private let root: FileRoot
  private let mailbox: GPIOMailbox
  private let chips = Mutex<[String: PolledChip]>([:])

  init(root: FileRoot, mailbox: GPIOMailbox) {
    self.root = root
    self.mailbox = mailbox
  }

  /// - Parameter count: what the line has seen before.
  func add(_ index: Int, _ input: GPIOInput, at place: GPIOPlace, counted count: PulseCount) {
    let chip = chips.withLock { chips in
      let chip = chips[place.path] ?? PolledChip(root: root, mailbox: mailbox)
      chips[place.path] = chip
      return chip
    }
    chip.add(PolledChip.Line(index: index, input: input, place: place, counted: count))
  }

  /// It makes no more reports of this line.
  func remove(_ index: Int) { for chip in all { chip.remove(index) } }

  /// It makes no more reports.
  func stop() { for chip in all { chip.stop() } }

  /// Lines whose chips are gone: whoever looks for lines has them again.
  func takeLost() -> [(index: Int, error: GPIOError)] { all.flatMap { $0.takeLost() } }

  /// Reports chips whose transfer does not return.
  ///
  /// - Parameter now: CLOCK_MONOTONIC, in nanoseconds.
  func lookAfter(at now: Int64) { for chip in all { chip.lookAfter(at: now) } }

  private var all: [PolledChip] { chips.withLock { Array($0.values) } }
}
