/// What a server takes of messages: looked at for each of them, and quicker to copy than all of its limits.
package struct PublishLimits {
  package let maximumQoS: QoS
  package let retainAvailable: Bool

  package init(_ limits: ServerLimits) {
    maximumQoS = limits.maximumQoS
    retainAvailable = limits.retainAvailable
  }
}

extension Message {
  /// The message without the features that this server lacks: a state that is not retained is better than none.
  package func adapted(to limits: ServerLimits) -> Message { adapted(to: PublishLimits(limits)) }

  package func adapted(to limits: PublishLimits) -> Message {
    var message = self
    message.qos = min(qos, limits.maximumQoS)
    message.retain = retain && limits.retainAvailable
    return message
  }
}
