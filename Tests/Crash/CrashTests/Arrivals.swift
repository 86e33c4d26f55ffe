import Foundation
import TestScene
import Testing

/// What a subscriber with a session that lasts has heard of one name, held against what was promised.
struct Arrivals {
  /// In the order in which each number came first.
  private(set) var first: [TestScene.Reading] = []
  private(set) var repeats = 0
  private(set) var outOfOrder = 0

  init(_ readings: [TestScene.Reading]) {
    var seen: Set<Int> = []
    for reading in readings {
      guard seen.insert(reading.seq).inserted else {
        repeats += 1
        continue
      }
      if let last = first.last, reading.seq < last.seq { outOfOrder += 1 }
      first.append(reading)
    }
  }

  /// Numbers from 1 to the last that never came.
  var missing: [Int] {
    let seen = Set(first.map(\.seq))
    return (1...(first.last?.seq ?? 1)).filter { !seen.contains($0) }
  }

  /// Pairs of readings with a gap between them that is not marked as one of an unclean stop.
  var unmarkedGaps: [(Int, Int)] {
    zip(first, first.dropFirst()).filter { $1.seq != $0.seq + 1 && $1.restarted != true }.map { ($0.seq, $1.seq) }
  }

  /// How long before each of these moments the last reading was taken that arrived, the longest of them.
  func loss(before moments: [Date]) throws -> TimeInterval {
    let dates = try first.map { try $0.date }
    return moments.map { moment in
      dates.lastIndex { $0 <= moment }.map { moment.timeIntervalSince(dates[$0]) } ?? 0
    }.max() ?? 0
  }
}
