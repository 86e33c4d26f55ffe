import MQTTCore
import MQTTStore
import Records

extension StateStore {
  /// Carries out one request; the agent has one under way at a time. A request that throws has changed nothing.
  package func perform(_ request: StoreRequest) throws(StorageError) -> StoreAnswer {
    switch request {
    case .write(let changes):
      try write(changes)
      return .done
    case .number(let names): return .numbered(try numberStreams(names))
    case .read(let number, let ranges, let limit):
      return .rows(try readings(of: number, in: ranges, limit: limit))
    case .reopen(let damage): return .state(try reopen(replacing: damage))
    case .openOutbox(let device, let boot, let names):
      return .outbox(try openOutbox(device: device, boot: boot, names: names))
    case .setSessionAside: return .setAside(try setSessionAside())
    case .letGo:
      letGo()
      return .done
    }
  }

  /// All of it is on the disk when this returns. `StoreChanges` says what the order is for.
  private func write(_ changes: StoreChanges) throws(StorageError) {
    let attempt = "store what has changed"
    try verifyFile(attempt)
    let now = now
    try write(attempt) { database throws(StorageError) in
      if let epoch = changes.epoch { try Self.raiseEpoch(to: epoch, in: database) }
      if let instance = changes.instance { try Self.add(instance, to: database) }
      if let identity = changes.identity { try Self.write(identity, to: database) }
      for (name, count) in changes.counts { try Self.write(count, of: name, to: database) }
      for name in changes.outputsForgotten { try Self.forgetOutput(name, in: database) }
      for (name, isOn) in changes.outputs { try Self.write(isOn, ofOutput: name, to: database) }
      for gone in changes.forgotten { try Self.forget(gone.kind, topic: gone.topic, in: database) }
      for announcement in changes.announcements { try Self.write(announcement, to: database) }
      try Self.setClearings(added: changes.clearingsAdded, removed: changes.clearingsRemoved, in: database)
      for farewell in changes.farewellsRemoved { try Self.remove(farewell, from: database) }
      for farewell in changes.farewellsAdded { try Self.write(farewell, to: database) }
      for message in changes.setAside {
        try SessionTables.setAside(message.message, of: message.owner, in: database, now: now)
      }
      // Messages of an earlier process go first: the session may have a new one with that token.
      for token in changes.readings?.endedMessages ?? [] { try SessionTables.endMessage(token, in: database) }
      try SessionTables.apply(changes.session, to: database, now: now)
      // They belong to the session from here on: as waiting readings they would be sent a second time.
      for case .message(let message, _) in changes.session { try Self.endReading(message.token, in: database) }
      // After the session's changes: those may be older, and one of its messages may have come back since.
      if let batch = changes.readings { try Self.apply(batch, to: database) }
      try Self.reserve(changes.reserved, in: database)
      if let exact = changes.exact { try Self.goOnExactly(at: exact, in: database) }
      if let stop = changes.lastStop { try Self.write(stop, to: database) }
    }
  }
}
