import LimpetInstants
import MQTTCore

/// Topics on which brokers may keep `online`, since it was published there and no `offline` has been acknowledged: that
/// of the current connection, and those of earlier ones without an acknowledged farewell. The will does not always
/// help: a new connection of the session deletes a delayed will ([MQTT-3.1.3-9]), some brokers delete the will of a
/// connection that a new one replaces, and a broker that was killed has forgotten it. So the next connection to that
/// broker owes these topics an `offline`, whichever process makes it: they are stored.
///
/// If a connection ends with such an `offline` under way, that says little: brokers close for many reasons. After a few
/// such ends it is published only when nothing else is left on which the broker could close; if the broker closes then,
/// or refuses it, the topic rests.
package struct OwedFarewells: Sendable {
  package typealias Instant = BootClock.Instant

  package struct Debt: Sendable, Hashable {
    package let server: String
    package let client: String
    package let topic: TopicName
    package let offline: String
    package let qos: QoS
    /// CONNACK came: `online` may have been published. Before that the debt is only prepared.
    var isSaid = false
    /// Connections that ended before the broker acknowledged it.
    var attempts = 0
    /// The broker closes on it: the topic rests until then.
    var restsUntil: Instant?

    /// - Parameter messages: what a connection is made with.
    package init(_ messages: PresenceMessages, on server: ServerAddress, client: String) {
      self.server = server.description
      self.client = client
      topic = messages.status
      offline = messages.offline
      qos = messages.qos
    }

    /// Of an earlier process.
    package init(server: String, client: String, topic: TopicName, offline: String, qos: QoS) {
      self.server = server
      self.client = client
      self.topic = topic
      self.offline = offline
      self.qos = qos
      isSaid = true
    }

    /// Whether both stand for the same message.
    package func isSame(as other: Debt) -> Bool {
      server == other.server && client == other.client && topic == other.topic
    }
  }

  /// Changes for the store: what to add, and what to remove.
  package struct Changes: Sendable, Equatable {
    package var added: [Debt] = []
    package var removed: [Debt] = []

    package init(added: [Debt] = [], removed: [Debt] = []) {
      self.added = added
      self.removed = removed
    }
  }

  /// The oldest goes first.
  package static let limit = 8
  /// How many connections may end with the same `offline` under way before it waits for a proven one.
  package static let attempts = 3
  /// A connection is proven when the broker has acknowledged `online` and this time has passed since.
  package static let proof = Duration.seconds(5)
  package static let rest = Duration.seconds(3600)

  /// The oldest first, that of the current connection last.
  private var debts: [Debt] = []
  /// The debt of the current connection or attempt itself.
  private var own: Debt?
  package private(set) var underWay: Debt?
  private var isProven = false
  private var unstored = Changes()

  package init() {}

  /// The debts of earlier connections.
  package var count: Int { debts.count { $0.isSaid && !isOwn($0) } }

  private func isOwn(_ debt: Debt) -> Bool { own.map { $0.isSame(as: debt) } ?? false }

  // MARK: Connections

  /// CONNECT is about to be sent: its debt is in the store before anything is published.
  package mutating func prepare(_ debt: Debt) {
    own = debt
    guard let index = debts.firstIndex(where: { $0.isSame(as: debt) }) else {
      debts.append(debt)
      mustStore(debt)
      while debts.count > Self.limit { forget(debts[0]) }
      return
    }
    let known = debts.remove(at: index)
    var debt = debt
    debt.isSaid = known.isSaid
    debts.append(debt)
    if known.offline != debt.offline || known.qos != debt.qos { mustStore(debt) }
  }

  /// The broker has agreed to the connection.
  package mutating func connected() {
    guard let own, let index = debts.firstIndex(where: { $0.isSame(as: own) }) else { return }
    debts[index].isSaid = true
    debts[index].attempts = 0
    debts[index].restsUntil = nil
  }

  /// The broker has acknowledged the `offline` of the connection.
  package mutating func saidOffline() { if let own { forget(own) } }

  /// The connection ended: an `offline` that was under way is published again on the next one.
  package mutating func lost(at now: Instant) {
    guard let debt = underWay else { return }
    underWay = nil
    guard let index = debts.firstIndex(where: { $0.isSame(as: debt) }) else { return }
    debts[index].attempts += 1
    if isProven { debts[index].restsUntil = now + Self.rest }
  }

  /// The next debt to pay on this connection, which is to this server.
  ///
  /// - Parameters:
  ///   - isProven: the connection is.
  ///   - isLast: it ends behind that, and there is no other time.
  package mutating func next(on server: ServerAddress, isProven: Bool, isLast: Bool = false, at now: Instant) -> Debt? {
    guard underWay == nil else { return nil }
    let name = server.description
    self.isProven = isProven
    underWay = debts.first { debt in
      debt.server == name && debt.isSaid && !isOwn(debt) && debt.restsUntil.map { $0 <= now } ?? true
        && (isProven || isLast || debt.attempts < Self.attempts)
    }
    return underWay
  }

  /// When a debt that rests on this server may be tried again.
  package func deadline(on server: ServerAddress, after now: Instant) -> Instant? {
    guard underWay == nil else { return nil }
    let name = server.description
    return debts.lazy.filter { $0.server == name && $0.isSaid && !self.isOwn($0) }.compactMap(\.restsUntil)
      .filter { $0 > now }.min()
  }

  /// The broker has refused it. Rights and quotas come back, so it is tried again after a rest: no other client will.
  package mutating func refused(at now: Instant) {
    guard let debt = underWay else { return }
    underWay = nil
    guard let index = debts.firstIndex(where: { $0.isSame(as: debt) }) else { return }
    debts[index].restsUntil = now + Self.rest
  }

  /// The broker has acknowledged it, or it cannot be published at all.
  package mutating func settled() {
    guard let debt = underWay else { return }
    underWay = nil
    forget(debt)
  }

  /// No more messages: an attempt without a connection owes nothing.
  package mutating func end() { for debt in debts where !debt.isSaid { forget(debt) } }

  /// The simulator's, for a rule as it was.
  package mutating func forgetAll() {
    debts = []
    underWay = nil
  }

  private mutating func forget(_ debt: Debt) {
    debts.removeAll { $0.isSame(as: debt) }
    unstored.added.removeAll { $0.isSame(as: debt) }
    unstored.removed.removeAll { $0.isSame(as: debt) }
    unstored.removed.append(debt)
    // Without a store nobody takes them.
    if unstored.removed.count > 2 * Self.limit { unstored.removed.removeFirst() }
  }

  // MARK: The store

  /// Those of an earlier process, or all over again for a store that begins anew.
  ///
  /// - Parameter client: debts of another client are left to that one's will.
  package mutating func found(_ stored: [Debt], client: String) {
    for debt in debts where !stored.contains(where: { $0.isSame(as: debt) }) { mustStore(debt) }
    var earlier: [Debt] = []
    for debt in stored where !unstored.removed.contains(where: { $0.isSame(as: debt) }) {
      if let index = debts.firstIndex(where: { $0.isSame(as: debt) }) {
        debts[index].isSaid = true
      } else if debt.client == client {
        earlier.append(debt)
      } else {
        unstored.removed.append(debt)
      }
    }
    debts = earlier + debts
    while debts.count > Self.limit { forget(debts[0]) }
  }

  private mutating func mustStore(_ debt: Debt) {
    unstored.removed.removeAll { $0.isSame(as: debt) }
    unstored.added.removeAll { $0.isSame(as: debt) }
    unstored.added.append(debt)
  }

  /// Something is to be written.
  package var hasChanges: Bool { unstored != Changes() }

  /// Takes the changes to write now; `storingFailed` follows if the write failed.
  package mutating func takeChanges() -> Changes {
    defer { unstored = Changes() }
    return unstored
  }

  /// The write failed: these changes are written with the next ones, unless those replace them.
  package mutating func storingFailed(_ changes: Changes) {
    let later = unstored.added + unstored.removed
    unstored.added = changes.added.filter { row in !later.contains { $0.isSame(as: row) } } + unstored.added
    unstored.removed = changes.removed.filter { row in !later.contains { $0.isSame(as: row) } } + unstored.removed
  }
}
