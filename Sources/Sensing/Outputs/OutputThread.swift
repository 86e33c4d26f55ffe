import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// The driver's own thread: it finds outputs, and drives those that cannot hang long.
struct OutputThread: ~Copyable {
  /// How an output is found. What GPIO chips there are is looked at once for all that are found together.
  typealias Finder = @Sendable (OutputRequest, () -> GPIOInventory) throws(OutputError) -> any FoundOutput

  private static let checkInterval: Int64 = 5_000_000_000
  private static let classes: Set = ["pwm", "leds", "backlight", "hwmon", "gpio"]

  private let root: FileRoot
  private let desk: OutputDesk
  private let record: OutputRecord
  private let find: Finder
  private let devices: DeviceFolder
  private let events = DeviceEvents(isWanted: true)
  private var seats: OutputSeats
  private var nextCheck: Int64 = 0

  init(root: FileRoot, desk: OutputDesk, record: OutputRecord, find: @escaping Finder) {
    (self.root, self.desk, self.record, self.find) = (root, desk, record, find)
    devices = DeviceFolder(root: root)
    seats = OutputSeats(desk: desk, record: record)
  }

  /// Returns when it was stopped, and everything that was asked for before is done.
  mutating func run() {
    while true {
      desk.turns.add(1, ordering: .relaxed)
      let work = desk.takeWork()
      for seat in work.returned { seats.add(seat) }
      for (place, task) in work.tasks { seats.carryOut(task, at: place, now: BootTime.monotonic()) }
      let now = BootTime.monotonic()
      if now >= nextCheck {
        nextCheck = now + Self.checkInterval
        seats.lookAfter(at: now)
      }
      let busCheck = desk.lookAfterBuses(at: now)
      open(at: now)
      // What was asked for before is tried once.
      if work.isOver { break }
      // While it stops nothing is looked for again: what buses still have to do is all there is to wait for.
      let nextDue = desk.isStopping ? nil : seats.nextDue
      wait(until: min(nextCheck, busCheck ?? .max, nextDue ?? .max))
    }
    seats = OutputSeats(desk: desk, record: record)
    desk.finish()
  }

  private mutating func wait(until end: Int64) {
    // Rounded up: a moment too early would be a turn for nothing. Who stops looks again for what buses still have to do.
    let milliseconds = max(0, (end - BootTime.monotonic() + 999_999) / 1_000_000)
    var polled = [
      pollfd(fd: desk.wakeUp, events: Int16(POLLIN), revents: 0),
      pollfd(fd: devices.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: events.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    _ = poll(&polled, nfds_t(polled.count), CInt(clamping: milliseconds))
    if polled[0].revents != 0 {
      var count: UInt64 = 0
      _ = read(desk.wakeUp, &count, MemoryLayout<UInt64>.size)
    }
    var hasChanged = polled[1].revents != 0 && devices.concernsChips()
    if polled[2].revents != 0 {
      let news = events.take()
      hasChanged = hasChanged || news?.contains { Self.classes.contains($0.subsystem ?? "") } != false
    }
    guard hasChanged else { return }
    nextCheck = 0
    seats.lookSoon()
    for bus in desk.buses { bus.wake() }
  }

  // MARK: Finding

  private mutating func open(at now: Int64) {
    var inventory: GPIOInventory?
    for seat in seats.due(at: now) {
      // A line that failed is given back first.
      seats.giveBackGone(seat.place)
      do throws(OutputError) {
        let found = try find(seat.request) { [root] in
          let known = inventory ?? GPIOInventory(root: root)
          inventory = known
          return known
        }
        switch desk.claim(found.identity, for: seat.place) {
        case .granted: try take(seat.place, found, at: now)
        case .soon: seats.postpone(seat.place, .taken(found.description), at: now)
        case .refused: throw .taken(found.description)
        }
      } catch {
        miss(seat, error, at: now)
      }
    }
  }

  /// The kernel says of a line that this process holds no more than that it is busy.
  private mutating func miss(_ seat: OutputSeat, _ error: OutputError, at now: Int64) {
    guard case .line(.busy(let place, _)) = error,
      let other = desk.claim(of: FoundLine.identity(of: place), besides: seat.place)
    else { return seats.fail(seat.place, error, at: now) }
    let error = OutputError.taken("\(place)")
    if case .soon = other { return seats.postpone(seat.place, error, at: now) }
    seats.fail(seat.place, error, at: now)
  }

  private mutating func take(_ place: Int, _ found: some FoundOutput, at now: Int64) throws(OutputError) {
    guard let key = found.bus else { return seats.take(place, found, at: now) }
    guard !desk.isStopping, let seat = seats.remove(place) else { return }
    let (bus, isNew) = desk.send(seat, found, to: key) { [desk, record] in BusThread(desk: desk, record: record) }
    guard isNew else { return bus.wake() }
    let code = bus.start()
    guard code != 0 else { return }
    _ = desk.takeWork(of: bus)
    _ = desk.retire(bus)
    seats.add(seat)
    throw .noThread(errno: code)
  }

  /// The real way.
  static func finder(root: FileRoot) -> Finder {
    { request, inventory throws(OutputError) in
      switch request {
      case .gpio(let output): try FoundLine(output, in: inventory(), root: root)
      case .pwm(let output): try FoundPWM(output, root: root)
      case .led(let name): try FoundLight(.led, name, root: root)
      case .backlight(let name): try FoundLight(.backlight, name, root: root)
      case .fan(let output): try FoundFan(output, root: root)
      }
    }
  }
}
