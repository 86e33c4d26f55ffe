import LimpetText
import Measuring
import Readings

/// What the agent is to do: the configuration file, checked, with every default in place.
///
/// The declarations (`ConfigurationKeys` and below) check bounds; a value that exists is within them.
public struct Configuration: Sendable, Equatable {
  /// The file that limpet reads by default.
  public static let standardPath = "/etc/limpet/limpet.yaml"

  public var device: Device
  public var broker: Broker
  public var presence: Presence
  public var storage: Storage
  /// The topic of readings; limpet fills in `{device}` and `{name}`.
  public var topic: TopicTemplate
  public var format: PayloadFormat
  /// Of readings: 0, 1 or 2.
  public var qos: Int
  /// After this long a reading is given up; nil: never.
  public var expiry: Duration?
  /// GPIO lines, in the order of the file.
  public var inputs: [InputConfiguration]
  /// sysfs and system values, in the order of the file.
  public var sensors: [SensorConfiguration]
  /// Outputs, in the order of the file.
  public var outputs: [OutputConfiguration]
  /// false: limpet does not subscribe to commands.
  public var takesCommands: Bool
  public var health: Health
  /// Where numbers for Prometheus are written; nil: nowhere.
  public var metricsFile: String?
  /// The address for Prometheus to scrape; nil: none.
  package var metricsAddress: ListenAddress?
  public var homeAssistant: HomeAssistant
  public var homie: Homie
  /// The control socket's path.
  public var control: String

  package init(
    device: Device, broker: Broker, presence: Presence, storage: Storage, topic: TopicTemplate, format: PayloadFormat,
    qos: Int, expiry: Duration? = nil, inputs: [InputConfiguration], sensors: [SensorConfiguration],
    outputs: [OutputConfiguration] = [], takesCommands: Bool = true, health: Health,
    metricsFile: String? = nil, metricsAddress: ListenAddress? = nil, homeAssistant: HomeAssistant, homie: Homie,
    control: String
  ) {
    self.device = device
    self.broker = broker
    self.presence = presence
    self.storage = storage
    self.topic = topic
    self.format = format
    self.qos = qos
    self.expiry = expiry
    self.inputs = inputs
    self.sensors = sensors
    self.outputs = outputs
    self.takesCommands = takesCommands
    self.health = health
    self.metricsFile = metricsFile
    self.metricsAddress = metricsAddress
    self.homeAssistant = homeAssistant
    self.homie = homie
    self.control = control
  }

  public struct Device: Sendable, Equatable {
    public var id: Identifier
    /// For people.
    public var name: String?

    package init(id: Identifier, name: String? = nil) {
      self.id = id
      self.name = name
    }
  }

  /// An identifier, given or made by the agent.
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
    /// The URLs are nodes of one cluster, which all have the session.
    public var sharesSessions: Bool
    /// Another one than the first is left for that one when it can be reached again; only with several.
    public var prefersFirst: Bool
    /// Whole seconds, 0 to 65535; 0 switches it off.
    public var keepalive: Duration
    public var connectTimeout: Duration
    /// The time for a clean shutdown, after which the agent aborts. More than zero.
    public var shutdownTimeout: Duration
    public var reconnect: Reconnect
    public var tls: TLS
  }

  public enum ProtocolVersion: String, Sendable, CaseIterable {
    /// 5, and 3.1.1 with a broker that lacks 5.
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
    /// How long a connection must last before the back-off begins at `min` again.
    public var stableAfter: Duration

    package init(min: Duration, max: Duration, stableAfter: Duration) {
      self.min = min
      self.max = max
      self.stableAfter = stableAfter
    }
  }

  public struct TLS: Sendable, Equatable {
    /// A PEM file or a folder of them; nil: the system's.
    public var ca: String?
    /// The client's own certificate (PEM); both or neither of these two.
    public var certificate: String?
    public var key: String?
    /// The name to ask for and to verify, if it is not the URL's host.
    public var serverName: String?
    /// limpet does not verify the server's certificate.
    public var insecure: Bool

    package init(
      ca: String? = nil, certificate: String? = nil, key: String? = nil, serverName: String? = nil, insecure: Bool
    ) {
      self.ca = ca
      self.certificate = certificate
      self.key = key
      self.serverName = serverName
      self.insecure = insecure
    }
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

    package init(
      topic: TopicTemplate, online: String, offline: String, qos: Int, willDelay: Duration, lease: Duration,
      isLeaseWritten: Bool
    ) {
      self.topic = topic
      self.online = online
      self.offline = offline
      self.qos = qos
      self.willDelay = willDelay
      self.lease = lease
      self.isLeaseWritten = isLeaseWritten
    }
  }

  public struct Storage: Sendable, Equatable {
    /// The folder of session.db, absolute.
    public var path: String
    /// Bytes.
    public var maxSize: Int
    public var sync: Sync
    /// The same after an outage of a minute.
    public var syncOutage: Duration
    /// The most readings a second that limpet sends from a backlog, besides new ones.
    public var drainRate: Int

    package init(path: String, maxSize: Int, sync: Sync, syncOutage: Duration, drainRate: Int) {
      self.path = path
      self.maxSize = maxSize
      self.sync = sync
      self.syncOutage = syncOutage
      self.drainRate = drainRate
    }
  }

  public struct Health: Sendable, Equatable {
    /// Zero: never.
    public var interval: Duration
  }

  /// What limpet publishes for Home Assistant (home-assistant.io, "MQTT", "MQTT Discovery").
  public struct HomeAssistant: Sendable, Equatable {
    public var isEnabled: Bool
    /// The prefix of its discovery topics, without a slash at its ends.
    public var prefix: String
    /// The room that Home Assistant suggests for the device.
    public var area: String?
    /// A page for who needs help with the device.
    public var supportURL: String?

    package init(isEnabled: Bool, prefix: String) {
      self.isEnabled = isEnabled
      self.prefix = prefix
    }
  }

  /// Whether this device is one of the Homie convention 5 too.
  public struct Homie: Sendable, Equatable {
    public var isEnabled: Bool
    /// The first level of its topics.
    public var domain: String

    package init(isEnabled: Bool, domain: String) {
      self.isEnabled = isEnabled
      self.domain = domain
    }
  }

  /// When readings reach the disk.
  public enum Sync: Sendable, Equatable {
    case always
    case never
    /// An unsent reading is in memory only for this long at most.
    case within(Duration)
  }
}

