import LimpetInstants

/// Storms: much of the fleet loses its connection at once, and all of it comes back.
struct StormWatch: Sendable {
  struct Storm: Sendable {
    let began: BootClock.Instant
    /// Connections that were lost.
    var lost = 0
    /// From the first loss to each device that came back.
    var returns = Percentiles()
    var firstReturn: Duration?
    /// Until all of them were back; nil: they are not.
    var lasted: Duration?
  }

  /// The first are kept.
  static let limit = 20

  private let threshold: Int
  private var away: Set<Int> = []
  /// The first of those that are away now.
  private var awaySince: BootClock.Instant?
  private(set) var storms: [Storm] = []
  private var isStorm = false

  /// - Parameter count: of devices; a tenth of them, and 10 at the least, make a storm.
  init(count: Int) { threshold = max(10, count / 10) }

  mutating func lost(_ device: Int, at now: BootClock.Instant) {
    guard away.insert(device).inserted else { return }
    if away.count == 1 { awaySince = now }
    if isStorm {
      storms[storms.count - 1].lost += 1
    } else if away.count >= threshold, storms.count < Self.limit {
      isStorm = true
      storms.append(Storm(began: awaySince ?? now, lost: away.count))
    }
  }

  mutating func returned(_ device: Int, at now: BootClock.Instant) {
    guard away.remove(device) != nil, isStorm else { return }
    let last = storms.count - 1
    let time = storms[last].began.duration(to: now)
    storms[last].firstReturn = storms[last].firstReturn ?? time
    storms[last].returns.add(time)
    if away.isEmpty { end(after: time) }
  }

  private mutating func end(after time: Duration) {
    storms[storms.count - 1].lasted = time
    isStorm = false
  }

  /// The run ended it, and it does not come back by itself.
  mutating func forget(_ device: Int, at now: BootClock.Instant) {
    guard away.remove(device) != nil, isStorm, away.isEmpty else { return }
    end(after: storms[storms.count - 1].began.duration(to: now))
  }
}
