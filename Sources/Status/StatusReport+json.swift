import JSON
import LimpetText
import NIOCore

/// The status for programs: no key is ever removed or given another meaning.
extension StatusReport {
  package var json: ByteBuffer {
    var object = JSONObject(capacity: 4096)
    object.add("time", clock.time(of: clock.instant).description)
    object.add("version", limpetVersion)
    object.add("device", device)
    object.add("name", displayName)
    object.add("client_id", clientIdentifier)
    object.add("pid", UInt64(process))
    object.add("started", time(started))
    object.add("log_level", logLevel)
    object.add("stopping", isStopping)
    object.add("connection", json: connectionJSON)
    object.add("presence", json: presenceJSON)
    object.add("buffer", json: bufferJSON)
    object.add("resting", list: resting.map(json))
    if let commandsRefusal {
      object.add("commands_error", commandsRefusal)
      if areCommandsAwaited { object.add("commands_awaited", true) }
    }
    object.add("figures", json: Figure.json(figures))
    object.add("readings", list: rows.map(json))
    return object.finish()
  }

  private var connectionJSON: ByteBuffer {
    var object = JSONObject()
    object.add("state", connectionWord)
    object.add("since", time(connection.since))
    switch connection.state {
    case .connected(let server, let connected):
      object.add("server", server.description)
      object.add("address", serverAddress)
      object.add("reason", connection.choice.word)
      object.add("version", "\(connected.version)")
      object.add("session_present", connected.sessionPresent)
      object.add("keepalive", UInt64(connected.limits.keepAlive))
      if case .firstFailed(let first, let patience) = connection.choice {
        object.add("first_server", first.description)
        object.add("returns", patience != nil)
      }
    case .connecting(let server, let version):
      object.add("server", server.description)
      object.add("version", "\(version)")
    case .waiting(let until): object.add("next_try", time(until))
    case .idle, .ended: break
    }
    if let failure = connection.lastFailure {
      var last = JSONObject()
      last.add("time", time(failure.time))
      last.add("error", failure.text)
      object.add("last_error", json: last.finish())
    } else {
      object.addNull("last_error")
    }
    return object.finish()
  }

  private var presenceJSON: ByteBuffer {
    var object = JSONObject()
    object.add("topic", presence.topic)
    object.add("state", presenceWord)
    if case .refused(let code) = presence.birth { object.add("refusal", "\(code)") }
    object.add("epoch", presence.epoch)
    object.add("instance", presence.instance)
    object.add("self_heal", presence.healing.word)
    if case .unavailable(let reason) = presence.healing { object.add("self_heal_error", reason) }
    object.add("conflict", presence.conflict)
    if let seconds = presence.lastsToNotice { object.add("detect_within", seconds) }
    if let reduction = presence.reduction {
      var will = JSONObject()
      will.add("qos", UInt64(reduction.flags.qos.rawValue))
      will.add("retain", reduction.flags.retain)
      will.add("reason", reduction.sentence)
      object.add("reduced_will", json: will.finish())
    }
    return object.finish()
  }

  private var bufferJSON: ByteBuffer {
    var object = JSONObject()
    object.add("readings", UInt64(buffer.readings))
    object.add("bytes", UInt64(buffer.bytes))
    object.add("limit_bytes", UInt64(buffer.limit))
    object.add("under_way", UInt64(buffer.underWay))
    object.add("stored", UInt64(buffer.stored))
    if let age = buffer.oldestAge { object.add("oldest_seconds", Double(age.components.seconds)) }
    if !buffer.dropped.isEmpty {
      let members = buffer.dropped.sorted { $0.key < $1.key }
      object.add("dropped", members.map { ($0.key, .integer(Int64(clamping: $0.value))) })
    }
    object.add("storage_failing", buffer.storageError != nil)
    if let error = buffer.storageError { object.add("storage_error", error) }
    return object.finish()
  }

  private func json(_ topic: RestingTopic) -> ByteBuffer {
    var object = JSONObject()
    object.add("topic", topic.topic)
    object.add("reason", topic.rest.reason)
    if let code = topic.rest.code { object.add("code", UInt64(code.rawValue)) } else { object.addNull("code") }
    object.add("until", time(topic.rest.until))
    object.add("times", UInt64(topic.rest.times))
    object.add("refusals", topic.rest.refusals)
    return object.finish()
  }

  private func json(_ row: Row) -> ByteBuffer {
    var object = JSONObject()
    object.add("name", row.name)
    object.add("topic", row.topic)
    if let skipped = row.skippedRounds { object.add("skipped_rounds", skipped) }
    guard let reading = row.reading else {
      object.addNull("time")
      object.addNull("value")
      object.add("quality", "none")
      return object.finish()
    }
    object.add("time", time(reading.time))
    object.addValue(of: reading)
    object.add("quality", reading.content.quality)
    if let remark = reading.content.remark { object.add("error", remark) }
    object.add("seq", reading.sequence)
    return object.finish()
  }
}

extension Figure {
  /// One object with all of them.
  package static func json(_ figures: [Figure]) -> ByteBuffer {
    var object = JSONObject(capacity: 2048)
    add(figures, to: &object)
    return object.finish()
  }

  package static func add(_ figures: [Figure], to object: inout JSONObject) {
    for figure in figures {
      switch figure.value {
      case .count(let count): object.add(figure.name, count)
      case .amount(let amount): object.add(figure.name, amount)
      case .counts(_, let counts):
        object.add(
          figure.name, counts.sorted { $0.key < $1.key }.map { ($0.key, .integer(Int64(clamping: $0.value))) })
      }
    }
  }
}

extension ConnectionRecord.Choice? {
  /// Why the connection is to this server, for programs.
  fileprivate var word: String {
    switch self {
    case nil: "first"
    case .firstFailed: "first_failed"
    case .sentThere: "redirected"
    }
  }
}
