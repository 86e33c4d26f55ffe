/// A topic on which a broker may keep `online` of this device: it was said there, and no `offline` has been acknowledged.
public struct StoredFarewell: Sendable, Hashable {
  /// The broker, as `SessionOwner` names it.
  public var server: String
  /// The device said it under this client identifier; what another one has said is not its to take back.
  public var client: String
  public var topic: String
  /// What is to be said there.
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
