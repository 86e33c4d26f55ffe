import MQTTStore

extension Schema {
  /// "LMPT": limpet's, the session's tables among them.
  package static let current = Schema(
    applicationID: 0x4C4D_5054,
    migrations: [
      // Tables of one row hold it under the key 1.
      """
      CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1),
        id TEXT NOT NULL, source TEXT NOT NULL, serial TEXT NOT NULL) STRICT;
      CREATE TABLE epoch (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL) STRICT;
      CREATE TABLE last_stop (one INTEGER PRIMARY KEY CHECK (one = 1),
        reason TEXT NOT NULL, time INTEGER NOT NULL) STRICT;
      CREATE TABLE sequence (name TEXT PRIMARY KEY, next INTEGER NOT NULL, exact INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
      """ + SessionTables.owner,
      SessionTables.messages,
      """
      CREATE TABLE counter (name TEXT PRIMARY KEY, pulses INTEGER NOT NULL, generation INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
      CREATE TABLE instance (number INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT;
      """,
      // Readings that wait, in the order in which they were taken; only the agent understands `data`. Without an index
      // a batch goes to the end of one tree, however many names there are and however long the backlog is.
      """
      CREATE TABLE reading (token INTEGER PRIMARY KEY, stream INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
      CREATE TABLE reading_owner (one INTEGER PRIMARY KEY CHECK (one = 1), device TEXT NOT NULL) STRICT;
      CREATE TABLE reading_stream (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
      CREATE TABLE reading_boot (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, start INTEGER) STRICT;
      """,
      // The retained descriptions of this device for home automation.
      """
      CREATE TABLE announcement (kind TEXT NOT NULL, topic TEXT NOT NULL, content TEXT NOT NULL,
        PRIMARY KEY (kind, topic)) STRICT, WITHOUT ROWID;
      """,
      // Topics whose retained reading limpet has to clear.
      """
      CREATE TABLE clearing (topic TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
      """,
      SessionTables.times,
      // Topics on which a broker may keep `online` of this device, for it has acknowledged no `offline`.
      """
      CREATE TABLE farewell (number INTEGER PRIMARY KEY, server TEXT NOT NULL, client TEXT NOT NULL,
        topic TEXT NOT NULL, offline TEXT NOT NULL, qos INTEGER NOT NULL, UNIQUE (server, client, topic)) STRICT;
      """,
      // The last plain on or off of outputs that begin with it.
      """
      CREATE TABLE output (name TEXT PRIMARY KEY, is_on INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      """,
    ],
    // Those of the first migration: a file may be older than the others.
    checkedTables: ["identity", "epoch", "session", "last_stop", "sequence"])
}
