import MQTTCore
import Platform

/// What `MQTTClient` asks of a `Client`. The answers are values, since `assumeIsolated` loses the types of errors.
extension Client {
  /// - Returns: why it was not sent.
  func send(_ message: Message, token: Session.Token) -> Session.Rejection? {
    do throws(Session.Rejection) { try publish(message, token: token) } catch { return error }
    return nil
  }

  /// Into the store, while it waits.
  func keep(_ message: Message, token: Session.Token) {
    link.keep(message, token: token, at: .now, into: &effects)
    perform()
  }

  func forget(_ token: Session.Token) {
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
  func send(_ request: SubscriptionTable.Request, identifies: Bool, token: Session.Token) -> Session.Rejection? {
    do throws(Session.Rejection) {
      switch request {
      case .subscribe(let identifier, let subscriptions):
        var properties = Properties()
        if identifies { properties.subscriptionIdentifier = identifier }
        try link.subscribe(subscriptions, properties: properties, token: token, at: .now, into: &effects)
      case .unsubscribe(_, let filters): try link.unsubscribe(filters, token: token, at: .now, into: &effects)
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
