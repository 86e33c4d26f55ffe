import LimpetInstants
import MQTTCore
import NIOCore
import Presence
import Readings

/// What the agent is doing at one moment, for `limpet status`.
package struct StatusReport: Sendable {
  package struct Presence: Sendable {
    package let topic: String
    package let epoch: UInt64
    package let instance: String
    /// `armed`, `listening`, `idle`, or why it is unavailable.
    package let healing: SelfHealing.State
    package let conflict: String?
    package let lastsToNotice: Double?
    /// What the server does not accept of the will; nil: it accepts all, or there is no connection.
    package let reduction: WillFallback.Reduction?
    /// How the broker answered `online` on this connection.
    package let birth: BirthAnswer

    package init(
      topic: String, epoch: UInt64, instance: String, healing: SelfHealing.State, conflict: String?,
      lastsToNotice: Double?, reduction: WillFallback.Reduction?, birth: BirthAnswer
    ) {
      self.topic = topic
      self.epoch = epoch
      self.instance = instance
      self.healing = healing
      self.conflict = conflict
      self.lastsToNotice = lastsToNotice
      self.reduction = reduction
      self.birth = birth
    }
  }

  package struct Buffer: Sendable {
    package let readings: Int
    package let bytes: Int
    package let limit: Int
    package let underWay: Int
    /// Of `readings`, those on the disk.
    package let stored: Int
    package let oldestAge: Duration?
    /// Readings that were given up for any reason, by stream; only streams that lost some.
    package let dropped: [String: UInt64]
    /// Why nothing can be stored at the moment.
    package let storageError: String?

    package init(
      readings: Int, bytes: Int, limit: Int, underWay: Int, stored: Int, oldestAge: Duration?,
      dropped: [String: UInt64], storageError: String?
    ) {
      self.readings = readings
      self.bytes = bytes
      self.limit = limit
      self.underWay = underWay
      self.stored = stored
      self.oldestAge = oldestAge
      self.dropped = dropped
      self.storageError = storageError
    }
  }

  /// A topic on which the broker refuses messages.
  package struct RestingTopic: Sendable {
    package let topic: String
    package let rest: RestingTopics.Rest

    package init(topic: String, rest: RestingTopics.Rest) {
      self.topic = topic
      self.rest = rest
    }
  }

  package struct Row: Sendable {
    package let name: String
    package let topic: String
    /// nil: there was none yet.
    package let reading: Reading?
    /// How often a sensor was due while its last read was still under way; nil: it is no sensor.
    package let skippedRounds: UInt64?
    /// Its total can become less: the position of an encoder, or a counter of negative scale.
    package let mayFall: Bool

    package init(name: String, topic: String, reading: Reading?, skippedRounds: UInt64?, mayFall: Bool) {
      self.name = name
      self.topic = topic
      self.reading = reading
      self.skippedRounds = skippedRounds
      self.mayFall = mayFall
    }
  }

  /// How often an output changed, by cause, and the answers to its commands.
  package struct OutputCounts: Sendable {
    package let name: String
    package let changes: [(cause: String, count: UInt64)]
    package let commands: [(result: String, count: UInt64)]

    package init(name: String, changes: [(cause: String, count: UInt64)], commands: [(result: String, count: UInt64)]) {
      self.name = name
      self.changes = changes
      self.commands = commands
    }
  }

  package let clock: WallClock
  package let process: Int32
  package let device: String
  package let displayName: String?
  package let clientIdentifier: String
  package let started: BootClock.Instant
  package let logLevel: String
  package let isStopping: Bool
  package let connection: ConnectionRecord
  /// Where the connection is to; nil: there is none, or it is over a Unix socket.
  package let serverAddress: String?
  package let presence: Presence
  package let buffer: Buffer
  package let resting: [RestingTopic]
  /// Why the agent obeys no commands from the broker; nil: it does, or no output takes commands.
  package let commandsRefusal: String?
  /// That ends by itself, within seconds.
  package let areCommandsAwaited: Bool
  package let outputs: [OutputCounts]
  package let figures: [Figure]
  package let rows: [Row]

  package init(
    clock: WallClock, process: Int32, device: String, displayName: String?, clientIdentifier: String,
    started: BootClock.Instant, logLevel: String, isStopping: Bool, connection: ConnectionRecord,
    serverAddress: String?, presence: Presence, buffer: Buffer, resting: [RestingTopic], commandsRefusal: String?,
    areCommandsAwaited: Bool = false, outputs: [OutputCounts] = [],
    figures: [Figure], rows: [Row]
  ) {
    self.clock = clock
    self.process = process
    self.device = device
    self.displayName = displayName
    self.clientIdentifier = clientIdentifier
    self.started = started
    self.logLevel = logLevel
    self.isStopping = isStopping
    self.connection = connection
    self.serverAddress = serverAddress
    self.presence = presence
    self.buffer = buffer
    self.resting = resting
    self.commandsRefusal = commandsRefusal
    self.areCommandsAwaited = areCommandsAwaited
    self.outputs = outputs
    self.figures = figures
    self.rows = rows
  }

  /// The wall time of a moment.
  package func time(_ instant: BootClock.Instant) -> String { clock.time(of: instant).description }

  /// How long ago it was.
  package func age(_ instant: BootClock.Instant) -> Duration { max(.zero, instant.duration(to: clock.instant)) }

  /// `connected`, `connecting`, `waiting`, `stopped`.
  var connectionWord: String {
    switch connection.state {
    case .idle, .connecting: "connecting"
    case .connected: "connected"
    case .waiting: "waiting"
    case .ended: "stopped"
    }
  }

  /// The status on the topic, as far as the agent knows: `online` exactly when the broker has acknowledged it on the
  /// current connection; `refused`; `unconfirmed`; `stopping`; `offline` without a connection; `none` before the first
  /// one.
  package var presenceWord: String {
    switch connection.state {
    case .connected:
      guard !isStopping else { return "stopping" }
      switch presence.birth {
      case .acknowledged: return "online"
      case .refused: return "refused"
      case .none: return "unconfirmed"
      }
    case .idle, .connecting, .waiting, .ended: return connection.connections == 0 ? "none" : "offline"
    }
  }
}

extension SelfHealing.State {
  package var word: String {
    switch self {
    case .idle: "idle"
    case .listening: "listening"
    case .armed: "armed"
    case .unavailable: "unavailable"
    }
  }
}

extension Reading.Content {
  /// `good`, `alarm`, `uncertain`, `bad` or `gap`.
  var quality: String {
    switch self {
    case .good, .edge, .total: "good"
    case .doubtful(_, let doubt): doubt.grade.rawValue
    case .output(let output): output.doubt?.grade.rawValue ?? "good"
    case .gap: "gap"
    case .bad: "bad"
    }
  }

  /// Why the value is doubtful, or why there is none.
  package var remark: String? {
    switch self {
    case .good, .edge, .total: nil
    case .doubtful(_, let doubt): doubt.reason
    case .output(let output): output.doubt?.reason
    case .gap(let lost): "\(lost) lost"
    case .bad(let reason): reason
    }
  }
}
