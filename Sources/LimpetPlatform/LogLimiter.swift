import LimpetInstants
import Logging

/// Keeps one event from filling the log: so many lines of it at once, then one in a while, with the number of those that
/// were left out.
///
/// Events are the same when they come from the same place in the source and differ in digits only: the next try "in
/// 1.3 s" and "in 0.8 s" is one event, two sensors that fail are two. Texts that never repeat (what a sensor reads, what
/// a server says) must not fill the log either: an event that is not known draws on the budget of its place as well.
package struct LogLimiter {
  package typealias Instant = BootClock.Instant

  package enum Verdict: Equatable {
    /// With how many before it were left out.
    case write(leftOut: UInt64)
    /// - Parameter isFirst: none of it was left out before.
    case leaveOut(isFirst: Bool)
  }

  /// Lines that were left out, and that nothing followed which would say so.
  package struct Rest: Equatable {
    package let level: Logger.Level
    package let text: String
    package let count: UInt64

    package init(level: Logger.Level, text: String, count: UInt64) {
      self.level = level
      self.text = text
      self.count = count
    }
  }

  package static let burst = 20
  package static let interval = Duration.seconds(6)
  /// After so long without another one, a line says how many were left out.
  package static let quiet = Duration.seconds(60)
  /// How many different events it tracks at one time, and how many new ones of one place it writes at once.
  package static let limit = 256

  private struct Event {
    var level: Logger.Level
    var text: String
    /// When all of the burst is free again.
    var free: Instant
    var last: Instant
    var leftOut: UInt64 = 0
  }

  private var events: [String: Event] = [:]
  /// What is new, by its place: as many as the program's source has, and no more than `limit`.
  private var places: [String: Event] = [:]
  /// Lines that were left out, ever.
  package private(set) var suppressed: UInt64 = 0

  package init(suppressed: UInt64 = 0) {
    self.suppressed = suppressed
  }

  package mutating func take(_ level: Logger.Level, _ text: String, place: String, at now: Instant) -> Verdict {
    let key =
      place + String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).filter { !("0"..."9").contains($0) }))
    if var event = events[key] {
      defer { events[key] = event }
      return take(&event, burst: Self.burst, at: now)
    }
    Self.makeRoom(in: &places, at: now)
    let place = places[place] != nil || places.count < Self.limit ? place : ""
    var isNew = places[place] ?? Event(level: level, text: text, free: now, last: now)
    isNew.level = level
    isNew.text = text
    let verdict = take(&isNew, burst: Self.limit, at: now)
    places[place] = isNew
    guard case .write = verdict else { return verdict }
    Self.makeRoom(in: &events, at: now)
    if events.count < Self.limit {
      events[key] = Event(level: level, text: text, free: now + Self.interval, last: now)
    }
    return verdict
  }

  /// - Parameter burst: Lines that are written at once; each is free again after one more interval.
  private mutating func take(_ event: inout Event, burst: Int, at now: Instant) -> Verdict {
    event.last = now
    guard now + Self.interval * burst >= max(event.free, now) + Self.interval else {
      event.leftOut += 1
      suppressed += 1
      return .leaveOut(isFirst: event.leftOut == 1)
    }
    event.free = max(event.free, now) + Self.interval
    defer { event.leftOut = 0 }
    return .write(leftOut: event.leftOut)
  }

  /// When `takeRests` may have something; nil: nothing was left out.
  package var deadline: Instant? {
    [events, places].lazy.flatMap(\.values).filter { $0.leftOut > 0 }.map { $0.last + Self.quiet }.min()
  }

  package mutating func takeRests(at now: Instant) -> [Rest] {
    Self.takeRests(of: &events, at: now) + Self.takeRests(of: &places, at: now)
  }

  private static func takeRests(of events: inout [String: Event], at now: Instant) -> [Rest] {
    var rests: [Rest] = []
    for (key, event) in events where event.leftOut > 0 && event.last + quiet <= now {
      rests.append(Rest(level: event.level, text: event.text, count: event.leftOut))
      events[key]?.leftOut = 0
    }
    return rests
  }

  private static func makeRoom(in events: inout [String: Event], at now: Instant) {
    guard events.count >= limit else { return }
    events = events.filter { $0.value.free > now || $0.value.leftOut > 0 }
  }
}
