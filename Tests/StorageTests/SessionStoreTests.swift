import LimpetInstants
import MQTT
import NIOCore
import Testing

@testable import MQTTCore
@testable import MQTTStore
@testable import Records
@testable import Storage

@Suite("StateStore as SessionStore")
struct SessionStoreTests {
  private let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  private func message(_ token: UInt64, _ state: StoredMessage.State, expiry: UInt32? = nil) throws -> StoredMessage {
    var message = Message(
      topic: try TopicName("limpet/a/\(token)"), payload: ByteBuffer(bytes: [0, 255, UInt8(token)]), qos: .exactlyOnce,
      retain: token % 2 == 0)
    message.properties.contentType = "text/plain"
    message.properties.addUserProperty("a", "b\u{e4}")
    message.properties.messageExpiryInterval = expiry
    return StoredMessage(token: token, state: state, message: message)
  }

  private func identifier(_ number: UInt16) throws -> PacketIdentifier {
    try #require(PacketIdentifier(rawValue: number))
  }

  /// What the store has after a restart.
  private func state(after changes: [SessionChange]) async throws -> SessionState {
    var store = try await StateStore.open(folder: folder.path)
    try await store.apply(changes)
    await store.close()
    store = try await StateStore.open(folder: folder.path)
    defer { Task { [store] in await store.close() } }
    return try await store.loadSession()
  }

  @Test("a session is there after a restart, with every part of its messages")
  func survives() async throws {
    let subscription = Subscription(
      TopicFilter("a/+"), qos: .exactlyOnce, noLocal: true, retainHandling: .sendIfNew)
    let changes: [SessionChange] = [
      .owner(SessionOwner(server: "mqtts://a:8883", clientIdentifier: "c")),
      .message(try message(1, .queued), next: try identifier(3)),
      .message(try message(2, .published(identifier(65_535))), next: try identifier(4)),
      .message(try message(3, .released(identifier(7))), next: try identifier(5)),
      .message(try message(4, .queued), next: try identifier(6)), .ended(4),
      .message(try message(1, .published(identifier(5))), next: try identifier(6)),
      .held(try identifier(1), true), .held(try identifier(2), true), .held(try identifier(2), false),
      .received(try identifier(9), true), .subscribed(5, [subscription]), .subscribed(6, [subscription]),
      .unsubscribed(6), .subscribed(7, [subscription]), .givenBack(7, [subscription.filter]),
      .givenBack(8, [subscription.filter]), .unsubscribed(8),
    ]
    var expected = SessionState()
    for change in changes { expected.apply(change) }
    #expect(try await state(after: changes) == expected)
  }

  @Test("a session that begins anew keeps its messages and nothing of the old one")
  func begunAnew() async throws {
    let state = try await state(after: [
      .message(message(1, .queued), next: identifier(3)), .held(identifier(1), true), .received(identifier(9), true),
      .begunAnew,
    ])
    #expect(state.messages.count == 1)
    #expect(state.held.isEmpty && state.received.isEmpty)
  }

  @Test("message expiry counts down while no process runs; what is only queued and too old is gone")
  func expiry() async throws {
    var store = try await StateStore.open(folder: folder.path, now: { 1_720_001_000 })
    try await store.apply([
      .message(message(1, .queued, expiry: 60), next: identifier(2)),
      .message(message(2, .queued, expiry: 61), next: identifier(2)),
      .message(message(3, .published(identifier(1)), expiry: 10), next: identifier(2)),
    ])
    await store.close()
    store = try await StateStore.open(folder: folder.path, now: { 1_720_001_060 })
    let left = try await store.loadSession().messages
    #expect(left.map(\.token) == [2, 3])
    #expect(left.map(\.message.properties.messageExpiryInterval) == [1, 1])
    await store.close()
    // A clock that was set back.
    store = try await StateStore.open(folder: folder.path, now: { 5 })
    #expect(try await store.loadSession().messages.first?.message.properties.messageExpiryInterval == 61)
    await store.close()
  }

  @Test("a clock that jumps from 1970, or from where the board was switched off, ages nothing: the uptime does")
  func ageWithoutClock() async throws {
    func left(_ first: StoredTime, _ later: StoredTime) async throws -> [UInt32?] {
      let folder = try ScratchFolder()
      var store = try await StateStore.open(folder: folder.path, clock: { first })
      try await store.apply([.message(message(1, .queued, expiry: 60), next: identifier(2))])
      await store.close()
      store = try await StateStore.open(folder: folder.path, clock: { later })
      let messages = try await store.loadSession().messages
      await store.close()
      return messages.map(\.message.properties.messageExpiryInterval)
    }
    let real: Int64 = 1_795_000_000
    // Without anything but the wall clock: it was not set.
    #expect(try await left(StoredTime(wall: 100), StoredTime(wall: real)) == [60])
    // Within a boot, whatever the clock did.
    let early = StoredTime(wall: 100, uptime: 20, boot: "a", isCertain: false)
    #expect(try await left(early, StoredTime(wall: real, uptime: 25, boot: "a")) == [55])
    #expect(try await left(early, StoredTime(wall: 100, uptime: 80, boot: "a", isCertain: false)) == [])
    // From one boot to another: by the wall clock where it was kept both times.
    let kept = StoredTime(wall: real, uptime: 20, boot: "a")
    #expect(try await left(kept, StoredTime(wall: real + 10, uptime: 5, boot: "b")) == [50])
    #expect(try await left(kept, StoredTime(wall: real + 86_400, uptime: 5, boot: "b", isCertain: false)) == [60])
  }

