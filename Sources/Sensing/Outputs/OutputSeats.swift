import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring

/// One output: what was asked for, and what is held of it. It is on one thread at a time.
struct OutputSeat: Sendable {
  let place: Int
  let request: OutputRequest
  var safe: OutputEnd
  /// One that would not stay as `safe` leaves it is not taken.
  let mustStay: Bool
  /// Of every request, but for the one that a drive was meant for.
  let start: OutputLevel
  var adopts: Bool
  /// Of the next request, where a level was asked for while it was not held.
  var next: OutputLevel?
  /// nil: it is to be looked for.
  var held: (any HeldOutput)?
  var description = ""
  /// Why it is not held, as it was reported.
  var failure: OutputError?
  var attempts = 0
  /// Since when another output of this process has it that is about to be let go of; CLOCK_MONOTONIC, in nanoseconds.
  var waitsSince: Int64?
  /// When it is looked for again; CLOCK_MONOTONIC, in nanoseconds.
  var due: Int64 = 0
  /// Its device is gone, and it may be given back to the kernel when it is due.
  var gone: (any HeldOutput)?

  init(
    _ place: Int, _ request: OutputRequest, _ level: OutputLevel, adopts: Bool, safe: OutputEnd, mustStay: Bool
  ) {
    (self.place, self.request, start, self.adopts, self.safe) = (place, request, level, adopts, safe)
    self.mustStay = mustStay
  }

  /// A level that only a line has that stays as it is when nobody holds it.
  fileprivate var isLeftOn: Bool {
    switch safe {
    case .level(let level): level.isOn
    case .untouched: true
    case .former: false
    }
  }

  var level: OutputLevel { next ?? start }
}

/// The outputs that one thread has, and what it does with them.
///
/// An output is unheld –found, taken→ held –a drive fails, its device is gone→ unheld, and looked for again after a while.
struct OutputSeats {
  /// Between two looks for one that is not held, in nanoseconds: the first soon, since udev gives devices to their group a
  /// moment after the kernel made them.
  private static let (firstPause, longestPause) = (Int64(50_000_000), Int64(5_000_000_000))
  /// When a device goes its driver may still use it, as with `WatchedLine`; and the reader of the report has time to
  /// answer.
  private static let goneRest: Int64 = 100_000_000
  /// A transfer on a bus fails now and then: tried again after so many microseconds.
  private static let (tries, triesPause) = (3, UInt32(5_000))

  private let desk: OutputDesk
  private let record: OutputRecord
  private(set) var seats: [Int: OutputSeat] = [:]

  init(desk: OutputDesk, record: OutputRecord) {
    self.desk = desk
    self.record = record
  }

  var isEmpty: Bool { seats.isEmpty }

  mutating func add(_ seat: OutputSeat) { seats[seat.place] = seat }

  /// Hands those over that are not held, as others look for them.
  mutating func takeUnheld() -> [OutputSeat] {
    let unheld = seats.values.filter { $0.held == nil }
    for seat in unheld { seats[seat.place] = nil }
    return unheld
  }

  mutating func remove(_ place: Int) -> OutputSeat? { seats.removeValue(forKey: place) }

  /// Those that are not held and due, in the order of their places.
  func due(at now: Int64) -> [OutputSeat] {
    seats.values.filter { $0.held == nil && $0.due <= now }.sorted { $0.place < $1.place }
  }

  /// When the next one is; nil: none.
  var nextDue: Int64? { seats.values.filter { $0.held == nil }.map(\.due).min() }

  /// Devices have come: whoever is not held may be there.
  mutating func lookSoon() {
    for place in seats.keys where seats[place]?.held == nil && seats[place]?.gone == nil { seats[place]?.due = 0 }
  }

  /// A device that went away has had its rest.
  mutating func giveBackGone(_ place: Int) { seats[place]?.gone = nil }

  // MARK: Tasks

  mutating func carryOut(_ task: OutputDesk.Task, at place: Int, now: Int64) {
    switch task {
    case .hold(let seat): seats[place] = seat
    case .drive(let level, let number): drive(place, level, number, now)
    case .secure(let safe): secure(place, safe)
    case .release(let end): release(place, end)
    }
  }

  private mutating func drive(_ place: Int, _ level: OutputLevel, _ number: UInt64, _ now: Int64) {
    guard let held = seats[place]?.held, !desk.isUnanswered(place) else {
      seats[place]?.next = level
      return
    }
    do throws(OutputError) {
      let found = try Self.drive(held, level)
      desk.add(OutputReport(output: place, content: .driven(number: number, readBack: found), time: .now))
    } catch {
      fail(place, error, at: now)
    }
  }

