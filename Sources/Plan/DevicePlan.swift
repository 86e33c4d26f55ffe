import Discovery
import MQTTCore
import Outbox
import Presence
import Readings
import Records

/// What an agent is to do: all that follows from its configuration, as values, except how sensors are read and which
/// files TLS needs: these are the shell's.
package struct DevicePlan: Sendable {
  /// How connections are made, and made again.
  package var link: Link.Settings
  /// CONNECT without its will.
  package var connect: Connect
  package var cleanStart: Bool
  package var presence: PresenceMessages
  /// One for every name that has readings, and for those that had some: a reading refers to its stream by index, so an
  /// index belongs to a name for as long as there are readings of it.
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
  /// The id of the device, and what it was made from, if it was not configured.
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

/// The Homie device, and its own connection. A class, since it never changes and takes no room in plans without one.
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
