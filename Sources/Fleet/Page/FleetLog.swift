import DequeModule
import JSON
import LimpetInstants
import LimpetText
import NIOCore
import Status

/// What a page shows of a fleet: each device as it is, and the last changes by their numbers, so that a page that was away for
/// a while gets what it missed, of each device the newest.
struct FleetLog {
  /// Changes that are remembered.
  static let limit = 10_000
  /// How far back a device's history goes, and how many states of it.
  static let history = (age: Duration.seconds(86_400), states: 48)
  /// Two words for one state of a device's topic.
  static let ends: Set<String> = ["lost", "offline"]
  /// Bytes of changes that are given at one time, about.
  static let portion = 65_536

  private struct Entry {
    var json: ByteBuffer
    /// `FleetChange.historyWord`, or `missing`.
    var kind: String
    var since: Timestamp?
    /// The number of its last change.
    var change: UInt64
    /// Of the device's life that the newest of its states is of, as far as that is known.
    var epoch: UInt64?
    var states: [(time: Timestamp, word: String)]
  }

  /// The number of the last change. Numbers go on from the microsecond of the beginning, so those of an earlier process,
  /// which a browser may still have, are none of this one's.
  private(set) var last: UInt64
  /// What is to be said of the connection to the broker.
  private(set) var connection = "connecting"
  private(set) var isConnected = false
  /// When what is said of devices was seen.
  private(set) var watched: WatchedTimes
  private var entries: [String: Entry] = [:]
  private var changes: Deque<(number: UInt64, name: String)> = []
  /// What an earlier watch has seen of devices that were not heard of yet.
  private var past: [String: [(time: Timestamp, word: String)]]
  private let expected: Set<String>
  /// The names of all entries in order, for those who ask for all; nil: a device has come or gone since.
  private var names: [String]?

  /// - Parameters:
  ///   - expected: devices that are missing until they are heard of.
  ///   - past: states by device, oldest first.
  ///   - watched: when earlier watches saw them.
  init(
    expected: [String], past: [String: [(time: Timestamp, word: String)]] = [:], watched: [WatchedTimes.Span] = [],
    at now: Timestamp
  ) {
    self.past = past
    self.watched = WatchedTimes(watched, age: Self.history.age)
    self.expected = Set(expected)
    last = UInt64(max(0, now.microseconds))
    for name in expected { entries[name] = Self.missing(name, wasHeard: past[name] != nil, change: 0) }
  }

  /// - Parameter wasHeard: it has reported, and nothing of it is retained any more.
  private static func missing(_ name: String, wasHeard: Bool, change: UInt64) -> Entry {
    var object = JSONObject(capacity: 96)
    object.add("device", name)
    object.add("state", "missing")
    if wasHeard { object.add("cleared", true) }
    return Entry(json: object.finish(), kind: "missing", since: nil, change: change, states: [])
  }

  /// It is in the list.
  func knows(_ device: String) -> Bool { entries[device] != nil }

