internal import CLimpetLinux
import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// The lines of one chip that are looked at again and again, and the thread that does it.
///
/// The thread asks the kernel without the lock, since that may take forever, and uses the answer with the lock, since
/// lines may have come and gone meanwhile.
final class PolledChip: Sendable {
  struct Line {
    let index: Int
    let input: GPIOInput
    let place: GPIOPlace
    /// Its sums from before this chip had it.
    let counted: PulseCount
    /// nil: its level was not read yet.
    var track: LineTrack?
    var bucket: TokenBucket
    var sequence: UInt32 = 0
    var level = false

    init(index: Int, input: GPIOInput, place: GPIOPlace, counted: PulseCount) {
      self.index = index
      self.input = input
      self.place = place
      self.counted = counted
      bucket = TokenBucket(rate: input.maxRate, burst: max(1, input.maxRate / 2), at: BootTime.monotonic())
    }

    var interval: Int64 { (input.poll ?? GPIOInput.defaultPoll).wholeNanoseconds }
  }

  private struct State {
    var lines: [Line] = []
    /// Counts changes of `lines`.
    var version = 0
    var lost: [(index: Int, error: GPIOError)] = []
    var hasThread = false
    var isStopped = false
    /// Why no level can be read; nil: levels can be read.
    var failure: GPIOError?
    /// When the thread last came back from the kernel, CLOCK_MONOTONIC.
    var returned: Int64 = 0
  }

  private let root: FileRoot
  private let mailbox: GPIOMailbox
  private let state = Mutex(State())
  /// An eventfd(2); -1 where the process has no descriptors left.
  private let wakeUp: CInt

  /// How long a chip that does not answer is left alone.
  private static let rest: Int64 = 1_000_000_000
  /// A chip that has not returned for so long hangs.
  private static let patience: Int64 = 5_000_000_000

  init(root: FileRoot, mailbox: GPIOMailbox) {
    self.root = root
    self.mailbox = mailbox
    wakeUp = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
  }

  deinit { if wakeUp >= 0 { close(wakeUp) } }

  // MARK: The watch's side

  func add(_ line: Line) {
    let needsThread = state.withLock { state in
      state.lines.append(line)
      state.version += 1
      guard !state.hasThread else { return false }
      state.hasThread = true
      state.returned = BootTime.monotonic()
      return true
    }
    guard needsThread else { return wake() }
    let code = DetachedThread.start("limpet-gpio-bus") { self.run() }
    guard code != 0 else { return }
    state.withLock { state in
      state.hasThread = false
      lose(.noResources(errno: code), &state)
    }
  }

  func remove(_ index: Int) {
    state.withLock { state in
      state.lines.removeAll { $0.index == index }
      state.lost.removeAll { $0.index == index }
      state.version += 1
    }
    wake()
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    wake()
  }

  func takeLost() -> [(index: Int, error: GPIOError)] {
    state.withLock { state in
      defer { state.lost = [] }
      return state.lost
    }
  }

  func lookAfter(at now: Int64) {
    state.withLock { state in
      let interval = state.lines.map(\.interval).min() ?? 0
      guard state.hasThread, let line = state.lines.first, now - state.returned > Self.patience + interval else {
        return
      }
      fail(.unanswered(line.place), &state)
    }
  }

  private func wake() {
    var one: UInt64 = 1
    _ = write(wakeUp, &one, MemoryLayout<UInt64>.size)
  }

  // MARK: The thread

  /// What it holds between two looks.
  private struct Held {
    let request: GPIORequest
    /// Of the lines that it has.
    let version: Int
    let first: GPIOPlace
    let interval: Int64
  }

  private func run() {
    var held: Held?
    var bootTime = BootTime()
    var next = BootTime.monotonic()
    while true {
      let version = state.withLock { state -> Int? in
        if state.isStopped || state.lines.isEmpty { state.hasThread = false }
        return state.hasThread ? state.version : nil
      }
      guard let version else { return }
      do throws(GPIOError) {
        if held?.version != version {
          // The old one holds the same lines.
          held = nil
          held = try hold()
        }
        guard let held else { continue }
        let time = BootTime.monotonic()
        let levels: UInt64
        do throws(GPIORequest.Errno) { levels = try held.request.levels() } catch {
          throw error.number == ENODEV ? .gone(held.first) : .refused(held.first, errno: error.number)
        }
        bootTime.refresh()
        take(levels, seen: held.version, at: time, bootTime)
        next = max(next + held.interval, BootTime.monotonic())
      } catch {
        held = nil
        next = BootTime.monotonic() + Self.rest
        state.withLock { state in
          state.returned = BootTime.monotonic()
          if case .refused = error { fail(error, &state) } else { lose(error, &state) }
        }
      }
      sleep(until: next)
    }
  }

