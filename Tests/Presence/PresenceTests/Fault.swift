import TestScene

/// What happens to an agent, to its broker, or on the way between them.
enum Fault: String, CaseIterable, Sendable {
  case terminated = "SIGTERM"
  case killed = "SIGKILL"
  case killedWithDelay = "SIGKILL, with a will delay"
  case aborted = "abort by a second signal"
  case halfOpen = "packets are dropped"
  case reset = "reset by a proxy"
  case resetUnseen = "reset by a proxy, which the broker does not see"
  case shortLoss = "short loss, with a will delay"
  case brokerRestarted = "broker restarted"
  case brokerRecallsOffline = "broker killed, its old state says offline"
  case brokerRecallsOnline = "broker killed, its old state says online, and the device is gone"
  case oldWill = "its own old will comes after the resumption"
  case emptyStore = "its store is empty, and the session is present"
  case terminatedInBackOff = "SIGTERM while in a back-off"
  case twinArrives = "a twin arrives"
  case twinLeaves = "the twin that waits leaves"
  case connectedTwinLeaves = "the twin that is connected leaves"
  case addressChanged = "its address changes"
  case clockJumped = "its clock jumps"
  case suspended = "suspended for longer than the keepalive"
  case nodeKilled = "the node of a cluster that it is connected to is killed"

  /// Those of a broker that is alone.
  static let matrix = allCases.filter { $0 != .nodeKilled }
}

/// What the status has to say.
enum Truth: Sendable {
  case online
  case offline
  /// Either `offline`, or nothing: what was said of a device that is online has expired.
  case notOnline

  func holds(_ status: String?) -> Bool {
    switch self {
    case .online: status == "online"
    case .offline: status == "offline"
    case .notOnline: status != "online"
    }
  }
}

/// One thing that happens in a cell, or that has to be seen there.
enum Step: Sendable {
  case signal(Int32)
  /// Until the agent has ended, by itself or not.
  case ends
  case starts
  /// The agent loses its storage.
  case forgets
  /// A line of the agent's log.
  case says(String)
  case way(Gate.Mode)
  /// Packets in both directions are lost, and nobody is told.
  case packets(areDropped: Bool)
  /// The machine gets another address, and loses the one that it has.
  case moves
  case brokerSaves
  case brokerStops(Int32)
  case brokerStarts
  case twinStarts
  /// One of the two gives way to the other.
  case twinsFindOut
  case twinEnds(Twin)
  /// The wall clock is set, this much later.
  case clock(hours: Int)
  /// Somebody who watches sees it.
  case seen(Truth)
  /// It is right within this time after the last step, for who watches and for who comes, and it stays right.
  case right(Truth, within: Duration)

  enum Twin: Sendable { case connected, waiting }
}

/// The bounds of DESIGN, "Presence, in order".
enum Bound {
  static let keepAlive = 2
  static let connectTimeout = Duration.seconds(3)
  static let longestBackOff = Duration.seconds(2)
  static let willDelay = 3
  static let lease = 2

  /// What is told or felt, with the time that a busy machine takes.
  static let atOnce = Duration.seconds(2) * Patience.factor
  /// `detect_within`; README, "A status that you can act on": 51 s at a keepalive of 30 s, at once after a crash.
  static func lost(_ cell: Cell) -> Duration {
    .seconds(keepAlive) * 3 / 2 + .seconds(cell.transport == .secureWebSocket ? 11 : 6)
  }
  static let back = longestBackOff + atOnce
  /// The attempt that hangs when the network comes back has to end first.
  static let backOnNetwork = connectTimeout + back
  /// What is noticed of the network settles for 0.3 s, and is answered within 2 s.
  static let moved = Duration.milliseconds(2300) + atOnce
  static let expired = Duration.seconds(3 * lease) + atOnce
  /// Three kicks, and the rest of ten seconds after an answer to a wrong status.
  static let twins = longestBackOff * 3 + .seconds(11) + atOnce
  /// The other node may close on SUBSCRIBE: after two times there is none.
  static let otherNode = longestBackOff * 4 + atOnce
  /// The longest wait of who gave way (6 min).
  static let alone = Duration.seconds(360) + atOnce
}

