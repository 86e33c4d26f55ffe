package enum PresenceKeys {
  package static let topic = Key(
    "topic", .topic(.device), default: "limpet/{device}/status",
    help: "The topic of the device's status; {device} is filled in.")
  package static let online = Key(
    "online", .text(bytes: 1...65535), default: "online", help: "The payload while the device is online.")
  package static let offline = Key(
    "offline", .text(bytes: 1...65535), default: "offline", help: "The payload of the will and of a clean stop.")
  package static let qos = Key(
    "qos", .integer(0...2), default: "1", help: "The quality of service of presence and will.")
  package static let willDelay = Key(
    "will_delay", .duration(.zero...(.seconds(4_294_967_294 as Int64)), wholeSeconds: true), default: "0s",
    help: "How long the broker waits before it publishes the will; MQTT 5.")
  package static let lease = Key(
    "lease", .duration(.seconds(1)...(.days(7)), wholeSeconds: true, orZero: true), default: "5m",
    help: "How often limpet publishes online again; each one expires after three times this. 0s: never; MQTT 5.")

  package static let all = [
    topic.declaration, online.declaration, offline.declaration, qos.declaration, willDelay.declaration,
    lease.declaration,
  ]
}

/// Reads `presence`, and the rules it has with the broker's session.
struct PresenceSection {
  let presence: Configuration.Presence
  let topic: Field<TopicTemplate>

  init(_ reader: MappingReader, broker: BrokerSection) {
    topic = reader.read(PresenceKeys.topic)
    let online = reader.read(PresenceKeys.online)
    let offline = reader.read(PresenceKeys.offline)
    let willDelay = reader.read(PresenceKeys.willDelay)
    let lease = reader.read(PresenceKeys.lease)
    presence = Configuration.Presence(
      topic: topic.value, online: online.value, offline: offline.value, qos: reader.read(PresenceKeys.qos).value,
      willDelay: willDelay.value, lease: lease.value, isLeaseWritten: lease.isWritten)
    if online.value == offline.value, !online.isWrong, !offline.isWrong {
      reader.conflict(
        online.written, offline.written, "online and offline are the same payload; write two that differ")
    }
    Self.check(willDelay, lease, broker, reader)
    reader.reject(unknownTo: PresenceKeys.all)
  }

  private static func check(
    _ willDelay: Field<Duration>, _ lease: Field<Duration>, _ broker: BrokerSection, _ reader: MappingReader
  ) {
    if broker.version.value == .v311 {
      for (name, field) in [("will_delay", willDelay), ("lease", lease)] where field.isWritten && field.value > .zero {
        reader.conflict(
          field.written, broker.version.written, "MQTT 3.1.1 has no \(name); remove it, or write version: auto")
      }
    }
    guard willDelay.value > .zero else { return }
    // MQTT 5, 3.1.3.2.2: the broker publishes the will when the delay has passed or the session ends, whichever is first.
    if broker.cleanStart.value {
      reader.conflict(
        willDelay.written, broker.cleanStart.written,
        "will_delay has no meaning with clean_start: true, as every connection ends the session; remove one of them")
    }
    if case .after(let expiry) = broker.sessionExpiry.value, willDelay.value >= expiry, !broker.sessionExpiry.isWrong {
      reader.conflict(
        willDelay.written, broker.sessionExpiry.written,
        "will_delay \(WrittenDuration.text(willDelay.value)) is not shorter than session_expiry "
          + "\(WrittenDuration.text(expiry)), and the will goes out when the session ends; write a shorter one")
    }
  }
}

extension TopicTemplate {
  /// The topic for the description of the last birth or clean stop.
  package static let description = PresenceKeys.fixed("limpet/{device}/presence")
  /// Where the agent publishes its health.
  package static let health = PresenceKeys.fixed("limpet/{device}/health")
  /// The will of `limpet probe`.
  package static let probe = PresenceKeys.fixed("limpet/{device}/probe")
}

extension PresenceKeys {
  fileprivate static func fixed(_ text: String) -> TopicTemplate {
    Key("", .topic(.device), default: text, help: "").standard
  }
}
