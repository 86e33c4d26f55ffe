import MQTT
import NIOCore

/// What a message on this device's own topics says about who sent it.
struct OwnMessage: Equatable {
  /// nil: it does not say.
  var instance: String?
  /// nil: it does not say.
  var epoch: UInt64?

  init(instance: String? = nil, epoch: UInt64? = nil) {
    self.instance = instance
    self.epoch = epoch
  }

  /// Of `status`: it is in the user properties on MQTT 5.
  init(status message: Message) {
    for property in message.properties.userProperties {
      switch property.name {
      case "instance": instance = property.value
      case "epoch": epoch = UInt64(property.value)
      default: break
      }
    }
  }

  /// Of `presence`: it is in the JSON.
  init(presence message: Message) {
    // Longer than any that this program has written.
    guard message.payload.readableBytes <= 4096, let fields = JSONFields(message.payload.readableBytesView) else {
      return
    }
    if case .text(let text) = fields["instance"] { instance = text }
    if case .other(let number) = fields["epoch"] { epoch = UInt64(number) }
  }
}