extension Fault {
  func steps(_ cell: Cell) -> [Step] {
    switch self {
    case .terminated: [.signal(15), .right(.offline, within: Bound.atOnce)]
    case .killed: [.signal(9), .right(.offline, within: Bound.atOnce)]
    case .killedWithDelay: [.signal(9), .right(.offline, within: Bound.lost(cell) + .seconds(Bound.willDelay))]
    case .aborted:
      [
        .way(.swallows), .signal(15), .says("stopping"), .signal(15), .says("aborted"),
        .right(.offline, within: Bound.atOnce),
      ]
    case .halfOpen:
      [
        .packets(areDropped: true), .right(.offline, within: Bound.lost(cell)),
        .packets(areDropped: false), .right(.online, within: Bound.backOnNetwork),
      ]
    case .reset: [.way(.resets), .right(.online, within: Bound.back)]
    case .resetUnseen: [.way(.resetsClients), .right(.online, within: Bound.back)]
    case .shortLoss: [.way(.resets), .right(.online, within: .zero)]
    case .brokerRestarted: [.brokerStops(15), .brokerStarts, .right(.online, within: Bound.back)]
    case .brokerRecallsOffline:
      [
        .signal(15), .ends, .brokerSaves, .starts, .seen(.online), .brokerStops(9), .brokerStarts,
        .right(.online, within: Bound.back),
      ]
    case .brokerRecallsOnline:
      [
        .brokerSaves, .signal(15), .ends, .seen(.offline), .brokerStops(9), .brokerStarts,
        .right(.notOnline, within: Bound.expired),
      ]
    case .oldWill:
      [
        .way(.refuses), .seen(.offline), .way(.carries), .right(.online, within: Bound.back),
        .says("session present: true"),
      ]
    case .emptyStore:
      [
        .signal(9), .ends, .seen(.offline), .forgets, .starts, .right(.online, within: Bound.back),
        .says("limpet begins a new one"),
      ]
    case .terminatedInBackOff:
      [
        .brokerSaves, .brokerStops(9), .says("connection lost: "), .brokerStarts, .signal(15),
        .right(.offline, within: Bound.atOnce),
      ]
    case .twinArrives: [.twinStarts, .right(.online, within: Bound.twins)]
    case .twinLeaves: [.twinStarts, .twinsFindOut, .twinEnds(.waiting), .right(.online, within: Bound.twins)]
    case .connectedTwinLeaves:
      [.twinStarts, .twinsFindOut, .twinEnds(.connected), .right(.online, within: Bound.alone)]
    case .addressChanged: [.moves, .right(.online, within: Bound.moved), .says("is gone")]
    case .clockJumped:
      [.clock(hours: 1), .right(.online, within: .zero), .clock(hours: -1), .right(.online, within: .zero)]
    case .nodeKilled: [.brokerStops(9), .right(.online, within: Bound.otherNode)]
    case .suspended:
      [
        .signal(19), .right(.offline, within: Bound.lost(cell)), .signal(18), .right(.online, within: Bound.back),
      ]
    }
  }

  /// It takes minutes.
  var isSlow: Bool { self == .connectedTwinLeaves }

  /// Somebody stands between agent and broker.
  var needsGate: Bool {
    switch self {
    case .aborted, .reset, .resetUnseen, .shortLoss, .oldWill: true
    default: false
    }
  }

  /// Others cannot be played on the same broker meanwhile.
  var stopsBroker: Bool {
    switch self {
    case .brokerRestarted, .brokerRecallsOffline, .brokerRecallsOnline, .terminatedInBackOff, .nodeKilled: true
    default: false
    }
  }

  var needsNetwork: Bool { self == .halfOpen || self == .addressChanged }

  /// No machine lets its clock be set beside others that use it.
  var needsGuest: Bool { self == .clockJumped }

  /// What the broker knew a while ago is not what it was told last.
  var needsOldState: Bool { self == .brokerRecallsOffline || self == .brokerRecallsOnline }

  var needsVersion5: Bool {
    switch self {
    case .killedWithDelay, .shortLoss, .brokerRecallsOnline: true
    default: false
    }
  }

  /// What is new in the agent's configuration.
  func change(_ settings: inout Settings) {
    switch self {
    case .killedWithDelay, .shortLoss: settings.lines.append("presence: {will_delay: \(Bound.willDelay)s}")
    case .brokerRecallsOnline: settings.lines.append("presence: {lease: \(Bound.lease)s}")
    // The broker's clock jumps with the agent's, and would have `online` expire.
    case .clockJumped: settings.lines.append("presence: {lease: 0s}")
    default: break
    }
  }

  /// It comes back by itself much later than anybody waits here.
  var backsOffForHours: Bool { self == .terminatedInBackOff }
}
