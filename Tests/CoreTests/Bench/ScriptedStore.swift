import MQTTCore
import Outbox
import Records

@testable import Core

/// A store that answers at once, when it is told to, or with an error; of readings it keeps the rows.
struct ScriptedStore {
  enum Manner {
    case atOnce
    /// The test answers.
    case held
    case failing(StorageError)
  }

  var manner = Manner.atOnce
  /// To `reopen`.
  var state = StoredState()
  /// To `openOutbox`.
  var outbox = StoredOutbox()

  /// All that it was asked, since the test looked last.
  var asked: [StoreRequest] = []
  /// What is under way.
  var pending: StoreTicket?
  var heldRequest: StoreRequest?
  var numbers: [String: Int]
  var rows: [UInt64: StoredReading] = [:]
  /// What was written, at its last value.
  var epoch: UInt64?
  var lastStop: LastStop?
  var exact: [String: UInt64]?
  var clearings: Set<String> = []
  var farewells: [StoredFarewell] = []

  init(_ streams: [Int: String]) {
    numbers = Dictionary(uniqueKeysWithValues: streams.map { ($1, $0) })
    outbox.streams = streams
    (outbox.boot, outbox.boots) = (1, [1: 0])
  }

  mutating func result(of request: StoreRequest) -> Result<StoreAnswer, StorageError>? {
    switch manner {
    case .atOnce: .success(answer(request))
    case .held: nil
    case .failing(let error): .failure(error)
    }
  }

  mutating func answer(_ request: StoreRequest) -> StoreAnswer {
    switch request {
    case .write(let changes):
      apply(changes)
      return .done
    case .number(let names):
      for name in names where numbers[name] == nil { numbers[name] = (numbers.values.max() ?? 0) + 1 }
      return .numbered(numbers)
    case .read(let number, let ranges, let limit):
      let found = rows.values.filter { row in row.stream == number && ranges.contains { $0.contains(row.token) } }
      return .rows(Array(found.sorted { $0.token < $1.token }.prefix(limit)))
    case .reopen: return .state(state)
    case .openOutbox: return .outbox(outbox)
    case .setSessionAside: return .setAside(0)
    case .letGo: return .done
    }
  }

  private mutating func apply(_ changes: StoreChanges) {
    for row in changes.readings?.readings ?? [] { rows[row.token] = row }
    for token in changes.readings?.finished ?? [] { rows[token] = nil }
    for case .message(let message, _) in changes.session { rows[message.token] = nil }
    epoch = changes.epoch ?? epoch
    lastStop = changes.lastStop ?? lastStop
    exact = changes.exact ?? exact
    clearings.formUnion(changes.clearingsAdded)
    clearings.subtract(changes.clearingsRemoved)
    farewells.removeAll { (changes.farewellsRemoved + changes.farewellsAdded).map(\.topic).contains($0.topic) }
    farewells += changes.farewellsAdded
  }
}

extension StorageError {
  static func bench(_ kind: Kind) -> StorageError {
    StorageError(kind, attempt: "write", file: "/store/session.db", message: "it does not")
  }
}

extension StoreRequest {
  /// What is asked, in a word.
  var word: String {
    switch self {
    case .write: "write"
    case .number: "number"
    case .read: "read"
    case .reopen: "reopen"
    case .openOutbox: "openOutbox"
    case .setSessionAside: "setSessionAside"
    case .letGo: "letGo"
    }
  }
}
