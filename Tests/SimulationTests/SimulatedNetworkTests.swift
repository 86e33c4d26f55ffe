import LimpetInstants
import MQTTCore
import NIOCore
import Simulation
import Testing

@Suite struct SimulatedNetworkTests {
  private func time(_ milliseconds: Int64) -> WorldTime { WorldTime(nanoseconds: milliseconds * 1_000_000) }

  /// All that arrives until a moment, as text: its milliseconds, the side, what it is.
  private func arrivals(_ network: inout SimulatedNetwork, until now: WorldTime) -> [String] {
    var arrivals: [String] = []
    while let deadline = network.deadline, deadline <= now {
      var effects: [NetworkEffect] = []
      network.tick(at: deadline, into: &effects)
      let milliseconds = deadline.nanoseconds / 1_000_000
      for effect in effects {
        switch effect {
        case .opened(_, _, let side, _): arrivals.append("\(milliseconds) \(side) open")
        case .failed(_, let reason): arrivals.append("\(milliseconds) failed \(reason)")
        case .deliver(_, let side, let packet): arrivals.append("\(milliseconds) \(side) \(packet.type)")
        case .ended(_, let side, let ending): arrivals.append("\(milliseconds) \(side) \(ending)")
        }
      }
    }
    return arrivals
  }

  private func connected(_ traits: LinkTraits = LinkTraits(delay: .milliseconds(10))) -> (
    SimulatedNetwork, ConnectionID
  ) {
    var network = SimulatedNetwork(Seed(1), links: [traits])
    let id = network.open(link: 0, .v5, at: time(0))
    _ = arrivals(&network, until: time(1000))
    return (network, id)
  }

  @Test("a packet takes the link's delay, and the end comes after it")
  func delays() {
    var network = SimulatedNetwork(Seed(1), links: [LinkTraits(delay: .milliseconds(10))])
    let id = network.open(link: 0, .v5, at: time(0))
    #expect(arrivals(&network, until: time(50)) == ["10 broker open", "20 client open"])
    network.send(.pingreq, on: id, to: .broker, at: time(100))
    network.close(id, by: .client, at: time(100))
    network.send(.pingresp, on: id, to: .client, at: time(105))
    #expect(arrivals(&network, until: time(500)) == ["110 broker PINGREQ", "110 broker closed"])
  }

  @Test("chance gives each packet a delay of its own, and none overtakes another; the same seed gives the same")
  func jitter() {
    let traits = LinkTraits(delay: .milliseconds(10), jitter: .milliseconds(40))
    var lives: [[String]] = []
    for _ in 0..<2 {
      var (network, id) = connected(traits)
      for index in 0..<50 {
        let identifier = PacketIdentifier(rawValue: UInt16(index + 1)) ?? .first
        network.send(.puback(Acknowledgement(identifier)), on: id, to: .broker, at: time(1000 + Int64(index)))
      }
      var effects: [NetworkEffect] = []
      network.tick(at: time(2000), into: &effects)
      let identifiers = effects.compactMap { effect -> UInt16? in
        guard case .deliver(_, _, .puback(let answer)) = effect else { return nil }
        return answer.packetIdentifier.rawValue
      }
      #expect(identifiers == Array(1...50))
      network.send(.pingreq, on: id, to: .broker, at: time(3000))
      lives.append(arrivals(&network, until: time(4000)))
    }
    #expect(lives[0] == lives[1])
  }

  @Test("a stalled link delivers all in one burst; a trickling one packet by packet")
  func bursts() {
    var (network, id) = connected()
    network.stall(link: 0)
    for _ in 0..<3 { network.send(.pingreq, on: id, to: .broker, at: time(1000)) }
    #expect(arrivals(&network, until: time(5000)).isEmpty)
    network.resume(link: 0, at: time(5000))
    #expect(arrivals(&network, until: time(5000)) == Array(repeating: "5000 broker PINGREQ", count: 3))
    network.setTraits(LinkTraits(delay: .milliseconds(10), spacing: .milliseconds(200)), link: 0)
    for _ in 0..<3 { network.send(.pingreq, on: id, to: .broker, at: time(6000)) }
    #expect(
      arrivals(&network, until: time(9000)) == ["6010 broker PINGREQ", "6210 broker PINGREQ", "6410 broker PINGREQ"])
  }

  @Test("a cut loses what is under way; a side that does not see it learns of it when it sends")
  func cuts() {
    var (network, id) = connected()
    network.send(.pingreq, on: id, to: .broker, at: time(1000))
    network.cut(link: 0, at: time(1005))
    #expect(arrivals(&network, until: time(2000)) == ["1005 broker cut", "1005 client cut"])

    (network, id) = connected()
    network.cut(link: 0, seenBy: [.broker], at: time(1000))
    #expect(arrivals(&network, until: time(9000)) == ["1000 broker cut"])
    network.send(.pingreq, on: id, to: .broker, at: time(9000))
    #expect(arrivals(&network, until: time(9900)) == ["9010 client cut"])
  }

  @Test("on a half-open connection nothing arrives, ever, and nobody is told; new connections work")
  func halfOpen() {
    var (network, id) = connected()
    network.send(.pingreq, on: id, to: .broker, at: time(1000))
    network.makeHalfOpen(link: 0)
    network.send(.pingresp, on: id, to: .client, at: time(1500))
    network.close(id, by: .client, at: time(2000))
    #expect(arrivals(&network, until: time(3_600_000)).isEmpty)
    _ = network.open(link: 0, .v311, at: time(4_000_000))
    #expect(arrivals(&network, until: time(4_001_000)) == ["4000010 broker open", "4000020 client open"])
  }

  @Test("an attempt meets what the link has, and some meet nothing")
  func attempts() {
    var network = SimulatedNetwork(Seed(1), links: [LinkTraits(delay: .milliseconds(10))])
    for (reachability, expected) in [
      (Reachability.refused, ["20 failed refused"]), (.unreachable, ["0 failed unreachable"]), (.silent, []),
      (.hangingName, []), (.unknownName, ["1010 failed unknownName"]),
    ] {
      network.setReachability(reachability, link: 0)
      var copy = network
      _ = copy.open(link: 0, .v5, at: time(0))
      #expect(arrivals(&copy, until: time(600_000)) == expected)
    }
  }
}
