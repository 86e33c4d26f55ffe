import DequeModule
import MQTTCore
import Records

/// Which rows are on the disk, as sections in the order of their tokens. A stream is known here by the store's number.
package struct OutboxIndex {
  /// How many sections are searched for one page.
  private static let rangeLimit = 32

  private var sections: Deque<OutboxSection> = []

  package init(_ sections: [OutboxSection] = []) { self.sections = Deque(sections) }

  package var first: OutboxSection? { sections.first }
  package var last: Session.Token? { sections.last?.last }
  package var bytes: Int { sections.reduce(0) { $0 + $1.bytes } }

  package mutating func removeFirst() { sections.removeFirst() }

  package mutating func append(_ token: Session.Token, stream: Int, bytes: Int) {
    let place = index(of: token)
    // The row has come back to its place among the others.
    guard place == sections.count else { return sections[place].append(token, stream: stream, bytes: bytes) }
    if sections.last.map(\.isFull) ?? true { sections.append(OutboxSection(first: token)) }
    sections[sections.count - 1].append(token, stream: stream, bytes: bytes)
  }

  /// A row is gone; does nothing if its section is gone, too.
  package mutating func remove(_ token: Session.Token, stream: Int, bytes: Int) {
    let index = index(of: token)
    guard index < sections.count, sections[index].first <= token else { return }
    sections[index].remove(stream: stream, bytes: bytes)
    if sections[index].count == 0 { sections.remove(at: index) }
  }

  /// Ranges with rows of a stream behind a token: as many as one read should take.
  package func ranges(of stream: Int, after token: Session.Token) -> [ClosedRange<Session.Token>] {
    var ranges: [ClosedRange<Session.Token>] = []
    for section in sections[index(of: token + 1)...] where section.count(of: stream) > 0 {
      ranges.append(max(section.first, token + 1)...section.last)
      if ranges.count == Self.rangeLimit { break }
    }
    return ranges
  }

  /// The first section that does not end before a token.
  private func index(of token: Session.Token) -> Int {
    var (low, high) = (0, sections.count)
    while low < high {
      let middle = (low + high) / 2
      if sections[middle].last < token { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
