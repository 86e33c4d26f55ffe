import Foundation
import MQTT
import MQTTCore
import MQTTStore
import NIOCore
import Storage
import TestScene
import Testing

/// The store as an application has it, with nothing of the agent's.
@Suite("A session on disk, for applications", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct SQLiteSessionStoreTests {
  private let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  private func open(at now: StoredTime = StoredTime(wall: 1_800_000_000)) async throws -> SQLiteSessionStore {
    try await SQLiteSessionStore.open(folder: folder.path) { now }
  }

  private func message(_ topic: TopicName, expiry: UInt32? = nil) -> Message {
    var message = Message(topic: topic, payload: ByteBuffer(string: "1"), qos: .atLeastOnce)
    message.properties.messageExpiryInterval = expiry
    return message
  }

  private func queued(_ token: Session.Token, _ message: Message) -> SessionChange {
    .message(StoredMessage(token: token, state: .queued, message: message), next: .first)
  }

  @Test("what a session has is there in the next process, in its order [MQTT-4.1.0-1]")
  func keeps() async throws {
    let first = try await open()
    let owner = SessionOwner(server: "mqtt://127.0.0.1:1", clientIdentifier: "a")
    try await first.apply([
      .owner(owner), queued(2, message("b")), queued(1, message("a")),
      .subscribed(7, [Subscription("t/#", qos: .exactlyOnce)]), .held(.first, true), .received(.first, true),
    ])
    await first.close()
    let second = try await open()
    let state = try await second.loadSession()
    #expect(state.owner == owner)
    #expect(state.messages.map(\.message.topic) == ["a", "b"])
    #expect(state.subscriptions == [7: [Subscription("t/#", qos: .exactlyOnce)]])
    #expect(state.held == [.first] && state.received == [.first])
    #expect(try await second.forgetSession() == 2)
    #expect(try await second.loadSession() == SessionState())
    await second.close()
    await #expect(throws: StorageError.self) { try await second.loadSession() }
  }

  @Test("an expired message is gone for good: its token is another's (M2)")
  func expires() async throws {
    let first = try await open()
    try await first.apply([queued(1, message("old", expiry: 1))])
    await first.close()
    let second = try await open(at: StoredTime(wall: 1_800_000_002))
    #expect(try await second.loadSession().messages.isEmpty)
    try await second.apply([queued(1, message("new"))])
    #expect(try await second.loadSession().messages.map(\.message.topic) == ["new"])
    await second.close()
  }

  @Test("two stores do not share a folder, and the error speaks of what an application has")
  func held() async throws {
    let first = try await open()
    let error = await #expect(throws: StorageError.self) { try await open() }
    let text = try #require(error).description
    #expect(text.contains("another program (process"))
    #expect(text.contains("give this one another folder"))
    // The folder's own name may have it.
    let words = text.replacingOccurrences(of: folder.path, with: "")
    #expect(!words.contains("limpet") && !words.contains("storage.path"))
    await first.close()
    try await open().close()
  }

  @Test("a damaged file is kept aside, and a session begun anew")
  func damaged() async throws {
    try folder.write("session.db", Array(repeating: 7, count: 4096))
    let store = try await open()
    let aside = try #require(await store.keptAside)
    #expect(aside.reason.kind == .notADatabase)
    #expect(aside.path == folder.path + "/session.db.corrupt-1800000000")
    #expect(try await store.loadSession() == SessionState())
    await store.close()
  }

  @Test("a removed file is an error that says so, not a session that is nowhere")
  func removed() async throws {
    let store = try await open()
    folder.remove("session.db")
    let error = await #expect(throws: StorageError.self) { try await store.apply([queued(1, message("t"))]) }
    #expect(error?.kind == .fileIsGone)
    await store.close()
  }

  @Test("limpet's own store is another program's, and left as it is")
  func foreign() async throws {
    let agents = try await StateStore.open(folder: folder.path)
    await agents.close()
    let error = await #expect(throws: StorageError.self) { try await open() }
    #expect(error?.kind == .foreign(applicationID: 0x4C4D_5054))
  }

  // MARK: With the client

  private static let away = ServerAddress(transport: .tcp, host: "127.0.0.1", port: 1)

  private func configuration(
    _ server: ServerAddress, _ store: SQLiteSessionStore
  ) async throws -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(servers: [server], clientIdentifier: "durable")
    configuration.connection.version = .v5
    try await configuration.keepSession(in: store)
    return configuration
  }

  private func running(_ client: MQTTClient, _ body: () async throws -> Void) async throws {
    async let run: Void = client.run()
    do { try await body() } catch {
      await client.abort()
      throw error
    }
    await client.disconnect()
    try await run
  }

  @Test("offline a message that no packet can carry is refused, and the file stays readable (M1)")
  func refusesFlaws() async throws {
    let first = try await open()
    let client = MQTTClient(try await configuration(Self.away, first))
    try await running(client) {
      let flaws: [(inout Properties) -> Void] = [
        { $0.contentType = String(repeating: "x", count: 65_536) }, { $0.responseTopic = "a/#" },
        { $0.contentType = "a\u{0}b" }, { $0.serverKeepAlive = 1 },
      ]
      for change in flaws {
        var flawed = message("flawed")
        change(&flawed.properties)
        await #expect(throws: PublishError.self) { try await client.publish(flawed) }
      }
      let result = try await client.publish(message("good"))
      #expect(result == .stored)
    }
    await first.close()
    let second = try await open()
    #expect(try await second.loadSession().messages.map(\.message.topic) == ["good"])
    await second.close()
  }

  @Test(
    "a stored message that the server does not take leaves the file, and the events say so (M7)",
    arguments: [true, false]
  )
  func comesToNothing(isTooLarge: Bool) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        switch packet {
        case .connect:
          var granted = Properties()
          if isTooLarge { granted.maximumPacketSize = 15 }
          connection.send(.connack(ConnAck(sessionPresent: false, reasonCode: .success, properties: granted)))
        case .publish(let publish):
          guard let identifier = publish.packetIdentifier else { return }
          connection.send(.puback(Acknowledgement(identifier, reasonCode: .notAuthorized)))
        default: FakeBroker.obliging(packet, connection)
        }
      }
      let first = try await open()
      let offline = MQTTClient(try await configuration(Self.away, first))
      var stored = message("t")
      stored.payload = ByteBuffer(string: "123456789")
      try await running(offline) { try await offline.publish(stored) }
      await first.close()
      let second = try await open()
      let server = ServerAddress(transport: .tcp, host: "127.0.0.1", port: broker.port)
      let online = MQTTClient(try await configuration(server, second))
      let events = online.events
      try await running(online) {
        for await event in events {
          guard case .unpublished(let message, _) = event else { continue }
          #expect(message.topic == "t")
          break
        }
      }
      #expect(try await second.loadSession().messages.isEmpty)
      await second.close()
    }
  }

  @Test("a message published while the broker is away is sent by the next process, on mosquitto")
  func survives() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let server = ServerAddress(transport: .tcp, host: "127.0.0.1", port: broker.port)
      let first = try await open()
      let offline = MQTTClient(try await configuration(Self.away, first))
      try await running(offline) {
        let result = try await offline.publish(message("t"))
        #expect(result == .stored)
      }
      await first.close()
      let second = try await open()
      let online = MQTTClient(try await configuration(server, second))
      try await running(online) { try await broker.line("Received PUBLISH from durable") }
      #expect(try await second.loadSession().messages.isEmpty)
      await second.close()
    }
  }
}
