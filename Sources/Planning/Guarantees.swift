import Configuration
import LimpetInstants
import LimpetText
import Outbox
import Presence
import Readings
import Records

/// What a configuration promises, in plain words.
package struct Guarantees {
  private let configuration: Configuration
  private let device: String
  /// Bytes that may wait in memory if the disk cannot be written; nil: the size of the memory is unknown.
  private let memoryShare: Int?
  /// The disk can be written, as far as is known.
  private let storeWorks: Bool

  package init(_ configuration: Configuration, device: String, memoryShare: Int?, storeWorks: Bool = true) {
    self.configuration = configuration
    self.device = device
    self.memoryShare = memoryShare
    self.storeWorks = storeWorks
  }

  /// A line each, for the log.
  package var lines: [String] {
    [presence, "the buffer: " + buffer, "the storage: " + storage, "the session: " + session]
  }

  package var session: String {
    let client = "client id \(configuration.clientIdentifier(device: device))"
    guard !configuration.broker.cleanStart else { return client + "; a new one with each connection" + kept }
    switch configuration.broker.sessionExpiry {
    case .after(let duration): return client + "; the broker keeps it for \(duration.inWords) (MQTT 5)" + kept
    case .never: return client + "; the broker keeps it for ever" + kept
    }
  }

  /// What of a session the next process has.
  private var kept: String {
    switch configuration.storage.sync {
    case .always where !storeWorks, .within where !storeWorks:
      "; until the storage can be written it ends with the process"
    case .always: "; limpet saves unacknowledged messages to disk at once"
    case .within(let delay):
      "; limpet saves unacknowledged messages to disk: QoS 1 after \(delay.inWords), QoS 2 at once"
    case .never: "; with sync: never limpet stores nothing of it, so it ends with the process"
    }
  }

  /// How fast the broker publishes that a device is lost.
  package var presence: String {
    let keepAlive = configuration.broker.keepalive
    // The slowest of the servers that may be connected to.
    let transports = configuration.broker.urls.map(\.server.transport)
    let transport = transports.contains(.secureWebSocket) ? .secureWebSocket : transports.first ?? .tcp
    guard
      let seconds = PresenceMessages.detectWithin(
        keepAlive: UInt16(clamping: keepAlive.components.seconds), willDelay: configuration.presence.willDelay, .v5,
        over: transport)
    else { return "nobody notices when this device disappears: the keepalive is off" }
    let delay = configuration.presence.willDelay
    let more = delay > .zero ? " + \(delay.inWords) will delay" : ""
    return
      "the broker publishes offline at most \(seconds.shortestDecimal) s after this device disappears (keepalive "
      + "\(keepAlive.inWords) × 1.5 + "
      + "\(PresenceMessages.brokerRound(transport).shortestDecimal) s for the broker\(more)), and at once after a clean stop"
  }

  /// How long the buffer lasts, and how long it takes to be empty again.
  package var buffer: String {
    let rate = configuration.sensors.reduce(0) { $0 + .seconds(1) / ($1.average?.window ?? $1.interval) }
    let storage = configuration.storage
    let isMemory = storage.sync == .never || !storeWorks
    let size = isMemory ? min(storage.maxSize, memoryShare ?? .max) : storage.maxSize
    let megabytes = "\(Self.megabytes(size)) MB \(isMemory ? "in memory" : "on disk")"
    let room = size / (isMemory ? MemoryLayout<Reading>.stride : Self.typicalRow)
    let holds = "\(megabytes), about \(room) readings"
    let drain =
      "; after an outage the backlog takes up to \(Self.words(Double(room) / Double(storage.drainRate))) to send"
    guard rate > 0 else { return holds + drain }
    return holds + ": lasts about \(Self.words(Double(room) / rate)) without a broker; then limpet drops the oldest "
      + "readings" + drain + " (\(Self.words(rate * 3600 / Double(storage.drainRate))) per hour offline)"
  }

  package static func megabytes(_ bytes: Int) -> String { (Double(bytes / 100_000) / 10).shortestDecimal }

  /// The bytes of a number with a unit, as a row.
  private static var typicalRow: Int {
    let now = BootClock.Instant(nanoseconds: 1_000_000_000_000_000)
    let reading = Reading(
      stream: 0, content: .good(.number(21.5)), unit: "°C", time: now, sequence: 100_000, restarted: false)
    let codec = ReadingCodec(boot: 1, booted: now - .seconds(1_000_000), boots: [:])
    let clock = WallClock(instant: now, sinceEpoch: .seconds(1_795_176_000), isSynchronized: true)
    return StoredReading.size(ofData: codec.encode(reading, clock).count)
  }

  private static func words(_ seconds: Double) -> String {
    Duration.seconds(min(max(1, seconds.rounded(.up)), 3.15e9)).inWords
  }

  /// What a power cut costs.
  package var storage: String {
    switch configuration.storage.sync {
    case .always where !storeWorks, .within where !storeWorks:
      return "memory only until it can be written: a power cut or the end of the process loses all that waits"
    case .always:
      return "limpet writes each reading to disk before it sends it, and a power cut loses none of those"
    case .within(let delay):
      let outage = max(delay, configuration.storage.syncOutage)
      return
        "a power cut can lose at most the readings of the last \(delay.inWords) (\(outage.inWords) in an outage of more "
        + "than \(Outbox.longOutage.inWords))"
    case .never: return "memory only: a power cut or the end of the process loses all that waits"
    }
  }
}
