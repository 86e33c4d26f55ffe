import MQTTCore

extension WillFallback.Reduction {
  /// Why the will is smaller, and what that means.
  package var sentence: String {
    let reason =
      switch cause {
      case .refused(let code): "it refuses a will of \(full): \(code)"
      case .closed: "it closes the connection on a CONNECT with a will of \(full)"
      }
    return "\(reason). \(meaning)"
  }

  /// What the smaller will means for the device's presence.
  package var meaning: String {
    var parts: [String] = []
    if flags.qos < full.qos {
      parts.append(
        "limpet publishes online and offline, and sets the will, with QoS \(flags.qos.rawValue)"
          + (flags.qos == .atMostOnce ? ", which may be lost on the way" : ""))
    }
    if flags.retain != full.retain {
      parts.append("presence works live only: the broker keeps no status for later subscribers")
    }
    return parts.joined(separator: "; ")
  }
}
