import Glibc

/// The thread that watches GPIO lines: it sleeps in poll(2) until one has events, and never looks at a level but once
/// after a line was requested.
///
/// An input is `closed` (with the reason, once it was looked for) –found and requested→ `open` –its chip is gone→
/// `closed`. Open lines are polled, except while they are `resting`: a counter for a moment, so that one wake-up serves
/// many pulses, and a line whose readings are more than `maxRate` until it may have some again. The kernel goes on
/// recording meanwhile.
final class GPIOWatch {
  private struct Line {
    let input: GPIOInput
    var state = State.closed(nil)
    var bucket: TokenBucket
    /// Pulses counted by requests that are gone.
    var earlierPulses: UInt64 = 0

    enum State {
      case closed(GPIOError?)
      case open(Open)
      /// Nobody wants it any more.
      case released
    }

    init(_ input: GPIOInput, at now: Int64) {
      self.input = input
      bucket = TokenBucket(rate: input.maxRate, burst: max(1, input.maxRate / 2), at: now)
    }
  }

  /// What else is to be watched, in order.
  enum Change {
    case release(Int)
    case add(GPIOInput, at: Int)
  }

  private struct Open {
    let request: GPIORequest
    let place: GPIOPlace
    var track: LineTrack
    /// CLOCK_MONOTONIC, in nanoseconds; nil: it is polled.
    var restsUntil: Int64?
  }

  /// How often lines that are closed are looked for, and chips looked after.
  private static let checkInterval: Int64 = 5_000_000_000
  /// How long a counter rests after it was read.
  private static let counterRest: Int64 = 20_000_000
  /// No more events of one line are taken before the others have their turn.
  private static let turn = 256
  /// The parts of a second for which a line rests that has used up its rate.
  private static let rateRests = 50

  private let root: FileRoot
  private let mailbox: GPIOMailbox
  private let devices: DeviceFolder
  private var lines: [Line]
  private var bootTime = BootTime()
  private var nextCheck: Int64 = 0
  private var hasRoom = true
  private var polled: [pollfd] = []
  /// The line of each descriptor that is polled, behind those of the mailbox and of /dev.
  private var polledLines: [Int] = []
  // Kept between turns, so that no turn allocates.
  private var events: [LineEvent] = []
  private var findings: [LineTrack.Finding] = []
  private var reports: [GPIOReport] = []

  init(_ inputs: [GPIOInput], root: FileRoot, mailbox: GPIOMailbox) {
    self.root = root
    self.mailbox = mailbox
    devices = DeviceFolder(root: root)
    let now = BootTime.monotonic()
    lines = inputs.map { Line($0, at: now) }
  }

  /// Returns when the mailbox says stop.
  func run() {
    while !mailbox.shouldStop {
      mailbox.turns.add(1, ordering: .relaxed)
      let now = BootTime.monotonic()
      if now >= nextCheck { check(at: now) }
      deliver()
      wait()
      bootTime.refresh()
      takeTurns()
      change()
      deliver()
    }
    drain()
    deliver()
    for index in lines.indices { lines[index].state = .released }
    mailbox.finish()
  }

  // MARK: Waiting

  private func wait() {
    let now = BootTime.monotonic()
    var wakeUp = nextCheck
    polled.removeAll(keepingCapacity: true)
    polledLines.removeAll(keepingCapacity: true)
    polled.append(pollfd(fd: mailbox.wakeUp, events: Int16(POLLIN), revents: 0))
    polled.append(pollfd(fd: devices.descriptor, events: Int16(POLLIN), revents: 0))
    for index in lines.indices {
      guard case .open(var open) = lines[index].state else { continue }
      if let end = open.restsUntil {
        guard now >= end else {
          wakeUp = min(wakeUp, end)
          continue
        }
        open.restsUntil = nil
        lines[index].state = .open(open)
      }
      // Counters have nothing to tell, so they need no room.
      guard hasRoom || lines[index].input.mode == .counter else { continue }
      if let deadline = open.track.deadline { wakeUp = min(wakeUp, deadline) }
      polled.append(pollfd(fd: open.request.descriptor, events: Int16(POLLIN), revents: 0))
      polledLines.append(index)
    }
    // Rounded up: a moment too early would be a turn for nothing.
    let milliseconds = max(0, (wakeUp - now + 999_999) / 1_000_000)
    _ = poll(&polled, nfds_t(polled.count), CInt(clamping: milliseconds))
  }

  private func takeTurns() {
    if polled[0].revents != 0 {
      var count: UInt64 = 0
      _ = read(mailbox.wakeUp, &count, MemoryLayout<UInt64>.size)
      // Whoever took the reports made room.
      hasRoom = true
    }
    if polled[1].revents != 0, devices.concernsChips() { nextCheck = 0 }
    for (position, index) in polledLines.enumerated() {
      takeTurn(of: index, answer: polled[position + 2].revents)
    }
  }

