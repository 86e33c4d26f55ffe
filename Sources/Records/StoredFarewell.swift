/// A topic on which a broker may keep `online` of this device: it was published, and no `offline` has been
/// acknowledged.
public struct StoredFarewell: Sendable, Hashable {
  /// The broker, as `SessionOwner` names it.
  public var server: String
  /// The client identifier under which the device published it; it does not take back what another client published.
  public var client: String
  public var topic: String
  /// The payload to publish there.
  public var offline: String
  public var qos: Int

  /// A farewell to store.
  public init(server: String, client: String, topic: String, offline: String, qos: Int) {
    self.server = server
    self.client = client
    self.topic = topic
    self.offline = offline
    self.qos = qos
  }
}
