import DequeModule
import LimpetInstants
import MQTTCore

/// What a link between clients and a broker is like.
package struct LinkTraits: Sendable, Hashable {
  /// One way, for each packet; and up to how much more, by chance. Packets of one direction never overtake each other.
  package var delay: Duration
  package var jitter: Duration
  /// The least time between two packets of one direction: a link that trickles.
  package var spacing: Duration

  package init(delay: Duration = .milliseconds(1), jitter: Duration = .zero, spacing: Duration = .zero) {
    self.delay = delay
    self.jitter = jitter
    self.spacing = spacing
  }
}

/// What a new connection over a link meets.
package enum Reachability: Sendable, Hashable {
  case open
  /// The port is closed: a reset comes back.
  case refused
  /// The kernel has no route: an error at once.
  case unreachable
  /// SYN is dropped: nothing comes back, ever.
  case silent
  /// The name cannot be resolved; the answer takes a second.
  case unknownName
  /// The name server does not answer, ever.
  case hangingName
  /// The handshake of TLS fails, since the board's wall clock is before the certificate's time.
  case certificateNotYetValid
}

/// What the network does to those at its ends.
package enum NetworkEffect: Sendable {
  /// For both sides, for each when it knows.
  case opened(ConnectionID, link: Int, to: Side, ProtocolVersion)
  /// For the client alone.
  case failed(ConnectionID, Reachability)
  case deliver(ConnectionID, to: Side, Packet)
  case ended(ConnectionID, to: Side, Ending)
}

