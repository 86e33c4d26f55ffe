import JSON
import MQTTCore
import NIOCore

/// What a message on this device's own topics says about who sent it.
package struct OwnMessage: Equatable {
  /// nil: it does not say.
  package var instance: String?
  /// nil: it does not say.
  package var epoch: UInt64?

  package init(instance: String? = nil, epoch: UInt64? = nil) {
    self.instance = instance
    self.epoch = epoch
  }

  /// Of `status`: it is in the user properties on MQTT 5.
  package init(status message: Message) {
    for property in message.properties.userProperties {
      switch property.name {
      case "instance": instance = property.value
      case "epoch": epoch = UInt64(property.value)
      default: break
      }
    }
  }

  /// Of `presence`: it is in the JSON.
  package init(presence message: Message) {
    // Longer than any that this program has written.
    guard message.payload.readableBytes <= 4096, let fields = JSONValue(parsing: message.payload.readableBytesView)
    else {
      return
    }
    instance = fields["instance"]?.text
    epoch = fields["epoch"]?.integer.flatMap { UInt64(exactly: $0) }
  }
}
