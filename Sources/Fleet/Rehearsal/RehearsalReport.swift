import JSON
import LimpetInstants
import LimpetText
import NIOCore

/// The results of a rehearsal.
struct RehearsalReport: Sendable {
  /// p50, p90, p99 and the longest, as people and programs read it.
  struct Spread: Sendable, Equatable {
    let count: UInt64
    let half, most, nearlyAll, longest: Duration

    /// nil: there are no values.
    init?(_ percentiles: Percentiles?) {
      guard let percentiles, let half = percentiles.duration(at: 0.5), let most = percentiles.duration(at: 0.9),
        let nearlyAll = percentiles.duration(at: 0.99)
      else { return nil }
      count = percentiles.count
      (self.half, self.most, self.nearlyAll, longest) = (half, most, nearlyAll, percentiles.longest)
    }
  }

  struct Storm: Sendable {
    let lost: Int
    let first: Duration?
    let returns: Spread?
    /// nil: not all came back.
    let lasted: Duration?
  }

  var server = ""
  var devices = 0
  var lasted = Duration.zero
  /// Until every device had been online, from the first connect; nil: one never was.
  var allOnlineAfter: Duration?
  var mostOnline = 0
  var connects: UInt64 = 0
  var mostConnects: UInt64 = 0
  var published: UInt64 = 0
  /// While all were online and nothing else happened to them.
  var messagesPerSecond = 0.0
  var bytesPerSecond = 0.0
  var acknowledgements: Spread?
  var ends: [(kind: Churn.Kind, count: UInt64, seen: Spread?)] = []
  var storms: [Storm] = []
  var wrongStates: UInt64 = 0
  var unjudgedEnds: UInt64 = 0
  var statesLeft = 0
  var readings: UInt64 = 0
  var lostReadings: UInt64 = 0
  var repeatedReadings: UInt64 = 0
  var excusedReadings: UInt64 = 0
  /// PINGREQ.
  var pingsPerSecond = 0.0
  /// Bytes, at the end of its time and at the most; nil: unknown.
  var memoryPerDevice: Double?
  var mostMemoryPerDevice: Double?
  /// Of one processor, while all were online.
  var processorShare: Double?
  var retainedTopics: Int?
  var problems: [(text: String, count: UInt64)] = []

  /// Faults; empty: none.
  var faults: [String] {
    var faults: [String] = []
    if allOnlineAfter == nil { faults.append("not every device was online: \(mostOnline) of \(devices) at once") }
    if wrongStates > 0 { faults.append("the subscriber saw \(wrongStates) wrong states") }
    if lostReadings > 0 { faults.append("\(lostReadings) readings were lost") }
    if storms.contains(where: { $0.lasted == nil }) { faults.append("not all devices came back after a storm") }
    if statesLeft > 0 { faults.append("\(statesLeft) devices are gone, and their status does not say offline") }
    return faults
  }

  // MARK: For people

  var text: String {
    var rows = [
      ("devices", "\(devices) at \(server), for \(lasted.inWords)"),
      (
        "online",
        (allOnlineAfter.map { "all after \(Self.words($0))" } ?? "at most \(mostOnline)")
          + "; \(connects) connections, at most \(mostConnects) in a second"
      ),
      (
        "messages",
        "\(Self.number(messagesPerSecond)) and \(Self.number(bytesPerSecond)) bytes a second of PUBLISH; \(published) in all"
      ),
    ]
    if let acknowledgements { rows.append(("acknowledged", Self.words(acknowledgements))) }
    for end in ends {
      rows.append(
        (
          end.kind.rawValue,
          "\(end.count); " + (end.seen.map { "seen offline \(Self.words($0))" } ?? "no subscriber saw it offline")
        ))
    }
    for storm in storms {
      rows.append(
        (
          "storm",
          "\(storm.lost) connections were lost; back after " + (storm.returns.map(Self.words) ?? "no time")
            + (storm.lasted == nil ? ", not all of them" : "")
        ))
    }
    rows.append(
      (
        "states",
        "\(wrongStates) wrong"
          + (unjudgedEnds > 0 ? "; limpet could not judge \(unjudgedEnds) ends of connections" : "")
      ))
    var words = "\(lostReadings) lost of \(readings)"
    if repeatedReadings > 0 { words += ", \(repeatedReadings) arrived twice" }
    if excusedReadings > 0 { words += "; \(excusedReadings) belonged to a session that the broker did not keep" }
    rows.append(("readings", words))
    if let memoryPerDevice, let mostMemoryPerDevice {
      rows.append(
        (
          "memory",
          "\(Self.kilobytes(memoryPerDevice)) KB a device, of this process alone; at most "
            + "\(Self.kilobytes(mostMemoryPerDevice)) KB with what was free in between"
        ))
    }
    if let processorShare {
      let each = processorShare / Double(max(1, devices)) * 1_000_000
      rows.append(
        ("processor", "\(Self.number(processorShare * 100)) % of one, \(Self.number(each)) µs a second for a device"))
    }
    if let retainedTopics { rows.append(("retained", "\(retainedTopics) messages cleared at the broker")) }
    for problem in problems { rows.append(("note", "\(problem.count) × \(problem.text)")) }
    return rows.map { $0.0.padded(to: 13) + $0.1 }.joined(separator: "\n")
  }

