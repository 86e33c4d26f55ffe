import LimpetInstants
import NIOCore

/// When this watch, or an earlier one, was connected to the broker: a value that takes what happens, and the time.
///
/// What devices were at other times nobody saw. The present time goes on by its beats alone, so it ends with the last one
/// when a process is killed, suspended or stopped: it may be too short by the distance of two beats, and never too long.
struct WatchedTimes: Sendable {
  struct Span: Sendable, Equatable {
    let from: Timestamp
    var until: Timestamp
  }

  /// Between two beats.
  static let beat = Duration.seconds(60)
  /// Beats that come later than this after the one before were not those of a process that ran.
  static let patience = Duration.seconds(150)
  /// Times that are remembered. Where there are more, the shortest is forgotten: it counts as not seen.
  static let limit = 48

  /// The oldest first; none overlaps another.
  private(set) var spans: [Span]
  /// The last one goes on.
  private(set) var isConnected = false
  private let age: Duration

  /// - Parameters:
  ///   - earlier: those of earlier processes, oldest first.
  ///   - age: what ended before is forgotten.
  init(_ earlier: [Span] = [], age: Duration) {
    spans = earlier
    self.age = age
  }

  mutating func connected(at now: Timestamp) {
    guard !isConnected else { return beat(at: now) }
    isConnected = true
    begin(at: now)
  }

  mutating func lost(at now: Timestamp) {
    beat(at: now)
    isConnected = false
  }

  /// The process runs.
  mutating func beat(at now: Timestamp) {
    guard isConnected, let last = spans.last else { return }
    let pause = now.microseconds - last.until.microseconds
    // It was suspended or stopped, or the clock was set.
    guard pause >= 0, pause <= Self.patience.wholeNanoseconds / 1000 else { return begin(at: now) }
    spans[spans.count - 1].until = now
    forget(at: now)
  }

  private mutating func begin(at now: Timestamp) {
    // A clock that was put back: what was seen in the time that comes once more is not known any more.
    spans = spans.filter { $0.from.microseconds < now.microseconds }.map {
      $0.until.microseconds > now.microseconds ? Span(from: $0.from, until: now) : $0
    }
    spans.append(Span(from: now, until: now))
    forget(at: now)
  }

  /// `[[FROM,UNTIL],…]` in milliseconds; without an end where it goes on.
  var json: ByteBuffer {
    let texts = spans.indices.map { index in
      let isOpen = isConnected && index == spans.count - 1
      return "[\(spans[index].from.milliseconds),\(isOpen ? "null" : "\(spans[index].until.milliseconds)")]"
    }
    return ByteBuffer(string: "[\(texts.joined(separator: ","))]")
  }

  private mutating func forget(at now: Timestamp) {
    let oldest = now.microseconds - age.wholeNanoseconds / 1000
    spans.removeAll { $0.until.microseconds < oldest }
    while spans.count > Self.limit,
      let shortest = spans.indices.dropLast().min(by: { spans[$0].length < spans[$1].length })
    {
      spans.remove(at: shortest)
    }
  }
}

extension WatchedTimes.Span {
  /// What is left of it once changes were lost until a moment; nil: nothing.
  func after(_ gap: Timestamp?) -> Self? {
    guard let gap, gap.microseconds >= from.microseconds else { return self }
    return gap.microseconds < until.microseconds ? Self(from: gap, until: until) : nil
  }

  fileprivate var length: Int64 { until.microseconds - from.microseconds }
}