  private mutating func secure(_ place: Int, _ safe: OutputEnd) {
    seats[place]?.safe = safe
    record.secure(place, safe)
  }

  private mutating func release(_ place: Int, _ end: OutputEnd) {
    guard let seat = seats.removeValue(forKey: place) else { return }
    // What is not held may be on: it failed, or hangs on a chip that does not answer.
    var isLeft = end == .untouched
    if let held = seat.held {
      do throws(OutputError) {
        try Self.repeating { () throws(OutputError) in try held.leave(end) }
        isLeft = true
      } catch {
        isLeft = false
        desk.add(OutputReport(output: place, content: .failed("\(error)"), time: .now))
      }
    }
    // What could not be left safe stays in the record: `limpet outputs --safe` tries it again.
    if isLeft { record.remove(place) } else { record.leave(place) }
    desk.released(place)
  }

  private static func drive(_ held: any HeldOutput, _ level: OutputLevel) throws(OutputError) -> OutputLevel? {
    try repeating { () throws(OutputError) in
      try held.drive(level)
      return try held.readBack(of: level)
    }
  }

  private static func repeating<R>(_ body: () throws(OutputError) -> R) throws(OutputError) -> R {
    for _ in 1..<tries {
      do { return try body() } catch { usleep(triesPause) }
    }
    return try body()
  }

  // MARK: Holding

  /// Takes an output that was found.
  mutating func take(_ place: Int, _ found: some FoundOutput, at now: Int64) {
    guard var seat = seats[place] else { return }
    seat.gone = nil
    do throws(OutputError) {
      if seat.mustStay, seat.isLeftOn, let why = found.looseness { throw .loose(found.description, why: why) }
      let former = record.put(found, seat.safe, at: place)
      let level = seat.level
      let (held, first) = try found.take(level, adopts: seat.adopts, former: former)
      let readBack = try held.readBack(of: first)
      seat.held = held
      seat.description = found.description
      (seat.next, seat.adopts, seat.failure, seat.attempts, seat.waitsSince) = (nil, false, nil, 0, nil)
      seats[place] = seat
      desk.add(
        OutputReport(output: place, content: .held(readBack ?? first, description: seat.description), time: .now))
    } catch {
      // It is somebody else's, and not to be made safe by us.
      if error.isOccupied { record.remove(place) }
      seats[place] = seat
      fail(place, error, at: now)
    }
  }

  /// It is not held (any more), and looked for again after a while.
  mutating func fail(_ place: Int, _ error: OutputError, at now: Int64) {
    guard var seat = seats[place] else { return }
    let pause = min(Self.firstPause << Int64(min(seat.attempts, 20)), Self.longestPause)
    seat.attempts += 1
    let wasHeld = seat.held != nil
    if wasHeld {
      (seat.gone, seat.held, seat.next) = (seat.held, nil, nil)
      seat.attempts = 0
    }
    seat.due = now + (wasHeld ? Self.goneRest : pause)
    let isNews = wasHeld || seat.failure != error
    seat.failure = error
    seats[place] = seat
    if isNews { desk.add(OutputReport(output: place, content: .failed("\(error)"), time: .now)) }
  }

  /// Another output of this process is about to be let go of, and this one is the same: after a reload that is no failure,
  /// unless it takes as long as a chip that hangs.
  mutating func postpone(_ place: Int, _ error: OutputError, at now: Int64) {
    let since = seats[place]?.waitsSince ?? now
    seats[place]?.waitsSince = since
    guard now - since < BusThread.patience else { return fail(place, error, at: now) }
    seats[place]?.due = now + Self.firstPause
  }

  /// Notices devices that are gone.
  mutating func lookAfter(at now: Int64) {
    for (place, seat) in seats where seat.held?.isThere == false { fail(place, .gone(seat.description), at: now) }
  }

  /// The kernel has returned, after a report that it does not: an output that is held is driven as after a new request.
  mutating func resume(_ place: Int, at now: Int64) {
    guard let seat = seats[place], let held = seat.held else { return }
    do throws(OutputError) {
      let found = try Self.drive(held, seat.level)
      seats[place]?.next = nil
      desk.add(
        OutputReport(
          output: place, content: .held(found ?? seat.level, description: seat.description), time: .now))
    } catch {
      fail(place, error, at: now)
    }
  }
}
