import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// Looks at lines that have no interrupts: expanders whose INT pin is not wired, which is most relay and input boards.
///
/// Each chip has a thread of its own, since a transfer on a bus that is stuck does not return, and one request for all of
/// its lines, so that a look is one transfer. What is seen goes the way of edges: debounced by the same rules, told by the
/// same mailbox. A pulse between two looks is not seen.
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

  /// Nothing is told of it from now on.
  func remove(_ index: Int) { for chip in all { chip.remove(index) } }

  /// Nothing is told from now on.
  func stop() { for chip in all { chip.stop() } }

  /// Lines whose chips are gone: whoever looks for lines has them again.
  func takeLost() -> [(index: Int, error: GPIOError)] { all.flatMap { $0.takeLost() } }

  /// Tells of chips that do not return from being looked at.
  ///
  /// - Parameter now: CLOCK_MONOTONIC, in nanoseconds.
  func lookAfter(at now: Int64) { for chip in all { chip.lookAfter(at: now) } }

  private var all: [PolledChip] { chips.withLock { Array($0.values) } }
}
