import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring

/// One line of `GPIOWatch`: what is done with its events, and when it is polled.
///
/// It is closed (with the reason, once it was looked for) –found and requested→ open –its chip is gone→ failed –has rested
/// and was given back→ closed. An open line is polled, except while it is resting: one that adds up for a moment, so that one
/// wake-up serves many pulses, and a line whose readings are more than `maxRate` until it may have some again. The kernel
/// goes on recording meanwhile.
struct WatchedLine {
  private struct Held {
    let request: GPIORequest
    let place: GPIOPlace
    var track: LineTrack
    /// CLOCK_MONOTONIC, in nanoseconds; nil: it is polled.
    var restsUntil: Int64?
    /// It is only held until it has rested.
    var hasFailed = false
  }

  private struct Requested {
    let request: GPIORequest
    let place: GPIOPlace
    var settling: Settling
    /// Of the second line, if there is one.
    var secondSettling: Settling
  }

  /// How long a line that failed is left alone. When /dev loses a chip, its driver may still be taking the interrupts
  /// away: Linux 6.1 crashed with gpio-sim where lines were given back meanwhile.
  static let failureRest: Int64 = 100_000_000

  /// In microseconds.
  private static let lookPause: UInt32 = 1_000
  /// How long a line that adds up rests after it was read.
  private static let sumRest: Int64 = 20_000_000
  /// No more events of one line are taken before the others have their turn.
  private static let turn = 256
  /// The parts of a second for which a line rests that has used up its rate.
  private static let rateRests = 50

  let input: GPIOInput
  let isSummed: Bool
  /// nil: it is closed.
  private var held: Held?
  /// It has been requested, and its level is yet to rest.
  private var requested: Requested?
  /// `GPIOPoller` has it.
  private(set) var isPolled = false
  /// Which of `LineOpener`'s requests is for it; nil: none.
  private(set) var ticket: Int?
  /// Why it is closed; nil: it was not looked for.
  private var failure: GPIOError?
  private var bucket: TokenBucket
  /// By requests that are gone.
  private var earlier = PulseCount()

  /// - Parameter now: CLOCK_MONOTONIC, in nanoseconds, as everywhere here.
  init(_ input: GPIOInput, at now: Int64) {
    self.input = input
    isSummed = input.mode.isSummed
    bucket = TokenBucket(rate: input.maxRate, burst: max(1, input.maxRate / 2), at: now)
  }

  /// Each of its events is reported as it comes.
  var reportsAtOnce: Bool { !isSummed && held?.track.isDebounced == false }
  var isOpen: Bool { held?.hasFailed == false }
  /// Nobody has it, or it failed and has not been given back.
  var isClosed: Bool { !isOpen && !isPolled && ticket == nil }
  /// It is open, and its chip is not there any more.
  var isOrphaned: Bool { isOpen && held?.request.isChipThere == false }
  /// Its sums, in modes that add up.
  func count(_ bootTime: BootTime) -> PulseCount { held?.track.count(bootTime).following(earlier) ?? earlier }
  /// The sums were read.
  mutating func mark() { held?.track.mark() }

  // MARK: Waiting

  enum Next {
    /// It is not open, or there is no room for its reports.
    case nothing
    case rest(until: Int64)
    /// - Parameter deadline: when there is something to do without an event.
    case poll(CInt, deadline: Int64?)
  }

  /// What the line waits for.
  mutating func next(at now: Int64, hasRoom: Bool) -> Next {
    guard isOpen, let descriptor = held?.request.descriptor else { return .nothing }
    if let end = held?.restsUntil {
      if now < end { return .rest(until: end) }
      held?.restsUntil = nil
    }
    // Lines that only add up make no reports, so they need no room.
    guard hasRoom || isSummed else { return .nothing }
    return .poll(descriptor, deadline: held?.track.deadline)
  }

  // MARK: Events

  /// Takes events that wait.
  ///
  /// - Parameter events: kept between turns, so that no turn allocates.
  mutating func take(
    at now: Int64, by events: inout [LineEvent], into findings: inout [LineTrack.Finding]
  ) throws(GPIORequest.Errno) {
    let room = isSummed ? Self.turn : min(Self.turn, bucket.available(at: now))
    let isDrained = try read(atMost: room, by: &events, into: &findings)
    if isSummed {
      // What is left waits for the next turn, which comes at once.
      held?.restsUntil = isDrained ? now + Self.sumRest : nil
    } else {
      bucket.take(events.count)
      if bucket.available(at: now) == 0 {
        held?.restsUntil = bucket.time(of: max(1, input.maxRate / Self.rateRests))
      }
    }
    // Only after every edge before now was read is it certain that none came.
    if isDrained { elapsed(at: now, into: &findings) }
  }

  /// No event has come since the last.
  mutating func elapsed(at now: Int64, into findings: inout [LineTrack.Finding]) {
    held?.track.elapsed(at: now, into: &findings)
  }

  /// Takes everything that the kernel has; a storm would never end.
  mutating func drain(at now: Int64, by events: inout [LineEvent], into findings: inout [LineTrack.Finding]) {
    _ = try? read(atMost: Int(GPIORequest.bufferSize), by: &events, into: &findings)
    elapsed(at: now, into: &findings)
  }

