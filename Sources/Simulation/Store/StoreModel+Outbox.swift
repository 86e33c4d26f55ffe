import Records

extension StoredReading: TokenRow {}

extension StoreModel {
  /// The tables of readings that wait, and what belongs to them.
  package struct Outbox: Sendable, Equatable {
    package struct Boot: Sendable, Equatable {
      package let number: Int
      package let id: String
      /// In microseconds since 1970.
      package internal(set) var start: Int64?
    }

    /// The device that they are of.
    package internal(set) var device: String?
    package internal(set) var rows = TokenRows<StoredReading>()
    /// Names by their numbers, in order.
    package internal(set) var streams: [(number: Int, name: String)] = []
    /// The oldest first.
    package internal(set) var boots: [Boot] = []
    /// In the order of their names.
    package internal(set) var clearings: [String] = []
    /// Another device's.
    package internal(set) var aside: [StoredReading] = []

    package static func == (left: Self, right: Self) -> Bool {
      left.device == right.device && left.rows == right.rows && left.boots == right.boots
        && left.clearings == right.clearings && left.aside == right.aside
        && left.streams.elementsEqual(right.streams) { $0 == $1 }
    }
  }
}

extension StoreModel.Outbox {
  /// All streams, by name.
  var numbers: [String: Int] { Dictionary(streams.map { ($0.name, $0.number) }) { first, _ in first } }

  mutating func number(_ names: [String]) {
    for name in names where !streams.contains(where: { $0.name == name }) {
      streams.append(((streams.last?.number ?? 0) + 1, name))
    }
  }

  mutating func drop(_ ranges: [ClosedRange<UInt64>], sparing spared: [UInt64]) {
    guard !ranges.isEmpty else { return }
    let spared = Set(spared)
    rows.removeAll { row in !spared.contains(row.token) && ranges.contains { $0.contains(row.token) } }
  }

  func rows(of stream: Int, in ranges: [ClosedRange<UInt64>], limit: Int) -> [StoredReading] {
    var found: [StoredReading] = []
    for range in ranges where found.count < limit {
      found += rows.rows(in: range).lazy.filter { $0.stream == stream }.prefix(limit - found.count)
    }
    return found
  }

  /// - Parameter session: tokens of messages that it has.
  mutating func open(device: String, boot: String, names: [String], session: Set<UInt64>) -> StoredOutbox {
    var opened = StoredOutbox()
    if let owner = self.device, owner != device {
      opened.setAside = rows.elements.count
      aside = rows.elements
      rows = TokenRows()
      clearings = []
    }
    self.device = device
    opened.clearings = clearings
    rows.removeAll { session.contains($0.token) }
    streams.removeAll { !StoredBounds.streams.contains(Int64($0.number)) }
    let numbers = Set(streams.map(\.number))
    let count = rows.elements.count
    rows.removeAll { !$0.isPossible || !numbers.contains($0.stream) }
    opened.unreadable = count - rows.elements.count
    number(names)
    number(boot: boot)
    opened.streams = Dictionary(streams.map { ($0.number, $0.name) }) { first, _ in first }
    for boot in boots { opened.boots[boot.number] = boot.start }
    opened.boot = boots.first { $0.id == boot }?.number ?? 0
    opened.sections = sections
    return opened
  }

  private mutating func number(boot id: String) {
    guard !boots.contains(where: { $0.id == id }) else { return }
    boots.append(Boot(number: (boots.last?.number ?? 0) + 1, id: id))
    boots = boots.suffix(StoredBounds.keptBoots)
  }

  private var sections: [OutboxSection] {
    var sections: [OutboxSection] = []
    for row in rows.elements {
      if sections.last?.isFull ?? true { sections.append(OutboxSection(first: row.token)) }
      sections[sections.count - 1].append(
        row.token, stream: row.stream, bytes: StoredReading.size(ofData: row.data.count))
    }
    return sections
  }
}
