import Sensing

/// What the agent was told to do: the configuration file, checked, with every default in place.
///
/// Bounds are held by the declarations (`ConfigurationKeys` and below); a value that exists is within them.
public struct Configuration: Sendable, Equatable {
  public var device: Device
  public var broker: Broker
  public var presence: Presence
  public var storage: Storage
  /// Where readings go; `{device}` and `{name}` are filled in.
  public var topic: TopicTemplate
  public var format: PayloadFormat
  /// Of readings: 0, 1 or 2.
  public var qos: Int
  /// After this long a reading is worth nothing; nil: it never is.
  public var expiry: Duration?
  /// GPIO lines, in the order of the file.
  public var inputs: [InputConfiguration]
  /// sysfs and system values, in the order of the file.
  public var sensors: [SensorConfiguration]
  public var health: Health
  /// Where numbers for Prometheus are written; nil: nowhere.
  public var metricsFile: String?
  public var homeAssistant: HomeAssistant
  public var homie: Homie
  /// The control socket's path.
  public var control: String

  public struct Device: Sendable, Equatable {
    public var id: Identifier
    /// For people.
    public var name: String?
  }

  /// An identifier that is given or made by the agent.
  public enum Identifier: Sendable, Equatable {
    case automatic
    case given(String)
  }

  public struct Broker: Sendable, Equatable {
    /// At least one, tried in turn.
    public var urls: [BrokerURL]
    public var version: ProtocolVersion
    /// `automatic` is the device id.
    public var clientID: Identifier
    public var username: String?
    public var password: Secret?
    public var cleanStart: Bool
    public var sessionExpiry: SessionExpiry
    /// Whole seconds, 0 to 65535; 0 switches it off.
    public var keepalive: Duration
    public var connectTimeout: Duration
    /// For the clean shutdown; past it, abort. More than zero.
    public var shutdownTimeout: Duration
    public var reconnect: Reconnect
    public var tls: TLS
  }

  public enum ProtocolVersion: String, Sendable, CaseIterable {
    /// 5, and 3.1.1 where a server cannot.
    case automatic = "auto"
    case v5 = "5"
    case v311 = "3.1.1"
  }

  /// How long a server keeps the session of a lost client [MQTT-5 3.1.2.11.2].
  public enum SessionExpiry: Sendable, Equatable {
    /// Whole seconds, 0 to 4294967294.
    case after(Duration)
    /// 0xFFFFFFFF on the wire.
    case never
  }

  public struct Reconnect: Sendable, Equatable {
    /// The back-off's bounds, before jitter.
    public var min: Duration
    public var max: Duration
    /// How long a connection must live before the back-off begins at `min` again.
    public var stableAfter: Duration
  }

  public struct TLS: Sendable, Equatable {
    /// A PEM file or a folder of them; nil: the system's.
    public var ca: String?
    /// The client's own certificate (PEM); both or neither of these two.
    public var certificate: String?
    public var key: String?
    /// The name to ask for and to verify, where it is not the URL's host.
    public var serverName: String?
    /// The server's certificate is not verified.
    public var insecure: Bool
  }

  public struct Presence: Sendable, Equatable {
    /// `{device}` is filled in.
    public var topic: TopicTemplate
    public var online: String
    public var offline: String
    /// 0, 1 or 2.
    public var qos: Int
    /// Whole seconds; MQTT 5 only.
    public var willDelay: Duration
    /// How often `online` is published again; zero: never. MQTT 5 only.
    public var lease: Duration
    /// The lease was written down, not taken as the default.
    public var isLeaseWritten: Bool
  }

  public struct Storage: Sendable, Equatable {
    /// The folder of session.db, absolute.
    public var path: String
    /// Bytes.
    public var maxSize: Int
    public var sync: Sync
    /// The same after an outage of a minute.
    public var syncOutage: Duration
    /// Readings a second of a backlog that are sent at the most, beside those that are measured meanwhile.
    public var drainRate: Int
  }

  public struct Health: Sendable, Equatable {
    /// Zero: never.
    public var interval: Duration
  }

  /// What Home Assistant is told (home-assistant.io, "MQTT", "MQTT Discovery").
  public struct HomeAssistant: Sendable, Equatable {
    public var isEnabled: Bool
    /// What its discovery topics begin with; no slash at its ends.
    public var prefix: String
  }

  /// Whether this device is one of the Homie convention 5 too.
  public struct Homie: Sendable, Equatable {
    public var isEnabled: Bool
    /// The first level of its topics.
    public var domain: String
  }

  /// When readings reach the disk.
  public enum Sync: Sendable, Equatable {
    case always
    case never
    /// An unsent reading is in memory only for this long at most.
    case within(Duration)
  }

  /// Which readings of a name wait for the broker.
  public enum Keep: String, Sendable, CaseIterable {
    case all
    /// The newest.
    case latest
  }

  public enum PayloadFormat: String, Sendable, CaseIterable {
    case json, plain
  }
}

/// A GPIO line that is published.
public struct InputConfiguration: Sendable, Equatable {
  public var name: String
  public var gpio: GPIOInput
  /// What stands for true and false in the format `plain`.
  public var levels: LevelTexts
  public var isRetained: Bool
  /// Units per pulse (counters).
  public var scale: Double
  public var unit: String?
  /// How often a counter's total is published.
  public var interval: Duration
  public var keep = Configuration.Keep.all
}

/// What stands for true and for false where a level is text.
public struct LevelTexts: Sendable, Equatable {
  public var on = "true"
  public var off = "false"

  public init(on: String = "true", off: String = "false") {
    self.on = on
    self.off = off
  }

  func text(of level: Bool) -> String { level ? on : off }
}

/// A sensor that is read and published.
///
/// What was read goes through `map`, `scale` and `offset`, `range`, `average` and `decimals`, in this order, and what
/// comes out is held against `change` and `maxAge`.
public struct SensorConfiguration: Sendable, Equatable {
  public var name: String
  public var source: SensorKind
  public var interval: Duration
  /// How long one read may take.
  public var timeout: Duration
  /// How far the value must move to be published; nil: every sample is.
  public var change: Change?
  /// Published after this long even without a change; at least `interval`.
  public var maxAge: Duration?
  /// nil: the unit of what is read.
  public var unit: String?
  /// What texts stand for; empty: themselves.
  public var map: [String: Value] = [:]
  /// value = read × scale + offset.
  public var scale: Double
  public var offset: Double
  /// A value outside is none.
  public var range: Range?
  /// One value for the samples of a window; nil: each sample is one.
  public var average: Average?
  /// Digits behind the point; nil: as many as it has.
  public var decimals: Int?
  public var isRetained: Bool
  public var keep = Configuration.Keep.all

  public enum Change: Sendable, Equatable {
    /// In the reading's unit, more than zero.
    case absolute(Double)
    /// Of the value last published, more than zero.
    case percent(Double)
  }

  /// Both bounds belong to it; nil: there is none.
  public struct Range: Sendable, Equatable {
    public var min: Double?
    public var max: Double?
  }

  public struct Average: Sendable, Equatable {
    public enum Statistic: String, Sendable, CaseIterable {
      case mean, median, min, max
    }

    public var statistic: Statistic
    /// At least `interval`.
    public var window: Duration

    /// Samples of a window, at most.
    static let sampleLimit = 10_000
  }
}
