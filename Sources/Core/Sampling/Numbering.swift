import LimpetInstants
import MQTTCore
import Outbox
import Readings
import Records

/// Gives readings their numbers, their labels of time and their tokens, and hands them to the outbox in their order.
///
/// Numbers are reserved on the disk before they are used; readings that wait for that are bounded. The owner asks for
/// `request(at:)` after each turn and at `deadline`, stores it, and answers with `reserved` or `reservationFailed`.
package struct Numbering: Sendable {
  /// What is counted here, since the start.
  package struct Counts: Sendable, Equatable {
    package var readings: UInt64 = 0
    package var badReadings: UInt64 = 0
    /// Edges that GPIO lines lost, as their gaps say.
    package var lostEdges: UInt64 = 0
  }

  /// All that belongs to one name, in the order of the plan's streams.
  private struct Name {
    let text: String
    /// No reading is taken of it any more.
    var isRemoved: Bool
    var last: Reading?
  }

  private var names: [Name]
  private var numbers: SequenceAllocator
  private var waiting = UnnumberedReadings()
  /// Of readings that have no number yet.
  package var waitingBytes: Int { waiting.bytes }
  /// The times that readings are stored with.
  private var labels: TimeLabels
  private var nextToken: Session.Token
  package private(set) var counts = Counts()
  /// Readings that were given up before they had a number, and are counted as dropped.
  private(set) var unnumberedDrops: UInt64 = 0
  /// Readings that the outbox had given up when that was last said.
  private var notedDrops: UInt64 = 0

  /// - Parameter firstToken: tokens are the order of readings, over restarts.
  package init(_ streams: [Stream], _ numbers: SequenceAllocator, firstToken: Session.Token) {
    names = streams.map { Name(text: $0.name, isRemoved: $0.isRemoved) }
    self.numbers = numbers
    labels = TimeLabels(streams: streams.count)
    nextToken = firstToken
  }

  /// Goes on with others behind those that there are; an id stays a name's.
  package mutating func adopt(_ streams: [Stream]) {
    names = streams.enumerated().map { index, stream in
      // A name that comes back begins anew, and one that is gone gets no gap.
      let goesOn = names.indices.contains(index) && !names[index].isRemoved && !stream.isRemoved
      return Name(text: stream.name, isRemoved: stream.isRemoved, last: goesOn ? names[index].last : nil)
    }
    labels.adopt(streams: streams.count)
    numbers.register(streams.lazy.filter { !$0.isRemoved }.map(\.name))
  }

  // MARK: Readings

  /// A reading was taken.
  package mutating func add(_ reading: UnnumberedReading) { waiting.append(reading) }

  /// Readings wait for their numbers.
  package var hasWaiting: Bool { !waiting.isEmpty }

  /// How many wait for their numbers.
  package var waitingCount: Int { waiting.count }

  /// Numbers the readings that wait, as far as numbers are reserved.
  ///
  /// - Parameter limit: bytes that may wait; a disk that does not answer must not fill the memory.
  package mutating func number(
    into outbox: inout Outbox, _ clock: WallClock, limit: Int, at now: BootClock.Instant,
    notes: inout [ReadingNote]
  ) {
    outbox.disk.notice(clock, at: now)
    while let reading = waiting.first, let number = numbers.next(names[reading.stream].text) {
      // Counted when they were given up.
      let isCounted = waiting.firstIsGap
      waiting.removeFirst()
      let numbered = Reading(
        stream: reading.stream, content: reading.content, unit: reading.unit, time: reading.time,
        sequence: number.sequence, restarted: number.restarted,
        label: labels.label(of: reading.time, stream: reading.stream, clock))
      count(numbered, isLossCounted: isCounted)
      outbox.append(numbered, token: nextToken, at: now)
      nextToken += 1
    }
    for gone in waiting.giveUp(beyond: limit) {
      if case .gap = gone.content {} else { unnumberedDrops += 1 }
      if case .gap(let lost) = gone.content { counts.lostEdges += lost } else { outbox.refuse(gone.stream) }
    }
    if outbox.dropped >= max(1, notedDrops * 2) {
      notedDrops = outbox.dropped
      notes.append(.bufferIsFull(dropped: notedDrops, isMemoryBound: outbox.isMemoryBound))
    }
  }

  private mutating func count(_ reading: Reading, isLossCounted: Bool) {
    counts.readings += 1
    switch reading.content {
    case .bad: counts.badReadings += 1
    case .gap(let lost): if !isLossCounted { counts.lostEdges += lost }
    case .good, .doubtful, .edge, .total, .output: break
    }
    // The value from before a gap is the last there is.
    if case .gap = reading.content, names[reading.stream].last != nil { return }
    names[reading.stream].last = reading
  }

  /// The last reading of a stream that has its number.
  package func last(of stream: StreamID) -> Reading? { names[stream].last }

  /// The last reading of each stream, then those that wait, in their order.
  package var contents: [(stream: StreamID, content: Reading.Content)] {
    names.compactMap { $0.last.map { ($0.stream, $0.content) } } + waiting.readings.map { ($0.stream, $0.content) }
  }

  // MARK: Reservations

  /// The names that need more numbers, with the end to store; empty: none does, or a request is under way.
  package mutating func request(at now: BootClock.Instant) -> [String: UInt64] { numbers.requests(at: now) }

  /// When a reservation that failed is asked for again.
  package var deadline: BootClock.Instant? { numbers.retryDeadline }

  package mutating func reserved(_ ends: [String: UInt64]) { numbers.reserved(ends) }

  /// Numbers go on in memory, until it is asked for again at `deadline`.
  ///
  /// - Parameter isPatient: false: it is asked for again with the next number.
  package mutating func reservationFailed(at now: BootClock.Instant, isPatient: Bool = true) {
    if isPatient { numbers.reservationFailed(at: now) } else { numbers.storageIsUnavailable() }
  }

  /// Another store was opened: all blocks are asked for anew.
  ///
  /// - Parameter lastToken: the last that the store has.
  package mutating func adopt(_ stored: [String: StoredSequence], lastToken: Session.Token?) {
    numbers.adopt(stored)
    numbers.storageIsUnavailable()
    nextToken = max(nextToken, (lastToken ?? 0) + 1)
  }

  /// What to store at a clean stop, so that the next start goes on without a gap.
  package var exact: [String: UInt64] { numbers.exact }
}

/// From what was measured to the outbox, from which `Sender` takes it.
extension Core {
  mutating func accept(_ reading: UnnumberedReading) {
    homie.take(reading.content, of: conversation.plan.streams[reading.stream].name)
    numbering.add(reading)
  }

  /// Numbers what has been read, as far as numbers are reserved.
  mutating func numberReadings(at now: Moment) {
    guard numbering.hasWaiting else { return }
    var notes: [ReadingNote] = []
    let rules = conversation.plan.outbox
    let isBounded = conversation.plan.link.mutation != .unnumberedHaveNoBound
    numbering.number(
      into: &conversation.sender.outbox, now.wall, limit: isBounded ? rules.memoryLimit ?? rules.limit : .max,
      at: now.boot,
      notes: &notes)
    for note in notes { effects.notes.append(.reading(note)) }
  }
}
