import LimpetInstants

/// When which device wants to be called: one heap for all of them, where each has one place at the most.
struct Timetable: Sendable {
  /// Devices, the one that is due first at the root (Williams, "Heapsort", 1964).
  private var heap: [Int32] = []
  /// By device: its place in the heap; -1: none.
  private var places: [Int32]
  private var moments: [BootClock.Instant]

  init(count: Int) {
    places = Array(repeating: -1, count: count)
    moments = Array(repeating: BootClock.Instant(nanoseconds: .max), count: count)
    heap.reserveCapacity(count)
  }

  var next: BootClock.Instant? { heap.first.map { moments[Int($0)] } }

  /// - Parameter due: nil: never.
  mutating func set(_ device: Int, _ due: BootClock.Instant?) {
    let place = Int(places[device])
    guard let due else {
      if place >= 0 { remove(at: place) }
      return
    }
    let isSooner = due < moments[device]
    moments[device] = due
    guard place >= 0 else {
      heap.append(Int32(device))
      places[device] = Int32(heap.count - 1)
      return rise(from: heap.count - 1)
    }
    if isSooner { rise(from: place) } else { sink(from: place) }
  }

  /// The first whose time has come; it has no place any more.
  mutating func takeDue(at now: BootClock.Instant) -> Int? {
    guard let first = heap.first, moments[Int(first)] <= now else { return nil }
    remove(at: 0)
    return Int(first)
  }

  private mutating func remove(at place: Int) {
    let device = Int(heap[place])
    let last = heap.count - 1
    exchange(place, last)
    heap.removeLast()
    places[device] = -1
    moments[device] = BootClock.Instant(nanoseconds: .max)
    guard place < last else { return }
    rise(from: place)
    sink(from: place)
  }

  private func isSooner(_ left: Int, _ right: Int) -> Bool { moments[Int(heap[left])] < moments[Int(heap[right])] }

  private mutating func exchange(_ left: Int, _ right: Int) {
    heap.swapAt(left, right)
    places[Int(heap[left])] = Int32(left)
    places[Int(heap[right])] = Int32(right)
  }

  private mutating func rise(from start: Int) {
    var place = start
    while place > 0, isSooner(place, (place - 1) / 2) {
      exchange(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  private mutating func sink(from start: Int) {
    var place = start
    while true {
      var child = place * 2 + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, isSooner(child + 1, child) { child += 1 }
      guard isSooner(child, place) else { return }
      exchange(place, child)
      place = child
    }
  }
}