  /// Requests the lines that there are now; nil: there are none.
  ///
  /// A copy of the lines that lived on would make each look copy them.
  private func hold() throws(GPIOError) -> Held? {
    let (lines, version) = state.withLock { (Array($0.lines.prefix(GPIORequest.lineLimit)), $0.version) }
    guard let first = lines.first?.place, let interval = lines.map(\.interval).min() else { return nil }
    let request = try GPIORequest(lines.map { ($0.input, $0.place) }, root: root)
    return Held(request: request, version: version, first: first, interval: interval)
  }

  private func sleep(until time: Int64) {
    // Rounded up: the next turn makes up for a delay in this one.
    let milliseconds = max(0, (time - BootTime.monotonic() + 999_999) / 1_000_000)
    var polled = pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)
    guard poll(&polled, 1, CInt(clamping: milliseconds)) > 0 else { return }
    var count: UInt64 = 0
    _ = read(wakeUp, &count, MemoryLayout<UInt64>.size)
  }

  /// - Parameter version: of the lines that were looked at.
  private func take(_ levels: UInt64, seen version: Int, at time: Int64, _ bootTime: BootTime) {
    state.withLock { state in
      state.returned = BootTime.monotonic()
      guard state.version == version, !state.isStopped, !mailbox.isHeldBack else { return }
      var reports: [GPIOReport] = []
      let wasFailing = state.failure != nil
      state.failure = nil
      for position in state.lines.indices.prefix(GPIORequest.lineLimit) {
        let isHigh = levels >> UInt64(position) & 1 != 0
        if wasFailing {
          reports.append(
            GPIOReport(input: state.lines[position].index, content: .found(state.lines[position].place), time: .now))
        }
        let (index, isSummed) = (state.lines[position].index, state.lines[position].input.mode.isSummed)
        if isSummed, mailbox.takeMark(of: index) { state.lines[position].track?.mark() }
        for finding in state.lines[position].take(isHigh, isAnew: wasFailing, at: time) {
          reports.append(
            GPIOReport(input: index, content: finding.content, time: bootTime.instant(of: finding.time)))
        }
        if isSummed { mailbox.count(state.lines[position].count(bootTime), of: index) }
      }
      if !reports.isEmpty { mailbox.add(reports) }
    }
  }

  /// The chip does not answer; it is asked again.
  private func fail(_ error: GPIOError, _ state: inout State) {
    guard error != state.failure, !state.isStopped else { return }
    state.failure = error
    mailbox.add(state.lines.map { GPIOReport(input: $0.index, content: .failed(error), time: .now) })
  }

  /// The chip, or a line of it, is not there any more.
  private func lose(_ error: GPIOError, _ state: inout State) {
    state.lost += state.lines.map { ($0.index, error) }
    state.lines = []
    state.failure = nil
    state.version += 1
  }
}

extension PolledChip.Line {
  /// The line was looked at.
  ///
  /// - Parameter isAnew: its level could not be read for a while.
  mutating func take(_ isHigh: Bool, isAnew: Bool, at time: Int64) -> [LineTrack.Finding] {
    var findings: [LineTrack.Finding] = []
    if track == nil {
      let period = input.debounce.wholeNanoseconds
      track = LineTrack(
        mode: input.mode, debounce: period > 0 ? .agent(period) : .nobody, gesture: input.gesture, level: isHigh,
        at: time)
      level = isHigh
      if let first = track?.begin() { findings.append(first) }
    }
    if isHigh != level, input.mode.isSummed || bucket.available(at: time) > 0 {
      level = isHigh
      sequence &+= 1
      track?.take(LineEvent(time: time, sequence: sequence, isRising: isHigh), into: &findings)
    }
    track?.elapsed(at: time, into: &findings)
    if isAnew {
      track?.forget()
      track?.look(level: isHigh, at: time, into: &findings)
    }
    bucket.take(findings.count)
    return findings
  }

  func count(_ bootTime: BootTime) -> PulseCount { track?.count(bootTime).following(counted) ?? counted }
}