  /// - Returns: whether no event is left.
  private mutating func read(
    atMost room: Int, by events: inout [LineEvent], into findings: inout [LineTrack.Finding]
  ) throws(GPIORequest.Errno) -> Bool {
    events.removeAll(keepingCapacity: true)
    guard let request = held?.request else { return true }
    var isDrained = false
    while !isDrained && events.count < room {
      let wanted = min(room - events.count, 64)
      isDrained = try request.read(atMost: wanted, into: &events) < wanted
    }
    for event in events { held?.track.take(event, into: &findings) }
    return isDrained
  }

  // MARK: Finding

  /// Where a line is, and its second one.
  struct Places {
    let first: GPIOPlace
    let second: GPIOPlace?
  }

  /// Where the line is now, if it can be taken.
  func places(in inventory: GPIOInventory) throws(GPIOError) -> Places {
    let place = try input.place(in: inventory)
    let second = try input.second?.place(in: inventory)
    if let second, second.path != place.path { throw .twoChips(place, second) }
    return Places(first: place, second: second)
  }

  /// `LineOpener` requests it.
  mutating func isAsked(for ticket: Int) { self.ticket = ticket }

  /// Requests the line, with its bias; its level may take a moment to rest.
  mutating func request(at places: Places, root: FileRoot) throws(GPIOError) {
    let request = try GPIORequest(input, at: places.first, places.second, root: root)
    let now = BootTime.monotonic()
    requested = Requested(
      request: request, place: places.first, settling: Settling(at: now), secondSettling: Settling(at: now))
  }

  /// It was requested, and its level does not rest yet.
  mutating func isSettling() -> Bool {
    guard let request = requested?.request, let levels = try? request.levels() else { return false }
    let now = BootTime.monotonic()
    let first = requested?.settling.take(level: levels & 1 != 0, at: now)
    let second = requested?.secondSettling.take(level: levels & 2 != 0, at: now)
    return first == false || second == false
  }

  enum Opening {
    case watched(GPIOPlace)
    /// The chip has no interrupt for it, so its level has to be looked at.
    case toPoll(GPIOPlace)
    /// The same, and looking is not enough.
    case unwatchable(GPIOPlace)
  }

  /// Begins to watch what was requested; a state's level is a finding.
  ///
  /// - Returns: nil: nothing was.
  mutating func open(into findings: inout [LineTrack.Finding]) throws(GPIOError) -> Opening? {
    guard let requested else { return nil }
    // If this fails it is released.
    self.requested = nil
    var place = requested.place
    do throws(GPIORequest.Errno) {
      guard try requested.request.watchEdges(input, at: place) else {
        // Between two looks a knob makes more steps than can be counted.
        if input.mode == .encoder { return .unwatchable(place) }
        isPolled = true
        place.poll = input.poll ?? GPIOInput.defaultPoll
        return .toPoll(place)
      }
      let start = BootTime.monotonic()
      let levels = try requested.request.levels()
      var track = LineTrack(
        mode: input.mode, debounce: requested.request.debounce, gesture: input.gesture, level: levels & 1 != 0,
        second: levels & 2 != 0, at: start)
      if let first = track.begin() { findings.append(first) }
      held = Held(request: requested.request, place: place, track: track)
      return .watched(place)
    } catch {
      throw .refused(place, errno: error.number)
    }
  }

  /// It is polled no more: its chip is gone.
  ///
  /// - Parameter count: what it has seen.
  mutating func wasLost(_ error: GPIOError, _ count: PulseCount) {
    isPolled = false
    failure = error
    earlier = count
  }

  /// Checks whether the level agrees with its events: a controller may have lost one. Not behind a bus, where a read
  /// takes as long as a transfer, and may hang.
  mutating func look(at now: Int64, by events: inout [LineEvent], into findings: inout [LineTrack.Finding]) {
    guard isOpen, input.mode == .state, let held, held.restsUntil == nil, !held.place.isBehindBus else { return }
    for _ in 0..<2 {
      guard let level = try? held.request.level(),
        let isDrained = try? read(atMost: Self.turn, by: &events, into: &findings),
        isDrained, events.isEmpty
      else { return }
      if self.held?.track.agrees(with: level) != false { return }
      // An event may be on its way.
      usleep(Self.lookPause)
    }
    guard let level = try? held.request.level() else { return }
    self.held?.track.look(level: level, at: BootTime.monotonic(), into: &findings)
  }

  /// It cannot be opened.
  ///
  /// - Returns: whether the reason is another one than before.
  mutating func fail(_ error: GPIOError) -> Bool {
    guard error != failure else { return false }
    failure = error
    return true
  }

  /// It is used no more.
  ///
  /// - Returns: why, in words; nil: it was not open.
  mutating func close(because cause: GPIORequest.Errno, at now: Int64) -> GPIOError? {
    guard isOpen, let place = held?.place else { return nil }
    let error = cause.number == ENODEV ? GPIOError.gone(place) : .refused(place, errno: cause.number)
    held?.hasFailed = true
    held?.restsUntil = now + Self.failureRest
    failure = error
    return error
  }

  /// Gives a line that failed back to the kernel when it has rested.
  ///
  /// - Returns: when it will have; nil: it is closed, and can be looked for.
  mutating func giveBack(at now: Int64, _ bootTime: BootTime, by opener: LineOpener) -> Int64? {
    guard let held else { return nil }
    if let end = held.restsUntil, now < end { return end }
    earlier = held.track.count(bootTime).following(earlier)
    release(by: opener)
    return nil
  }

  /// Gives the line back to the kernel, whatever it was for.
  mutating func release(by opener: LineOpener) {
    if let held, held.place.isBehindBus { opener.release(held.request, of: held.place) }
    held = nil
  }
}
