/// Recognises another client with this one's identifier (a rival), and keeps the two from taking over each other's
/// session for ever (DESIGN, "Presence, in order", point 6).
///
/// Signs are the server's DISCONNECT 0x8E "session taken over", and messages on the own topics from an `instance` that
/// this device never was: live ones, and retained ones that have appeared since this process published. From then on
/// the agent waits minutes after each end of a connection; a connection that lasts ends that.
package struct ConflictWatch {
  package enum Rival: Equatable {
    /// The server said so, without a name.
    case unnamed
    case instance(String)
  }

  package private(set) var rival: Rival?
  /// Connections that ended while there was a rival.
  private(set) var kicks = 0
  /// Instances that this device is or was.
  private var own: Set<String>
  /// Instances that published before this process, with their epochs: a later epoch shows that one of them is still
  /// there.
  private var earlier: [String: UInt64] = [:]
  /// The server that this process is at has acknowledged a presence message of it.
  private var hasSpoken = false

  /// - Parameter instances: this process's and those of earlier ones.
  package init(instances: Set<String>) { own = instances }

  /// Earlier processes of this device, from a store that could be opened only now; true: one of them was taken for a rival.
  package mutating func found(instances: Set<String>) -> Bool {
    own.formUnion(instances)
    guard case .instance(let name)? = rival, own.contains(name) else { return false }
    return lasted()
  }

  /// From now on it is another server: what that one has retained is older than anything this process publishes there.
  package mutating func moves() { hasSpoken = false }

  /// The server has acknowledged a presence of this process.
  package mutating func spoke() { hasSpoken = true }

  /// A message on an own topic names its sender, with the number of its connection; true: it is a rival that was not known yet.
  package mutating func saw(instance: String, epoch: UInt64, isRetained: Bool) -> Bool {
    guard !own.contains(instance), rival != .instance(instance) else { return false }
    if let known = earlier[instance], epoch <= known { return false }
    guard !isRetained || hasSpoken else {
      // The client that had this identifier before may be gone.
      earlier[instance] = epoch
      return false
    }
    let isNew = rival == nil
    rival = .instance(instance)
    return isNew
  }

  /// The connection ended. Returns how long to wait at least before the next one; nil: no rival is known.
  ///
  /// - Parameter share: 0...1, random.
  package mutating func lost(isTakenOver: Bool, share: Double) -> Duration? {
    if isTakenOver { rival = rival ?? .unnamed }
    guard rival != nil else { return nil }
    kicks += 1
    let minutes = Self.waits[min(kicks, Self.waits.count) - 1]
    return .seconds((minutes.lowerBound + (minutes.upperBound - minutes.lowerBound) * share) * 60)
  }

  /// Minutes. Random, so that of two rivals that wait one connects well before the other.
  private static let waits = [1.0...2.0, 2.0...4.0, 3.0...6.0]

  /// The connection has lasted: the rival is gone. True: there was one.
  package mutating func lasted() -> Bool {
    defer {
      rival = nil
      kicks = 0
    }
    return rival != nil
  }
}

extension ConflictWatch.Rival: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unnamed: "another client uses this client id"
    case .instance(let instance): "instance \(instance) uses this client id"
    }
  }
}
