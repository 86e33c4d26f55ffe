import MQTT
import NIOCore
import Sensing
import Time

/// What the agent is doing at one moment, for `limpet status`.
struct StatusReport: Sendable {
  struct Presence: Sendable {
    let topic: String
    let epoch: UInt64
    let instance: String
    /// `armed`, `listening`, `idle`, or why it is unavailable.
    let healing: SelfHealing.State
    let conflict: String?
    let lastsToNotice: Double?
    /// What the server does not take of the will; nil: it takes all, or there is no connection.
    let reduction: WillFallback.Reduction?
    /// What the broker said of `online` on this connection.
    let birth: BirthAnswer
  }

  struct Buffer: Sendable {
    let readings: Int
    let bytes: Int
    let limit: Int
    let underWay: Int
    /// Of `readings`, those on the disk.
    let stored: Int
    let oldestAge: Duration?
    /// Given up, by stream and for whatever reason, where some were.
    let dropped: [String: UInt64]
    /// Why nothing can be stored at the moment.
    let storageError: String?
  }

  /// A topic that the broker takes nothing on.
  struct RestingTopic: Sendable {
    let topic: String
    let rest: RestingTopics.Rest
  }

  struct Row: Sendable {
    let name: String
    let topic: String
    /// nil: there was none yet.
    let reading: Reading?
  }

  let clock: WallClock
  let process: Int32
  let device: String
  let displayName: String?
  let clientIdentifier: String
  let started: BootClock.Instant
  let logLevel: String
  let isStopping: Bool
  let connection: ConnectionRecord
  let presence: Presence
  let buffer: Buffer
  let resting: [RestingTopic]
  let figures: [Figure]
  let rows: [Row]

  /// The wall time of a moment.
  func time(_ instant: BootClock.Instant) -> String { clock.time(of: instant).description }

  /// How long ago it was.
  func age(_ instant: BootClock.Instant) -> Duration { max(.zero, instant.duration(to: clock.instant)) }

  /// What the status topic says, as far as the agent knows: `online` exactly when the broker has acknowledged it on the
  /// connection that is there; `refused`; `unconfirmed`; `stopping`; `offline` without a connection; `none` before one.
  var presenceWord: String {
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

  /// `connected`, `connecting`, `waiting`, `stopped`.
  var connectionWord: String {
    switch connection.state {
    case .idle, .connecting: "connecting"
    case .connected: "connected"
    case .waiting: "waiting"
    case .ended: "stopped"
    }
  }
}

extension SelfHealing.State {
  var word: String {
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
    case .gap: "gap"
    case .bad: "bad"
    }
  }

  /// What speaks against the value, or why there is none.
  var remark: String? {
    switch self {
    case .good, .edge, .total: nil
    case .doubtful(_, let doubt): doubt.reason
    case .gap(let lost): "\(lost) lost"
    case .bad(let reason): reason
    }
  }
}
