import MQTT

/// What a server takes of messages: looked at for each of them, and quicker to copy than all of its limits.
struct PublishLimits {
  let maximumQoS: QoS
  let retainAvailable: Bool

  init(_ limits: ServerLimits) {
    maximumQoS = limits.maximumQoS
    retainAvailable = limits.retainAvailable
  }
}

extension Message {
  func adapted(to limits: ServerLimits) -> Message { adapted(to: PublishLimits(limits)) }

  func adapted(to limits: PublishLimits) -> Message {
    adapted(maximumQoS: limits.maximumQoS, retainAvailable: limits.retainAvailable)
  }
}