  /// How many devices are in each state.
  var counts: [String: Int] { entries.values.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 } }

  // MARK: What happens

  /// - Returns: what is new in the device's history.
  @discardableResult
  mutating func take(_ change: FleetChange) -> FleetHistory.Row? {
    let name = change.device.name
    last += 1
    changes.append((last, name))
    if changes.count > Self.limit { changes.removeFirst() }
    if change.isGone || entries[name] == nil { names = nil }
    guard !change.isGone else {
      entries[name] = expected.contains(name) ? Self.missing(name, wasHeard: true, change: last) : nil
      return FleetHistory.Row(change)
    }
    let before = entries[name]
    // One that was missing has no states of its own yet.
    let known = before?.states ?? []
    var states = known.isEmpty ? past.removeValue(forKey: name) ?? [] : known
    let word = change.historyWord
    var epoch = before?.epoch ?? change.device.epoch
    var row: FleetHistory.Row?
    if states.last?.word != word {
      row = FleetHistory.Row(change)
      if let before, Self.ends.contains(before.kind), Self.ends.contains(word),
        epoch == change.device.epoch || change.device.epoch == nil
      {
        // How it ended is known only now.
        states[states.count - 1].word = word
        row?.isCorrection = true
      } else {
        states.append((change.time, word))
        epoch = change.device.epoch
      }
    }
    let oldest = change.time.microseconds - Self.history.age.wholeNanoseconds / 1000
    // The state that a day began with began before it.
    while states.count > Self.history.states || (states.count > 1 && states[1].time.microseconds < oldest) {
      states.removeFirst()
    }
    entries[name] = Entry(
      json: Self.json(change, states), kind: word, since: change.device.since,
      change: last, epoch: epoch, states: states)
    return row
  }

  mutating func connected(_ server: String, at now: Timestamp) {
    (connection, isConnected) = (server, true)
    watched.connected(at: now)
  }

  mutating func lost(_ reason: String, at now: Timestamp) {
    (connection, isConnected) = (reason, false)
    watched.lost(at: now)
  }

  /// This process runs.
  mutating func lives(at now: Timestamp) { watched.beat(at: now) }

  private static func json(_ change: FleetChange, _ states: [(time: Timestamp, word: String)]) -> ByteBuffer {
    var object = JSONObject(capacity: 384)
    change.add(to: &object)
    object.add("history") { bytes in
      bytes.append(UInt8(ascii: "["))
      for (index, state) in states.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes += "[\(state.time.microseconds / 1000),\"\(state.word)\"]".utf8
      }
      bytes.append(UInt8(ascii: "]"))
    }
    return object.finish()
  }

  // MARK: What a page gets

  /// `{"id":N,"connected":…,"broker":…,"watched":[…],"devices":[…]}`: all, and the number to go on from.
  mutating func listing() -> FleetListing {
    let names = names ?? entries.keys.sorted()
    self.names = names
    var object = JSONObject(capacity: 256)
    object.add("id", last)
    object.add("connected", isConnected)
    object.add("broker", connection)
    object.add("watched", json: watched.json)
    return FleetListing(object, names)
  }

  /// The next part of all; nil: that was all. Devices are as they are now: what changes after the listing began comes
  /// with the events after its number too.
  func part(of listing: inout FleetListing) -> ByteBuffer? { listing.next(atLeast: Self.portion) { entries[$0]?.json } }

  /// Whether everything after a number is remembered.
  func remembers(after number: UInt64) -> Bool {
    number == last || number < last && changes.first.map { $0.number <= number + 1 } ?? false
  }

  /// Server-sent events of what came after a number, and the number they go up to; nil: nothing came. A device that
  /// changed more than once is told as it is now, one of which nothing is kept as gone; a number that says nothing here is told to begin anew.
  func events(after number: UInt64) -> (events: ByteBuffer, last: UInt64)? {
    guard number != last else { return nil }
    guard remembers(after: number), let first = changes.first else {
      return (ByteBuffer(string: "id: \(last)\nevent: reset\ndata: {}\n\n"), last)
    }
    var buffer = ByteBuffer()
    var reached = number
    for index in changes.index(changes.startIndex, offsetBy: Int(number + 1 - first.number))..<changes.endIndex {
      let change = changes[index]
      reached = change.number
      let entry = entries[change.name]
      guard entry.map({ $0.change == change.number }) ?? true else { continue }
      buffer.writeString("id: \(change.number)\nevent: \(entry == nil ? "gone" : "device")\ndata: ")
      buffer.writeImmutableBuffer(entry?.json ?? Self.missing(change.name, wasHeard: true, change: 0).json)
      buffer.writeString("\n\n")
      if buffer.readableBytes >= Self.portion { break }
    }
    return (buffer, reached)
  }

  /// A sign of life, which says how the connection to the broker is.
  var beat: ByteBuffer {
    var object = JSONObject(capacity: 128)
    object.add("connected", isConnected)
    object.add("broker", connection)
    object.add("watched", json: watched.json)
    var buffer = ByteBuffer(string: "event: beat\ndata: ")
    buffer.writeImmutableBuffer(object.finish())
    buffer.writeString("\n\n")
    return buffer
  }

  /// Devices by state, and of so many each one, for Prometheus.
  func metrics(devices limit: Int, _ format: MetricText.Format = .prometheus) -> ByteBuffer {
    var text = MetricText(format, common: [])
    text.family(
      "limpet_fleet_connected", .gauge, "Whether the watch is connected to the broker", [([], isConnected ? "1" : "0")])
    let counts = counts
    let words = ["online", "offline", "lost", "expired", "other", "unknown", "missing"]
    text.family(
      "limpet_fleet_devices", .gauge, "Devices by state; an offline device said so itself, a lost one did not",
      words.map { ([("state", $0)], String(counts[$0] ?? 0)) })
    let named = entries.sorted { $0.key < $1.key }.prefix(limit)
    text.family(
      "limpet_device_up", .gauge, "Whether a device is online",
      named.map { ([("device", $0.key)], $0.value.kind == "online" ? "1" : "0") })
    text.family(
      "limpet_device_since_timestamp_seconds", .gauge, "When the state of a device began",
      named.compactMap { name, entry in
        entry.since.map { ([("device", name)], (Double($0.microseconds) / 1_000_000).shortestDecimal) }
      })
    return text.finish()
  }
}

extension FleetChange {
  /// What a history says of it: `lost` is one that is offline and has not said so itself.
  var historyWord: String { device.state == .offline && device.ending != .clean ? "lost" : device.state.word }
}