  private func takeTurn(of index: Int, answer: Int16) {
    guard case .open(var open) = lines[index].state else { return }
    let now = BootTime.monotonic()
    let isCounter = lines[index].input.mode == .counter
    var isDrained = true
    if answer & Int16(POLLIN) != 0 {
      let room = isCounter ? Self.turn : min(Self.turn, lines[index].bucket.available(at: now))
      events.removeAll(keepingCapacity: true)
      do throws(GPIORequest.Errno) {
        isDrained = try take(atMost: room, from: open.request)
      } catch {
        return close(index, open, because: error)
      }
      for event in events { open.track.take(event, into: &findings) }
      if isCounter {
        // What is left waits for the next turn, which comes at once.
        open.restsUntil = isDrained ? now + Self.counterRest : nil
      } else {
        lines[index].bucket.take(events.count)
        if lines[index].bucket.available(at: now) == 0 {
          open.restsUntil = lines[index].bucket.time(of: max(1, lines[index].input.maxRate / Self.rateRests))
        }
      }
    } else if answer != 0 {
      return close(index, open, because: GPIORequest.Errno(number: ENODEV))
    }
    // Only who has seen every edge before now may say that none came.
    if isDrained { open.track.elapsed(at: now, into: &findings) }
    report(index)
    lines[index].state = .open(open)
    if isCounter { mailbox.count(lines[index].earlierPulses + open.track.pulses, of: index) }
  }

  /// - Returns: whether no event is left.
  private func take(atMost room: Int, from request: GPIORequest) throws(GPIORequest.Errno) -> Bool {
    while events.count < room {
      let wanted = min(room - events.count, 64)
      if try request.read(atMost: wanted, into: &events) < wanted { return true }
    }
    return false
  }

  /// The last turn: everything that the kernel has.
  private func drain() {
    let now = BootTime.monotonic()
    for index in lines.indices {
      guard case .open(var open) = lines[index].state else { continue }
      events.removeAll(keepingCapacity: true)
      // A storm would never end.
      _ = try? take(atMost: Int(GPIORequest.bufferSize), from: open.request)
      for event in events { open.track.take(event, into: &findings) }
      open.track.elapsed(at: now, into: &findings)
      report(index)
      lines[index].state = .open(open)
      mailbox.count(lines[index].earlierPulses + open.track.pulses, of: index)
    }
  }

  // MARK: Changing

  private func change() {
    for change in mailbox.takeChanges() {
      switch change {
      case .release(let index):
        guard lines.indices.contains(index) else { continue }
        lines[index].state = .released
        reports.append(GPIOReport(input: index, content: .released, time: .now))
      case .add(let input, let index):
        let line = Line(input, at: BootTime.monotonic())
        if lines.indices.contains(index) { lines[index] = line } else { lines.append(line) }
        nextCheck = 0
      }
    }
  }

  // MARK: Finding

  private func check(at now: Int64) {
    nextCheck = now + Self.checkInterval
    for index in lines.indices {
      if case .open(let open) = lines[index].state, !open.request.isChipThere {
        close(index, open, because: GPIORequest.Errno(number: ENODEV))
      }
    }
    let isClosed = lines.map { if case .closed = $0.state { true } else { false } }
    guard isClosed.contains(true) else { return }
    let inventory = GPIOInventory(root: root)
    for index in lines.indices where isClosed[index] { open(index, inventory) }
  }

  private func open(_ index: Int, _ inventory: GPIOInventory) {
    let input = lines[index].input
    do throws(GPIOError) {
      let place = try input.place(in: inventory)
      let request = try GPIORequest(input, at: place, root: root)
      let start = BootTime.monotonic()
      let level: Bool
      do throws(GPIORequest.Errno) { level = try request.level() } catch {
        throw .refused(place, errno: error.number)
      }
      var track = LineTrack(mode: input.mode, debounce: request.debounce, level: level, at: start)
      reports.append(GPIOReport(input: index, content: .found(place), time: .now))
      if let first = track.begin() { findings.append(first) }
      report(index)
      lines[index].state = .open(Open(request: request, place: place, track: track))
    } catch {
      if case .closed(error) = lines[index].state { return }
      lines[index].state = .closed(error)
      reports.append(GPIOReport(input: index, content: .failed(error), time: .now))
    }
  }

  /// The chip is gone, or something worse: the line is let go of at once, and looked for at the next turn.
  private func close(_ index: Int, _ open: Open, because cause: GPIORequest.Errno) {
    let error = cause.number == ENODEV ? GPIOError.gone(open.place) : .refused(open.place, errno: cause.number)
    lines[index].earlierPulses += open.track.pulses
    lines[index].state = .closed(error)
    report(index)
    reports.append(GPIOReport(input: index, content: .failed(error), time: .now))
    // At once, in case it is back already; a line that fails on and on must not keep the thread busy.
    nextCheck = min(nextCheck, BootTime.monotonic() + Self.closeRest)
  }

  /// How long a line that failed is left alone.
  private static let closeRest: Int64 = 100_000_000

  // MARK: Telling

  private func report(_ index: Int) {
    for finding in findings {
      reports.append(
        GPIOReport(input: index, content: finding.content, time: bootTime.instant(of: finding.time)))
    }
    findings.removeAll(keepingCapacity: true)
  }

  private func deliver() {
    guard !reports.isEmpty else { return }
    hasRoom = mailbox.add(reports)
    reports.removeAll(keepingCapacity: true)
  }
}
