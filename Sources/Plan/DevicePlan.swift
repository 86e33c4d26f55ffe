import Discovery
import MQTTCore
import Outbox
import Presence
import Readings
import Records

/// What an agent is to do: all that follows from its configuration, as values. How a sensor is read, and by which files
/// a server is known, is the shell's.
package struct DevicePlan: Sendable {
  /// How connections are made, and made again.
  package var link: Link.Settings
  /// CONNECT without its will.
  package var connect: Connect
  package var cleanStart: Bool
  package var presence: PresenceMessages
  /// Of every name that has readings, and of those that had some: a reading names its stream by index, so an index
  /// stays a name's for as long as there are readings of it.
  package var streams: [Stream]
  package var sensors: [SensorPlan]
  package var inputs: [LinePlan]
  package var outputs: [OutputPlan]
  /// nil: nothing is subscribed to, and the outputs take no commands but those of this machine.
  package var commands: CommandsPlan?
  /// nil: limpet publishes nothing for Home Assistant.
  package var homeAssistant: HomeAssistantDevice?
  /// nil: it is no Homie device.
  package var homie: HomiePlan?
  /// How often counters that moved are stored; nil: never.
  package var countCheckpoint: Duration?
  package var health: HealthPlan
  package var outbox: Outbox.Rules
  /// Of readings, as configured.
  package var qos: QoS
  package var shutdownTimeout: Duration
  /// The id of the device, and what it was made from, where it was.
  package var device: String
  package var identity: StoredIdentity?

  package init(
    link: Link.Settings, connect: Connect, cleanStart: Bool, presence: PresenceMessages, streams: [Stream],
    sensors: [SensorPlan], inputs: [LinePlan], outputs: [OutputPlan] = [], commands: CommandsPlan? = nil,
    homeAssistant: HomeAssistantDevice? = nil, homie: HomiePlan? = nil,
    countCheckpoint: Duration?, health: HealthPlan, outbox: Outbox.Rules, qos: QoS, shutdownTimeout: Duration,
    device: String, identity: StoredIdentity? = nil
  ) {
    self.link = link
    self.connect = connect
    self.cleanStart = cleanStart
    self.presence = presence
    self.streams = streams
    self.sensors = sensors
    self.inputs = inputs
    self.outputs = outputs
    self.commands = commands
    self.homeAssistant = homeAssistant
    self.homie = homie
    self.countCheckpoint = countCheckpoint
    self.health = health
    self.outbox = outbox
    self.qos = qos
    self.shutdownTimeout = shutdownTimeout
    self.device = device
    self.identity = identity
  }
}

/// The Homie device, and the connection that it has for itself. It never changes, and most plans have none: so it takes no
/// room in those.
package final class HomiePlan: Sendable {
  package let device: HomieDevice
  package let link: Link.Settings
  package let connect: Connect

  package init(device: HomieDevice, link: Link.Settings, connect: Connect) {
    self.device = device
    self.link = link
    self.connect = connect
  }
}