  private static func words(_ spread: Spread) -> String {
    "\(words(spread.half)) (half), \(words(spread.most)) (90 %), \(words(spread.nearlyAll)) (99 %), "
      + "\(words(spread.longest)) (longest)"
  }

  /// Below a second with more digits than for a clock on the wall.
  static func words(_ duration: Duration) -> String {
    let milliseconds = duration / .milliseconds(1)
    guard milliseconds < 1000 else { return "\(((milliseconds / 10).rounded() / 100).shortestDecimal) s" }
    let digits = milliseconds < 10 ? 100.0 : 1.0
    return "\(((milliseconds * digits).rounded() / digits).shortestDecimal) ms"
  }

  private static func kilobytes(_ bytes: Double) -> String { ((bytes / 102.4).rounded() / 10).shortestDecimal }

  private static func number(_ number: Double) -> String {
    (number >= 100 ? number.rounded() : (number * 100).rounded() / 100).shortestDecimal
  }

  // MARK: For programs

  var json: String {
    var object = JSONObject(capacity: 2048)
    object.add("event", "end")
    object.add("server", server)
    object.add("devices", UInt64(devices))
    object.add("seconds", Self.seconds(lasted))
    object.add("all_online_seconds", allOnlineAfter)
    object.add("most_online", UInt64(mostOnline))
    object.add("connects", connects)
    object.add("most_connects_per_second", mostConnects)
    object.add("published", published)
    object.add("messages_per_second", Self.rounded(messagesPerSecond))
    object.add("bytes_per_second", Self.rounded(bytesPerSecond))
    object.add("pings_per_second", Self.rounded(pingsPerSecond))
    object.add("acknowledged_seconds", acknowledgements)
    object.add(
      "ends",
      list: ends.map { end in
        var entry = JSONObject()
        entry.add("kind", end.kind.rawValue)
        entry.add("count", end.count)
        entry.add("offline_seen_seconds", end.seen)
        return entry.finish()
      })
    object.add(
      "storms",
      list: storms.map { storm in
        var entry = JSONObject()
        entry.add("lost", UInt64(storm.lost))
        entry.add("first_return_seconds", storm.first)
        entry.add("return_seconds", storm.returns)
        entry.add("all_returned_seconds", storm.lasted)
        return entry.finish()
      })
    object.add("wrong_states", wrongStates)
    object.add("unjudged_ends", unjudgedEnds)
    object.add("states_left", UInt64(statesLeft))
    object.add("readings", readings)
    object.add("lost_readings", lostReadings)
    object.add("repeated_readings", repeatedReadings)
    object.add("excused_readings", excusedReadings)
    if let memoryPerDevice { object.add("memory_bytes_per_device", memoryPerDevice.rounded()) }
    if let mostMemoryPerDevice { object.add("most_memory_bytes_per_device", mostMemoryPerDevice.rounded()) }
    if let processorShare {
      object.add("processor_share", Self.rounded(processorShare))
      object.add("processor_seconds_per_device_second", Self.precise(processorShare / Double(max(1, devices))))
    }
    if let retainedTopics { object.add("retained_topics", UInt64(retainedTopics)) }
    object.add(
      "problems",
      list: problems.map { problem in
        var entry = JSONObject()
        entry.add("text", problem.text)
        entry.add("count", problem.count)
        return entry.finish()
      })
    object.add("faults", texts: faults)
    return String(buffer: object.finish())
  }

  fileprivate static func seconds(_ duration: Duration) -> Double { ((duration / .microseconds(1)).rounded()) / 1e6 }
  private static func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }
  /// Of a device it is millionths.
  private static func precise(_ number: Double) -> Double { (number * 1e9).rounded() / 1e9 }
}

extension JSONObject {
  fileprivate mutating func add(_ name: StaticString, _ duration: Duration?) {
    if let duration { add(name, RehearsalReport.seconds(duration)) } else { addNull(name) }
  }

  fileprivate mutating func add(_ name: StaticString, _ spread: RehearsalReport.Spread?) {
    guard let spread else { return addNull(name) }
    var entry = JSONObject()
    entry.add("count", spread.count)
    entry.add("p50", RehearsalReport.seconds(spread.half))
    entry.add("p90", RehearsalReport.seconds(spread.most))
    entry.add("p99", RehearsalReport.seconds(spread.nearlyAll))
    entry.add("max", RehearsalReport.seconds(spread.longest))
    add(name, json: entry.finish())
  }
}
