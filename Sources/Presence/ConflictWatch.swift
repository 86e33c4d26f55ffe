/// Recognises another client with this one's identifier, and keeps the two from throwing each other out for ever (DESIGN,
/// "Presence, in order", point 6).
///
/// Signs are the server's DISCONNECT 0x8E "session taken over", and messages on the own topics from an `instance` that
/// this device never was: live ones, and retained ones that have appeared since this process has spoken. From then on
/// each end of a connection is followed by minutes of waiting; a connection that lasts is the end of it.
package struct ConflictWatch {
  package enum Rival: Equatable {
    /// The server only said that there is one.
    case unnamed
    case instance(String)
  }

  package private(set) var rival: Rival?
  /// Connections that ended while there was a rival.
  private(set) var kicks = 0
  /// Instances that this device is or was.
  private var own: Set<String>
  /// Those of others that were there before it, with their epochs: a later epoch says that one of them still is.
  private var earlier: [String: UInt64] = [:]
  /// The broker has a presence of this process, or had.
  private var hasSpoken = false

  /// - Parameter instances: this process's and those of earlier ones.
  package init(instances: Set<String>) { own = instances }

  /// Earlier processes of this device, from a store that could be opened only now; true: one of them was taken for a rival.
  package mutating func found(instances: Set<String>) -> Bool {
    own.formUnion(instances)
    guard case .instance(let name)? = rival, own.contains(name) else { return false }
    return lasted()
  }

  /// The server has acknowledged a presence of this process.
  package mutating func spoke() { hasSpoken = true }

  /// A message on an own topic names its sender, with the number of its connection; true: it is a rival that was not known yet.
  package mutating func saw(instance: String, epoch: UInt64, isRetained: Bool) -> Bool {
    guard !own.contains(instance), rival != .instance(instance) else { return false }
    if let known = earlier[instance], epoch <= known { return false }
    guard !isRetained || hasSpoken else {
      // Who had this identifier before may be gone.
      earlier[instance] = epoch
      return false
    }
    let isNew = rival == nil
    rival = .instance(instance)
    return isNew
  }

  /// The connection ended. How long to wait at least before the next one; nil: nobody is known to be the reason.
  ///
  /// - Parameter share: 0...1, random.
  package mutating func lost(isTakenOver: Bool, share: Double) -> Duration? {
    if isTakenOver { rival = rival ?? .unnamed }
    guard rival != nil else { return nil }
    kicks += 1
    let minutes = Self.waits[min(kicks, Self.waits.count) - 1]
    return .seconds((minutes.lowerBound + (minutes.upperBound - minutes.lowerBound) * share) * 60)
  }

  /// Minutes. Drawn at random, so that of two that wait one has the time to be missed by the other.
  private static let waits = [1.0...2.0, 2.0...4.0, 3.0...6.0]

  /// The connection has lasted: whoever it was is gone. True: somebody was.
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
