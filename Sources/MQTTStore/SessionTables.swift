import MQTTCore
import NIOCore

/// The tables of an MQTT session: messages under way, identifiers, subscriptions. Messages and subscriptions are kept as
/// the packets that carry them, so that whatever a packet can say is kept.
///
/// They are part of whichever database they are in: `SQLiteSessionStore` has nothing else, limpet has more.
package enum SessionTables {
  /// Whose session it is; in a table of one row under the key 1.
  package static let owner = """
    CREATE TABLE session (one INTEGER PRIMARY KEY CHECK (one = 1),
      server TEXT NOT NULL, client_identifier TEXT NOT NULL) STRICT;
    """

  /// Messages and subscriptions as MQTT 5 packets. `stored` is in seconds since 1970.
  package static let messages = """
    CREATE TABLE packet_identifier (one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL) STRICT;
    CREATE TABLE message (token INTEGER PRIMARY KEY,
      identifier INTEGER, released INTEGER NOT NULL, packet BLOB NOT NULL, stored INTEGER NOT NULL) STRICT;
    CREATE TABLE held_identifier (identifier INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE received_identifier (identifier INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE subscription (identifier INTEGER PRIMARY KEY, packet BLOB NOT NULL) STRICT;
    CREATE TABLE message_aside (token INTEGER PRIMARY KEY,
      client_identifier TEXT NOT NULL, packet BLOB NOT NULL, stored INTEGER NOT NULL) STRICT;
    """

  /// What `stored` is worth: a boot's name and seconds since it began, and whether somebody kept the wall clock.
  package static let times = """
    ALTER TABLE message ADD COLUMN boot TEXT NOT NULL DEFAULT '';
    ALTER TABLE message ADD COLUMN uptime INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE message ADD COLUMN certain INTEGER NOT NULL DEFAULT 1;
    """

  // MARK: Writing

  /// Makes these changes, in this order.
  package static func apply(
    _ changes: [SessionChange], to database: Database, now: StoredTime
  ) throws(StorageError) {
    for change in changes { try apply(change, to: database, now: now) }
  }

  /// The session belongs to another client from now on: its messages are kept aside, messages kept aside before are
  /// deleted, and so is the rest of the session. Returns the number of messages kept aside.
  package static func setAside(in database: Database) throws(StorageError) -> Int {
    let owner = try readOwner(database)?.clientIdentifier ?? ""
    try database.run("DELETE FROM message_aside")
    // Numbered anew: those that are set aside later are counted on from the last.
    try database.run(
      """
      INSERT INTO message_aside (token, client_identifier, packet, stored)
      SELECT row_number() OVER (ORDER BY token), ?, packet, stored FROM message
      """, .text(owner))
    for table in ["message", "held_identifier", "received_identifier", "subscription", "session"] {
      try database.run("DELETE FROM \(table)")
    }
    return try database.query("SELECT count(*) FROM message_aside") { Int($0.integer(0)) }.first ?? 0
  }

  /// Keeps a message that is not sent any more beside the session; the newest thousand are kept.
  package static func setAside(
    _ message: Message, of owner: String, in database: Database, now: StoredTime
  ) throws(StorageError) {
    let packet = Packet.publish(Publish(message, packetIdentifier: .first)).stored
    try keepAside(packet, of: owner, stored: now.wall, in: database)
    try boundAside(in: database)
  }

  private static func keepAside(
    _ packet: [UInt8], of owner: String, stored time: Int64, in database: Database
  ) throws(StorageError) {
    try database.run(
      """
      INSERT INTO message_aside (token, client_identifier, packet, stored)
      VALUES ((SELECT ifnull(max(token), 0) + 1 FROM message_aside), ?, ?, ?)
      """, .text(owner), .blob(packet), .integer(time))
  }

  private static func boundAside(in database: Database) throws(StorageError) {
    try database.run(
      "DELETE FROM message_aside WHERE token <= (SELECT max(token) FROM message_aside) - ?",
      .integer(Int64(StoredMessages.aside)))
  }

  private static func apply(_ change: SessionChange, to database: Database, now: StoredTime) throws(StorageError) {
    switch change {
    case .owner(let owner):
      try database.run(
        "INSERT OR REPLACE INTO session (one, server, client_identifier) VALUES (1, ?, ?)",
        .text(owner.server), .text(owner.clientIdentifier))
    case .message(let message, let next):
      try put(message, in: database, now: now)
      try database.run(
        "INSERT OR REPLACE INTO packet_identifier (one, next) VALUES (1, ?)", .integer(Int64(next.rawValue)))
    case .ended(let token): try endMessage(token, in: database)
    case .held(let identifier, let isHeld): try set(identifier, isHeld, in: "held_identifier", of: database)
    case .received(let identifier, let isUnreleased):
      try set(identifier, isUnreleased, in: "received_identifier", of: database)
    case .subscribed(let identifier, let subscriptions):
      let packet = Packet.subscribe(Subscribe(.first, subscriptions: subscriptions))
      try database.run(
        "INSERT OR REPLACE INTO subscription (identifier, packet) VALUES (?, ?)",
        .integer(Int64(identifier)), .blob(packet.stored))
    case .givenBack(let identifier, let filters):
      let packet = Packet.unsubscribe(Unsubscribe(.first, filters: filters))
      try database.run(
        "INSERT OR REPLACE INTO subscription (identifier, packet) VALUES (?, ?)",
        .integer(Int64(identifier)), .blob(packet.stored))
    case .unsubscribed(let identifier):
      try database.run("DELETE FROM subscription WHERE identifier = ?", .integer(Int64(identifier)))
    case .begunAnew:
      try database.run("DELETE FROM held_identifier")
      try database.run("DELETE FROM received_identifier")
    }
  }

  package static func endMessage(_ token: UInt64, in database: Database) throws(StorageError) {
    try database.run("DELETE FROM message WHERE token = ?", .integer(Int64(clamping: token)))
  }

  private static func put(_ message: StoredMessage, in database: Database, now: StoredTime) throws(StorageError) {
    let isReleased = if case .released = message.state { true } else { false }
    // The time stays that of the first, since when the message has waited, for as long as it says the same.
    try database.run(
      """
      INSERT INTO message (token, identifier, released, packet, stored, boot, uptime, certain)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (token) DO UPDATE SET identifier = excluded.identifier, released = excluded.released,
        packet = excluded.packet,
        stored = CASE WHEN packet = excluded.packet THEN stored ELSE excluded.stored END,
        boot = CASE WHEN packet = excluded.packet THEN boot ELSE excluded.boot END,
        uptime = CASE WHEN packet = excluded.packet THEN uptime ELSE excluded.uptime END,
        certain = CASE WHEN packet = excluded.packet THEN certain ELSE excluded.certain END
      """,
      .integer(Int64(clamping: message.token)), message.state.identifier.map { .integer(Int64($0.rawValue)) } ?? .null,
      .integer(isReleased ? 1 : 0),
      .blob(Packet.publish(Publish(message.message, packetIdentifier: .first)).stored), .integer(now.wall),
      .text(now.boot),
      .integer(now.uptime), .integer(now.isCertain ? 1 : 0))
  }

  private static func set(
    _ identifier: PacketIdentifier, _ isThere: Bool, in table: String, of database: Database
  ) throws(StorageError) {
    let sql = isThere ? "INSERT OR IGNORE INTO \(table) VALUES (?)" : "DELETE FROM \(table) WHERE identifier = ?"
    try database.run(sql, .integer(Int64(identifier.rawValue)))
  }

  // MARK: Reading

  /// What of the session can be read, and how many rows say nothing: a row is not the file, and one that is damaged does
  /// no harm to the others.
  ///
  /// - Parameter now: messages that were queued and have expired by then are left out, and the others' time is shorter.
  package static func read(_ database: Database, now: StoredTime) throws(StorageError) -> Found {
    var state = SessionState()
    state.owner = try readOwner(database)
    var unreadable = 0
    var messages = StoredMessages(now: now)
    let rows = "SELECT token, identifier, released, packet, stored, boot, uptime, certain FROM message ORDER BY token"
    try database.each(rows) { row in
      if let message = readMessage(row) {
        let time = StoredTime(
          wall: row.integer(4), uptime: row.integer(6), boot: row.text(5), isCertain: row.integer(7) != 0)
        messages.append(message, stored: time)
      } else {
        unreadable += 1
      }
    }
    state.messages = messages.messages
    state.held = try readIdentifiers("held_identifier", database)
    state.received = try readIdentifiers("received_identifier", database)
    state.nextIdentifier = try readNext(database)
    try database.each("SELECT identifier, packet FROM subscription") { row in
      let identifier = UInt32(clamping: row.integer(0))
      switch Packet(stored: row.blob(1)) {
      case .subscribe(let packet)?: state.subscriptions[identifier] = packet.subscriptions
      case .unsubscribe(let packet)?: state.givenBack[identifier] = packet.filters
      default: unreadable += 1
      }
    }
    return Found(state: state, unreadable: unreadable, expired: messages.expired)
  }

  /// What was read, and what is to be removed.
  package struct Found {
    package let state: SessionState
    /// Rows that say nothing.
    package let unreadable: Int
    /// Their tokens may be used again: a row that is only left out would stand in for the next message.
    package let expired: [MQTTSession.Token]
  }

  /// Deletes unusable rows, or each start would find them again. Unreadable messages stay beside the session, for
  /// people.
  package static func clean(_ found: Found, in file: StoreFile) throws(StorageError) {
    if found.unreadable > 0 {
      try file.write("set unreadable messages aside") { database throws(StorageError) in
        try removeUnreadable(database)
      }
    }
    guard !found.expired.isEmpty else { return }
    try file.write("delete expired messages") { database throws(StorageError) in
      for token in found.expired { try endMessage(token, in: database) }
    }
  }

  private static func removeUnreadable(_ database: Database) throws(StorageError) {
    let owner = try readOwner(database)?.clientIdentifier ?? ""
    var messages: [(token: Int64, packet: [UInt8], stored: Int64)] = []
    try database.each("SELECT token, identifier, released, packet, stored FROM message ORDER BY token") { row in
      if readMessage(row) == nil { messages.append((row.integer(0), row.blob(3), row.integer(4))) }
    }
    for message in messages {
      try keepAside(message.packet, of: owner, stored: message.stored, in: database)
      try database.run("DELETE FROM message WHERE token = ?", .integer(message.token))
    }
    try boundAside(in: database)
    var subscriptions: [Int64] = []
    try database.each("SELECT identifier, packet FROM subscription") { row in
      switch Packet(stored: row.blob(1)) {
      case .subscribe?, .unsubscribe?: break
      default: subscriptions.append(row.integer(0))
      }
    }
    for identifier in subscriptions {
      try database.run("DELETE FROM subscription WHERE identifier = ?", .integer(identifier))
    }
  }

  private static func readOwner(_ database: Database) throws(StorageError) -> SessionOwner? {
    try database.query("SELECT server, client_identifier FROM session") { row in
      SessionOwner(server: row.text(0), clientIdentifier: row.text(1))
    }.first
  }

  /// nil: the row says nothing.
  private static func readMessage(_ row: DatabaseRow) -> StoredMessage? {
    guard StoredMessages.tokens.contains(row.integer(0)), case .publish(let publish)? = Packet(stored: row.blob(3))
    else {
      return nil
    }
    let identifier = PacketIdentifier(rawValue: UInt16(clamping: row.integer(1)))
    let state: StoredMessage.State =
      switch identifier {
      case nil: .queued
      case let identifier?: row.integer(2) == 0 ? .published(identifier) : .released(identifier)
      }
    return StoredMessage(token: UInt64(row.integer(0)), state: state, message: publish.message)
  }

  private static func readIdentifiers(
    _ table: String, _ database: Database
  ) throws(StorageError) -> Set<PacketIdentifier> {
    let identifiers = try database.query("SELECT identifier FROM \(table)") {
      PacketIdentifier(rawValue: UInt16(clamping: $0.integer(0)))
    }
    return Set(identifiers.compactMap { $0 })
  }

  private static func readNext(_ database: Database) throws(StorageError) -> PacketIdentifier {
    let next = try database.query("SELECT next FROM packet_identifier") {
      PacketIdentifier(rawValue: UInt16(clamping: $0.integer(0)))
    }
    return next.first.flatMap { $0 } ?? .first
  }
}

extension Packet {
  /// Larger than any packet that is stored: it was taken or made here.
  private static let largest = 268_435_460

  /// As bytes of MQTT 5.
  fileprivate var stored: [UInt8] {
    var bytes = ByteBuffer()
    encode(into: &bytes, .v5)
    return Array(bytes.readableBytesView)
  }

  fileprivate init?(stored: [UInt8]) {
    var bytes = ByteBuffer(bytes: stored)
    var decoder = PacketDecoder(version: .v5, maximumPacketSize: Self.largest)
    guard let packet = try? decoder.next(from: &bytes), bytes.readableBytes == 0 else { return nil }
    self = packet
  }
}
