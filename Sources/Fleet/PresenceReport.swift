import JSON
import LimpetInstants
import LimpetText

/// The content of a `presence` message (DESIGN, "Topics and payloads"), read from JSON that may come from any program:
/// as it came, so whoever shows it escapes it.
struct PresenceReport: Sendable, Equatable {
  enum Event: String { case birth, stop }

  var event: Event
  var reason: String?
  var epoch: UInt64?
  var instance: String?
  /// What the device is called for people.
  var name: String?
  var since: Timestamp?
  /// Only if another agent uses the same name: what is known of it.
  var conflict: String?

  /// nil where it is no JSON object with a known event.
  init?(_ payload: some Collection<UInt8>) {
    guard let fields = JSONValue(parsing: payload), let event = fields["event"]?.text.flatMap(Event.init(rawValue:))
    else { return nil }
    self.event = event
    reason = fields["reason"]?.text
    instance = fields["instance"]?.text
    name = fields["name"]?.text
    epoch = fields["epoch"]?.integer.flatMap { UInt64(exactly: $0) }
    since = fields["since"]?.text.flatMap { Timestamp($0) }
    switch fields["conflict"] {
    case .null, .flag(false), nil: conflict = nil
    case .some(let value): conflict = value.text ?? value.compact
    }
  }
}

extension Timestamp {
  /// Reads what RFC 3339 allows in UTC, from 1970 on: `2026-11-20T12:00:00Z`, with a fraction or without.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard (20...40).contains(bytes.count), bytes.last == UInt8(ascii: "Z"),
      zip([4, 7, 10, 13, 16], "--T::".utf8).allSatisfy({ bytes[$0] == $1 })
    else { return nil }
    func number(_ range: Range<Int>) -> Int64? {
      guard bytes[range].allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
      return Int64(String(decoding: bytes[range], as: UTF8.self))
    }
    guard let year = number(0..<4), year >= 1970, let month = number(5..<7), (1...12).contains(month),
      let day = number(8..<10), (1...31).contains(day), let hour = number(11..<13), hour < 24,
      let minute = number(14..<16), minute < 60, let second = number(17..<19), second <= 60
    else { return nil }
    var microseconds: Int64 = 0
    if bytes.count > 20 {
      let fraction = 20..<(bytes.count - 1)
      guard bytes[19] == UInt8(ascii: "."), !fraction.isEmpty, number(fraction.prefix(18)) != nil,
        let digits = number(fraction.prefix(6))
      else { return nil }
      microseconds = stride(from: fraction.count, to: 6, by: 1).reduce(digits) { value, _ in value * 10 }
    }
    // Years begin in March here, as where dates are written.
    let shifted = month > 2 ? year : year - 1
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    self.init(sinceEpoch: .seconds(seconds) + .microseconds(microseconds))
  }
}
