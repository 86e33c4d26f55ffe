import JSON
import LimpetText
import NIOCore

/// How watching shows things: a line for a person, a line for a program, variables for a command.
extension FleetChange {
  /// One line, without its end: `2026-11-20T12:00:00.123Z greenhouse offline (lost), was online`.
  var line: String {
    let was = previous.map { ", was \($0.text)" } ?? ""
    return "\(time) \(printable(device.name, limit: 120)) \(device.summary(isFlapping: isFlapping))\(was)"
  }

  /// One JSON object, without the end of its line.
  var json: ByteBuffer {
    var object = JSONObject(capacity: 256)
    add(to: &object)
    return object.finish()
  }

  func add(to object: inout JSONObject) {
    object.add("time", time.description)
    object.add("device", device.name)
    object.add("state", device.state.word)
    if case .other(let payload) = device.state {
      object.add("payload", payload)
      if device.isPayloadCut { object.add("payload_cut", true) }
    }
    object.add("previous", previous?.word)
    object.add("since", device.since?.description)
    object.add("reason", device.reason)
    object.add("ended", device.ending?.rawValue)
    object.add("flapping", isFlapping)
    object.add("conflict", device.conflict)
    if let epoch = device.epoch { object.add("epoch", epoch) } else { object.addNull("epoch") }
    object.add("instance", device.instance)
    object.add("name", device.title)
    object.add("retained", isRetained)
  }

  /// For the environment of a command; a text from the network has its control characters escaped.
  var variables: [(name: String, value: String)] {
    var payload = ""
    if case .other(let text) = device.state { payload = printable(text, limit: FleetView.payloadLimit) }
    return [
      ("LIMPET_DEVICE", printable(device.name, limit: FleetView.nameLimit)), ("LIMPET_STATE", device.state.word),
      ("LIMPET_PAYLOAD", payload), ("LIMPET_PREVIOUS", previous?.word ?? ""),
      ("LIMPET_SINCE", device.since?.description ?? ""), ("LIMPET_REASON", printable(device.reason ?? "")),
      ("LIMPET_ENDED", device.ending?.rawValue ?? ""), ("LIMPET_FLAPPING", isFlapping ? "true" : "false"),
      ("LIMPET_CONFLICT", printable(device.conflict ?? "", limit: 120)), ("LIMPET_TIME", time.description),
    ]
  }
}

extension WatchedDevice {
  /// `offline (lost), reason lost, since 2026-11-20T12:00:00.123Z, flapping`.
  func summary(isFlapping: Bool) -> String {
    var text = state.text
    if let ending { text += " (\(ending.rawValue))" }
    if let reason, reason != ending?.rawValue, state != .expired { text += ", reason \(printable(reason))" }
    if let since { text += ", since \(since)" }
    if isFlapping { text += ", flapping" }
    if let conflict { text += ", conflict: \(printable(conflict, limit: 120))" }
    return text
  }
}

extension WatchedDevice.State {
  /// For programs.
  var word: String {
    switch self {
    case .unknown: "unknown"
    case .online: "online"
    case .offline: "offline"
    case .expired: "expired"
    case .other: "other"
    }
  }

  /// For people: another payload as it is.
  var text: String { if case .other(let payload) = self { "\"\(printable(payload))\"" } else { word } }
}

extension WatchedDevice {
  /// Devices that need a look come first: lost ones before those with a farewell.
  var rank: Int {
    switch state {
    case .offline: ending == .clean ? 2 : 0
    case .expired: 1
    case .other: 3
    case .unknown: 4
    case .online: 5
    }
  }
}
