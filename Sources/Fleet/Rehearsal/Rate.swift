import Configuration
import LimpetText

/// A rate: `2/s`, `6/m`, `1/10s`; `0`: never.
public struct Rate: Sendable, Equatable {
  public let perSecond: Double

  init(perSecond: Double) { self.perSecond = perSecond }

  /// As an argument says it.
  public init(argument text: String) throws(ArgumentError) {
    guard text != "0" else {
      perSecond = 0
      return
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Double(parts[0]), count > 0, count <= 1_000_000, !parts[1].isEmpty else {
      throw ArgumentError(description: "\(quoted(text)) is not a rate; write 2/s, 6/m or 1/10s, or 0 for none")
    }
    let isUnit = parts[1].first.map { $0.isLetter } ?? false
    let time = try WrittenDuration.argument(isUnit ? "1\(parts[1])" : String(parts[1]))
    guard time > .zero else {
      throw ArgumentError(description: "\(quoted(text)) has no unit of time; write 2/s, 6/m or 1/10s")
    }
    perSecond = count / (time / .seconds(1))
  }

  /// Between one and the next; nil: never.
  var interval: Duration? { perSecond > 0 ? .seconds(1 / perSecond) : nil }
}

/// How connections end while a rehearsal lasts, and how often.
public struct Churn: Sendable, Equatable {
  /// How a device goes.
  public enum Kind: String, Sendable, CaseIterable {
    /// The process dies, and the kernel closes its connection: the broker publishes the will.
    case crash
    /// It says offline, DISCONNECT follows.
    case stop
    /// It stops reading and writing, and its connection stays: the broker has to notice.
    case halfOpen = "half-open"
  }

  /// Of the whole fleet.
  public var rates: [Kind: Rate] = [:]

  public init() {}

  /// `crash=1/s,stop=6/m,half-open=1/10s`
  public init(argument text: String) throws(ArgumentError) {
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: "=", maxSplits: 1).map(String.init)
      guard words.count == 2 else {
        throw ArgumentError(
          description: "\(quoted(String(part))) has no rate; write crash=1/s, stop=6/m or half-open=1/10s")
      }
      guard let kind = Kind(rawValue: words[0]) else {
        let kinds = Kind.allCases.map(\.rawValue)
        let near = Suggestion(candidates: kinds).nearest(to: words[0])
        let advice = near.map { "did you mean \($0)?" } ?? "write \(Suggestion.list(kinds))"
        throw ArgumentError(description: "\(quoted(words[0])) is not a way for a connection to end; \(advice)")
      }
      guard rates[kind] == nil else {
        throw ArgumentError(description: "\(kind.rawValue) appears twice; remove one")
      }
      rates[kind] = try Rate(argument: words[1])
    }
  }
}

/// When which end is due, and whom it is about: evenly in time, by chance among the devices.
struct ChurnPlan: Sendable {
  private var next: [(kind: Churn.Kind, at: Duration, interval: Duration)] = []

  init(_ churn: Churn) {
    for kind in Churn.Kind.allCases {
      guard let interval = churn.rates[kind]?.interval else { continue }
      next.append((kind, interval, interval))
    }
  }

  /// The ends that are due by now; of those that are late it makes up for at most one second's worth.
  ///
  /// - Parameter elapsed: since churn began.
  mutating func due(after elapsed: Duration) -> [Churn.Kind] {
    var due: [Churn.Kind] = []
    for index in next.indices {
      let oldest = elapsed - .seconds(1)
      if next[index].at < oldest {
        next[index].at = oldest
      }
      while next[index].at <= elapsed {
        due.append(next[index].kind)
        next[index].at += next[index].interval
      }
    }
    return due
  }
}