  @Test(
    "a message that expired while no process ran is gone, and its token is another one's: never the old for the new")
  func expiredIsDeleted() async throws {
    var store = try await StateStore.open(folder: folder.path, now: { 1_720_001_000 })
    try await store.apply([.message(message(1, .queued, expiry: 1), next: identifier(2))])
    await store.close()
    store = try await StateStore.open(folder: folder.path, now: { 1_720_001_002 })
    #expect(try await store.loadSession().messages.isEmpty)
    var fresh = try message(1, .queued)
    fresh.message.payload = ByteBuffer(string: "new")
    try await store.apply([.message(fresh, next: identifier(2))])
    await store.close()
    store = try await StateStore.open(folder: folder.path, now: { 1_720_001_003 })
    #expect(try await store.loadSession().messages == [fresh])
    await store.close()
  }

  @Test("everything that was expired when the agent started is deleted too")
  func expiredIsDeletedAtStart() async throws {
    var store = try await StateStore.open(folder: folder.path, now: { 1_720_001_000 })
    try await store.apply([
      .message(message(1, .queued, expiry: 1), next: identifier(2)), .message(message(2, .queued), next: identifier(2)),
    ])
    await store.close()
    store = try await StateStore.open(folder: folder.path, now: { 1_720_001_002 })
    #expect(try await store.load().session.messages.map(\.token) == [2])
    let left = try await store.perform { database throws(StorageError) in
      try database.query("SELECT token FROM message") { $0.integer(0) }
    }
    #expect(left == [2])
    await store.close()
  }

  @Test("all changes of one call are stored or none")
  func atomic() async throws {
    let store = try await StateStore.open(folder: folder.path)
    try await store.perform { database throws(StorageError) in
      try database.execute("CREATE TRIGGER t BEFORE INSERT ON held_identifier BEGIN SELECT RAISE(ABORT, 'no'); END")
    }
    await #expect(throws: StorageError.self) {
      try await store.apply([.message(message(1, .queued), next: identifier(3)), .held(identifier(1), true)])
    }
    #expect(try await store.loadSession() == SessionState())
    await store.close()
  }

  @Test("the session of another client is set aside and counted, and the one before it goes")
  func aside() async throws {
    let store = try await StateStore.open(folder: folder.path)
    for (client, count) in [("old", 2), ("older", 1)] {
      try await store.apply([.owner(SessionOwner(server: "mqtt://a", clientIdentifier: client))])
      for number in 1...count {
        try await store.apply([.message(message(UInt64(number), .queued), next: identifier(3))])
      }
      #expect(try await store.setSessionAside() == count)
      #expect(try await store.loadSession().messages.isEmpty)
      #expect(try await store.loadSession().owner == nil)
    }
    await store.close()
  }

  @Test("a row that says nothing harms no other: it is counted once, and a message is kept beside the session")
  func unreadable() async throws {
    var store = try await StateStore.open(folder: folder.path)
    try await store.apply([
      .owner(SessionOwner(server: "mqtt://a", clientIdentifier: "board")),
      .message(message(7, .published(identifier(2))), next: identifier(3)),
    ])
    try await store.perform { database throws(StorageError) in
      try database.execute(
        """
        INSERT INTO message (token, identifier, released, packet, stored) VALUES (1, 1, 0, x'FFFF', 0);
        INSERT INTO message (token, identifier, released, packet, stored) SELECT -5, 9, released, packet, stored FROM message WHERE token = 7;
        INSERT INTO message (token, identifier, released, packet, stored)
          SELECT 9223372036854775807, 10, released, packet, stored FROM message WHERE token = 7;
        INSERT INTO message (token, identifier, released, packet, stored) SELECT 8, 2, released, packet, stored FROM message WHERE token = 7;
        INSERT INTO subscription VALUES (3, x'00');
        UPDATE message SET stored = -9223372036854775808;
        """)
    }
    await store.close()
    let held = try identifier(2)
    for expected in [4, 0] {
      store = try await StateStore.open(folder: folder.path)
      let state = try await store.load()
      #expect(state.unreadable == expected && state.keptAside == nil && state.writeError == nil)
      #expect(state.session.messages.map(\.token) == [7, 8])
      #expect(state.session.messages.map(\.state) == [.queued, .published(held)], "the newest has it")
      #expect(state.session.owner?.clientIdentifier == "board")
      let aside = try await store.perform { database throws(StorageError) in
        try database.query("SELECT client_identifier FROM message_aside") { $0.text(0) }
      }
      #expect(aside == Array(repeating: "board", count: 3))
      await store.close()
    }
  }
}