/// Connections between clients and brokers, in the world's time. Links have numbers, which are the caller's.
///
/// How long a packet is under way is a function of the seed, the link, the connection's number on it, the direction and
/// the packet's number in it: nothing that happens elsewhere shifts it.
package struct SimulatedNetwork: Sendable {
  private struct Item: Sendable {
    let arrival: WorldTime
    let content: Content

    enum Content: Sendable {
      case opened
      case failed(Reachability)
      case packet(Packet)
      case ended(Ending)
    }
  }

  /// One direction of a connection, named by where it leads.
  private struct Lane: Sendable {
    var items: Deque<Item> = []
    var count: UInt64 = 0
    var last = WorldTime(nanoseconds: .min)
    /// What is sent now and later vanishes.
    var isDead = false
    /// The receiving side has closed, or has the report of the end.
    var isEnded = false
  }

  private struct Connection: Sendable {
    let id: ConnectionID
    let link: Int
    let version: ProtocolVersion
    let seed: Seed
    var toClient = Lane()
    var toBroker = Lane()

    subscript(side: Side) -> Lane {
      get { side == .client ? toClient : toBroker }
      _modify { if side == .client { yield &toClient } else { yield &toBroker } }
    }
  }

  private struct Link: Sendable {
    var traits: LinkTraits
    var reachability = Reachability.open
    /// Nothing arrives while it lasts; all of it then.
    var isStalled = false
    var connections: UInt64 = 0
  }

  private let seed: Seed
  private var links: [Link]
  /// By their numbers.
  private var connections: [Connection] = []
  private var next: UInt32 = 1

  package init(_ seed: Seed, links: [LinkTraits]) {
    self.seed = seed
    self.links = links.map { Link(traits: $0) }
  }

  // MARK: What its ends do

  /// A client opens a connection; the result comes later, or never: then a time limit of the client's own ends it.
  /// - Parameter version: of the CONNECT that will come.
  package mutating func open(link: Int, _ version: ProtocolVersion, at now: WorldTime) -> ConnectionID {
    let id = ConnectionID(next)
    next += 1
    links[link].connections += 1
    connections.append(
      Connection(id: id, link: link, version: version, seed: seed.of(UInt64(link), links[link].connections)))
    let index = connections.count - 1
    switch links[link].reachability {
    case .open:
      put(.opened, on: index, to: .broker, now)
      put(.opened, on: index, to: .client, connections[index].toBroker.last)
    case .refused:
      put(.failed(.refused), on: index, to: .client, now + links[link].traits.delay)
    case .unknownName: put(.failed(.unknownName), on: index, to: .client, now + .seconds(1))
    case .unreachable: connections[index].toClient.items.append(Item(arrival: now, content: .failed(.unreachable)))
    case .certificateNotYetValid:
      put(.failed(.certificateNotYetValid), on: index, to: .client, now + links[link].traits.delay * 3)
    case .silent, .hangingName: break
    }
    return id
  }

  /// One side sends a packet. On a connection that the other side has closed it meets a reset.
  package mutating func send(_ packet: Packet, on id: ConnectionID, to side: Side, at now: WorldTime) {
    guard let index = index(of: id), !connections[index][side.other].isEnded else { return }
    if connections[index][side].isEnded {
      put(.ended(.cut), on: index, to: side.other, now)
    } else {
      put(.packet(packet), on: index, to: side, now)
    }
  }

  /// One side closes the connection: what it has sent arrives first, and nothing arrives there any more.
  package mutating func close(_ id: ConnectionID, by side: Side, at now: WorldTime) {
    guard let index = index(of: id) else { return }
    connections[index][side].items.removeAll()
    connections[index][side].isEnded = true
    put(.ended(.closed), on: index, to: side.other, now)
    forgetEnded()
  }

  // MARK: What happens to it

  /// What new connections meet from now on; those that are open stay.
  package mutating func setReachability(_ reachability: Reachability, link: Int) {
    links[link].reachability = reachability
  }

  package func reachability(link: Int) -> Reachability { links[link].reachability }

  package mutating func setTraits(_ traits: LinkTraits, link: Int) { links[link].traits = traits }

  package func traits(link: Int) -> LinkTraits { links[link].traits }

  /// Nothing arrives any more until `resume`, which delivers all of it in one burst.
  package mutating func stall(link: Int) { links[link].isStalled = true }

  package mutating func resume(link: Int, at now: WorldTime) {
    guard links[link].isStalled else { return }
    links[link].isStalled = false
    for index in connections.indices where connections[index].link == link {
      for side in Side.allCases {
        // Nobody learns the time at which it would have come.
        connections[index][side].items = Deque(
          connections[index][side].items.map { Item(arrival: max(now, $0.arrival), content: $0.content) })
        connections[index][side].last = max(now, connections[index][side].last)
      }
    }
  }

  /// All connections of a link are reset, and what is under way is lost.
  /// - Parameter sides: who sees it. The other side believes in its connection until it sends something.
  package mutating func cut(link: Int, seenBy sides: [Side] = Side.allCases, at now: WorldTime) {
    for index in connections.indices where connections[index].link == link {
      cut(index, seenBy: sides, now)
    }
    forgetEnded()
  }

  /// The same for one connection.
  package mutating func cut(_ id: ConnectionID, seenBy sides: [Side] = Side.allCases, at now: WorldTime) {
    guard let index = index(of: id) else { return }
    cut(index, seenBy: sides, now)
    forgetEnded()
  }

  /// All connections of a link are dead, and no side notices: what is under way or will be sent vanishes. New ones work
  /// as before: a NAT's table was lost, or the board has another address.
  package mutating func makeHalfOpen(link: Int) {
    for index in connections.indices where connections[index].link == link {
      for side in Side.allCases {
        connections[index][side].items.removeAll()
        connections[index][side].isDead = true
      }
    }
  }

  // MARK: Time

  /// When something arrives next.
  package var deadline: WorldTime? {
    var first: WorldTime?
    for connection in connections where !links[connection.link].isStalled {
      for lane in [connection.toClient.items.first, connection.toBroker.items.first] {
        if let arrival = lane?.arrival, first.map({ arrival < $0 }) ?? true { first = arrival }
      }
    }
    return first
  }

  /// What has arrived until `now`, in the order of its arrival; of what arrives at the same time that of the older
  /// connection comes first, and there what leads to the broker.
  package mutating func tick(at now: WorldTime, into effects: inout [NetworkEffect]) {
    while let (index, side) = nextArrival(until: now) { arrive(index, side, into: &effects) }
  }

  private func nextArrival(until now: WorldTime) -> (Int, Side)? {
    var first: (index: Int, side: Side, arrival: WorldTime)?
    for index in connections.indices where !links[connections[index].link].isStalled {
      if let arrival = connections[index].toBroker.items.first?.arrival, arrival <= first?.arrival ?? now,
        first.map({ arrival < $0.arrival }) ?? true
      {
        first = (index, .broker, arrival)
      }
      if let arrival = connections[index].toClient.items.first?.arrival, arrival <= first?.arrival ?? now,
        first.map({ arrival < $0.arrival }) ?? true
      {
        first = (index, .client, arrival)
      }
    }
    return first.map { ($0.index, $0.side) }
  }

  private mutating func arrive(_ index: Int, _ side: Side, into effects: inout [NetworkEffect]) {
    let id = connections[index].id
    guard let item = connections[index][side].items.popFirst() else { return }
    switch item.content {
    case .opened: effects.append(.opened(id, link: connections[index].link, to: side, connections[index].version))
    case .failed(let reason):
      effects.append(.failed(id, reason))
      connections[index].toClient.isEnded = true
      connections[index].toBroker.isEnded = true
      forgetEnded()
    case .packet(let packet): effects.append(.deliver(id, to: side, packet))
    case .ended(let ending):
      connections[index][side].items.removeAll()
      connections[index][side].isEnded = true
      effects.append(.ended(id, to: side, ending))
      forgetEnded()
    }
  }

  // MARK: Connections

  private func index(of id: ConnectionID) -> Int? { connections.firstIndex { $0.id == id } }

  /// A connection is over when neither side will hear of it, except of what is still on its way.
  private mutating func forgetEnded() {
    connections.removeAll { connection in
      Side.allCases.allSatisfy { connection[$0].isEnded && connection[$0].items.isEmpty }
    }
  }

  private mutating func cut(_ index: Int, seenBy sides: [Side], _ now: WorldTime) {
    for side in Side.allCases where !connections[index][side].isEnded {
      connections[index][side].items.removeAll()
      if sides.contains(side) {
        connections[index][side].items.append(Item(arrival: now, content: .ended(.cut)))
        connections[index][side].last = now
      } else {
        // The peer forgets the connection: what comes there is answered by a reset. Where both sides see nothing,
        // nothing will arrive either.
        connections[index][side].isDead = sides.isEmpty
      }
    }
  }

  private mutating func put(_ content: Item.Content, on index: Int, to side: Side, _ now: WorldTime) {
    let traits = links[connections[index].link].traits
    let seed = connections[index].seed.of(UInt64(side.rawValue))
    func put(on lane: inout Lane) {
      guard !lane.isDead, !lane.isEnded else { return }
      lane.count += 1
      var arrival = now + traits.delay
      if traits.jitter > .zero { arrival += seed.of(lane.count).duration(upTo: traits.jitter) }
      if lane.count > 1 { arrival = max(arrival, lane.last + traits.spacing) }
      lane.last = arrival
      lane.items.append(Item(arrival: arrival, content: content))
    }
    put(on: &connections[index][side])
  }
}
