import LimpetInstants
import MQTTCore

/// Topics on which brokers may keep `online`, since it was said there and no `offline` has been acknowledged: that of the
/// connection that there is, and those that a farewell could not say `offline` on. The will does not always do it: a new
/// connection of the session deletes one with a delay ([MQTT-3.1.3-9]), and some brokers the will of a connection that it
/// takes the place of; a broker that was killed has forgotten it. The next connection to that broker owes them an
/// `offline`, whichever process makes it: they are stored.
///
/// A connection that ends with one under way says little: brokers close for many reasons. After a few such ends it is said
/// when nothing else is left that the broker could close on; where it closes then, or refuses it, the topic rests.
package struct OwedFarewells: Sendable {
  package typealias Instant = BootClock.Instant

  package struct Debt: Sendable, Hashable {
    package let server: String
    package let client: String
    package let topic: TopicName
    package let offline: String
    package let qos: QoS
    /// CONNACK came: something may have been said there. Before that it is only made ready.
    var isSaid = false
    /// Connections that ended before the broker acknowledged it.
    var attempts = 0
    /// The broker closes on it: it is left alone until then.
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

    /// They stand for the same message.
    package func isSame(as other: Debt) -> Bool {
      server == other.server && client == other.client && topic == other.topic
    }
  }

  /// What the store is to have from now on, and to have no more.
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
  /// Connections that may end with the same one under way until it is said on a proven one only.
  package static let attempts = 3
  /// A connection is proven when the broker has acknowledged `online` and so long has passed.
  package static let proof = Duration.seconds(5)
  package static let rest = Duration.seconds(3600)

  /// The oldest first, that of the connection that there is last.
  private var debts: [Debt] = []
  /// What the connection, or the attempt at one, stands for by itself.
  private var own: Debt?
  package private(set) var underWay: Debt?
  private var isProven = false
  private var unstored = Changes()

  package init() {}

  /// What is owed, beside what the connection stands for.
  package var count: Int { debts.count { $0.isSaid && !isOwn($0) } }

  private func isOwn(_ debt: Debt) -> Bool { own.map { $0.isSame(as: debt) } ?? false }

  // MARK: Connections

  /// CONNECT is about to be sent: what it leads to is in the store before anything is said.
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

  /// The connection ended: what was under way is said on the next one.
  package mutating func lost(at now: Instant) {
    guard let debt = underWay else { return }
    underWay = nil
    guard let index = debts.firstIndex(where: { $0.isSame(as: debt) }) else { return }
    debts[index].attempts += 1
    if isProven { debts[index].restsUntil = now + Self.rest }
  }

  /// The next to be said on the connection, which is to this server.
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

  /// When one that rests on this server may be said again.
  package func deadline(on server: ServerAddress, after now: Instant) -> Instant? {
    guard underWay == nil else { return nil }
    let name = server.description
    return debts.lazy.filter { $0.server == name && $0.isSaid && !self.isOwn($0) }.compactMap(\.restsUntil)
      .filter { $0 > now }.min()
  }

  /// The broker has refused it. Rights and quotas come back, so it is said again when it has rested: nobody else will.
  package mutating func refused(at now: Instant) {
    guard let debt = underWay else { return }
    underWay = nil
    guard let index = debts.firstIndex(where: { $0.isSame(as: debt) }) else { return }
    debts[index].restsUntil = now + Self.rest
  }

  /// The broker has acknowledged it, or it cannot be said at all.
  package mutating func settled() {
    guard let debt = underWay else { return }
    underWay = nil
    forget(debt)
  }

  /// Nothing more is said: what no connection has come of is owed to nobody.
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
    // Where nothing is stored nobody takes them.
    if unstored.removed.count > 2 * Self.limit { unstored.removed.removeFirst() }
  }

  // MARK: The store

  /// Those of an earlier process, or all over again for a store that begins anew.
  ///
  /// - Parameter client: what is another one's is left to that one's will.
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

  /// Takes what is to be written now; `storingFailed` follows where it could not be.
  package mutating func takeChanges() -> Changes {
    defer { unstored = Changes() }
    return unstored
  }

  /// Nothing of this is in the store: it is written with the next changes, unless those say otherwise.
  package mutating func storingFailed(_ changes: Changes) {
    let later = unstored.added + unstored.removed
    unstored.added = changes.added.filter { row in !later.contains { $0.isSame(as: row) } } + unstored.added
    unstored.removed = changes.removed.filter { row in !later.contains { $0.isSame(as: row) } } + unstored.removed
  }
}
