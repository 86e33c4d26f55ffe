import LimpetInstants

/// A moment of the world's own time, which no modelled clock shows: nanoseconds since the run began.
package typealias WorldTime = BootClock.Instant

/// What is to happen, by its time: a binary heap. What is due at the same time comes in the order in which it was put
/// in, so a run is the same each time.
package struct EventQueue<Event> {
  fileprivate struct Entry {
    let time: Int64
    let number: UInt64
    let event: Event

    func comes(before other: Entry) -> Bool {
      time != other.time ? time < other.time : number < other.number
    }
  }

  private var heap: [Entry] = []
  private var next: UInt64 = 0
  /// The time of what came out last: time never runs backwards.
  package private(set) var now: WorldTime

  package init(startingAt now: WorldTime = WorldTime(nanoseconds: 0)) { self.now = now }

  package var isEmpty: Bool { heap.isEmpty }
  package var count: Int { heap.count }

  /// When the next event is due.
  package var deadline: WorldTime? { heap.first.map { WorldTime(nanoseconds: $0.time) } }

  /// - Parameter time: one that has passed counts as now.
  package mutating func push(_ event: Event, at time: WorldTime) {
    heap.append(Entry(time: max(time, now).nanoseconds, number: next, event: event))
    next += 1
    rise(from: heap.count - 1)
  }

  /// The next event that is due until `limit`; `now` is its time then.
  package mutating func pop(until limit: WorldTime = WorldTime(nanoseconds: .max)) -> Event? {
    guard let first = heap.first, first.time <= limit.nanoseconds else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    now = WorldTime(nanoseconds: first.time)
    return first.event
  }

  /// Time passes without an event, never past one that is due.
  package mutating func advance(to time: WorldTime) {
    now = max(now, min(time, deadline ?? time))
  }

  private mutating func rise(from start: Int) {
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard heap[index].comes(before: heap[parent]) else { return }
      heap.swapAt(index, parent)
      index = parent
    }
  }

  private mutating func sink() {
    var index = 0
    while true {
      var first = index
      for child in 2 * index + 1...2 * index + 2 where child < heap.count && heap[child].comes(before: heap[first]) {
        first = child
      }
      guard first != index else { return }
      heap.swapAt(index, first)
      index = first
    }
  }
}

extension EventQueue.Entry: Sendable where Event: Sendable {}
extension EventQueue: Sendable where Event: Sendable {}
