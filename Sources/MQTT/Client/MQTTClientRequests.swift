import LimpetPlatform
import MQTTCore

/// What `MQTTClient` asks of a `MQTTSessionDriver`. The answers are values, since `assumeIsolated` loses the types of errors.
extension MQTTSessionDriver {
  /// - Returns: why it was not sent.
  func send(_ message: Message, token: MQTTSession.Token) -> MQTTSession.Rejection? {
    do throws(MQTTSession.Rejection) { try publish(message, token: token) } catch { return error }
    return nil
  }

  /// Into the store, while it waits.
  func keep(_ message: Message, token: MQTTSession.Token) {
    link.keep(message, token: token, at: .now, into: &effects)
    perform()
  }

  func forget(_ token: MQTTSession.Token) {
    link.forget(token, at: .now, into: &effects)
    perform()
  }

  /// Of a subscription.
  func keep(_ change: SessionChange) {
    link.keep(change, at: .now, into: &effects)
    perform()
  }

  /// - Parameter identifies: the subscription's number goes along as Subscription Identifier.
  /// - Returns: why it was not sent.
  func send(
    _ request: SubscriptionTable.Request, _ properties: Properties, identifies: Bool, token: MQTTSession.Token
  ) -> MQTTSession.Rejection? {
    var properties = properties
    do throws(MQTTSession.Rejection) {
      switch request {
      case .subscribe(let identifier, let subscriptions):
        if identifies { properties.subscriptionIdentifier = identifier }
        try link.subscribe(subscriptions, properties: properties, token: token, at: .now, into: &effects)
      case .unsubscribe(_, let filters):
        try link.unsubscribe(filters, properties: properties, token: token, at: .now, into: &effects)
      }
    } catch { return error }
    perform()
    return nil
  }

  /// Messages of QoS 1 and 2 that are taken now, and whether the transport takes more bytes without piling them up.
  var capacity: (room: Int, exactlyOnceRoom: Int, isWritable: Bool) {
    // Not while a connection closes: QoS 0 that may wait goes by the next one.
    (room, room(for: .exactlyOnce), link.isConnected && link.takesBytes)
  }
}