/// A GPIO line that is published.
public struct InputConfiguration: Sendable, Equatable {
  public var name: String
  public var gpio: GPIOInput
  /// What stands for true and false in the format `plain`.
  public var levels: LevelTexts
  public var isRetained: Bool
  /// Units per pulse (counters), per Hz, or per unit of a pulse's length.
  public var scale: Double
  public var unit: String?
  /// How often limpet publishes what the pulses add up to.
  public var interval: Duration
  /// Pulses of one turn, in mode `frequency`.
  public var pulses: Int
  /// In mode `encoder`: 1, 2 or 4.
  public var stepsPerPeriod: Int
  public var keep: Keep
  public var presentation = Presentation()

  package init(
    name: String, gpio: GPIOInput, levels: LevelTexts, isRetained: Bool, scale: Double, unit: String? = nil,
    interval: Duration, pulses: Int = 1, stepsPerPeriod: Int = 1, keep: Keep
  ) {
    self.name = name
    self.gpio = gpio
    self.levels = levels
    self.isRetained = isRetained
    self.scale = scale
    self.unit = unit
    self.interval = interval
    self.pulses = pulses
    self.stepsPerPeriod = stepsPerPeriod
    self.keep = keep
  }
}

extension InputConfiguration {
  /// Its readings are events: an edge, or a press of a button.
  package var isEvent: Bool { gpio.mode == .event || gpio.mode == .gesture }
}

/// A sensor that is read and published.
///
/// A value goes through `map`, `scale` and `offset`, `range`, `average` and `decimals`, in this order; `change` and
/// `maxAge` then decide whether it is published.
public struct SensorConfiguration: Sendable, Equatable {
  public var name: String
  public var source: SensorKind
  public var interval: Duration
  /// How long one read may take.
  public var timeout: Duration
  /// How often a failed read is repeated before a bad reading.
  public var retries: Int
  /// How far the value must move to be published; nil: every sample is.
  public var change: ChangeThreshold?
  /// Published after this long even without a change; at least `interval`.
  public var maxAge: Duration?
  /// nil: the unit of the source.
  public var unit: String?
  /// The values of texts; empty: the texts themselves.
  public var map: [String: Value] = [:]
  /// value = read × scale + offset.
  public var scale: Double
  public var offset: Double
  /// A value outside makes the reading bad.
  public var range: ValueRange?
  /// One value for the samples of a window; nil: each sample is one.
  public var average: Average?
  /// Digits behind the point; nil: as many as it has.
  public var decimals: Int?
  public var isRetained: Bool
  public var keep: Keep
  public var presentation = Presentation()

  package init(
    name: String, source: SensorKind, interval: Duration, timeout: Duration, retries: Int = 0,
    change: ChangeThreshold? = nil, maxAge: Duration? = nil, unit: String? = nil, map: [String: Value] = [:],
    scale: Double, offset: Double,
    range: ValueRange? = nil, average: Average? = nil, decimals: Int? = nil, isRetained: Bool, keep: Keep
  ) {
    self.name = name
    self.source = source
    self.interval = interval
    self.timeout = timeout
    self.retries = retries
    self.change = change
    self.maxAge = maxAge
    self.unit = unit
    self.map = map
    self.scale = scale
    self.offset = offset
    self.range = range
    self.average = average
    self.decimals = decimals
    self.isRetained = isRetained
    self.keep = keep
  }
}
