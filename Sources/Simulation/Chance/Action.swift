import LimpetInstants

/// Everything that a script can let happen: faults, and what operators do. The names are those of the text form.
package enum ActionKind: String, Sendable, Hashable, CaseIterable {
  // Connections.
  case cut
  case cutSeenByClient = "cut-seen-by-client"
  case cutSeenByBroker = "cut-seen-by-broker"
  case halfOpen = "half-open"
  case stallLink = "stall-link"
  case trickle
  case portRefused = "port-refused"
  case unreachable
  case silentPort = "silent-port"
  case namesHang = "names-hang"
  case addressChange = "address-change"
  // Brokers.
  case restart
  case kill = "kill-broker"
  case killForgetting = "kill-broker-forgetting"
  case rollback
  case stallBroker = "stall-broker"
  case receiveMaximum = "receive-maximum"
  case maximumQoS = "maximum-qos"
  case noRetain = "no-retain"
  case refuseConnect = "refuse-connect"
  case closeAfterConnack = "close-after-connack"
  case denyByCode = "deny-by-code"
  case denyByCodeAndClose = "deny-by-code-and-close"
  case denySilently = "deny-silently"
  case denySubscribe = "deny-subscribe"
  case closeOnSubscribe = "close-on-subscribe"
  case loseAcknowledgements = "lose-acknowledgements"
  case loseSession = "lose-session"
  case stepBrokerClock = "step-broker-clock"
  // The store.
  case storeFails = "store-fails"
  case storeFull = "store-full"
  case storeHangs = "store-hangs"
  case storeHangsThenFails = "store-hangs-then-fails"
  case storeCorrupt = "store-corrupt"
  case storeEmptied = "store-emptied"
  case crashBeforeCommit = "crash-before-commit"
  case crashAfterCommit = "crash-after-commit"
  // The device and its operator.
  case clock1970 = "clock-1970"
  case stepClock = "step-clock"
  case suspend
  case sensorHangs = "sensor-hangs"
  case edgeStorm = "edge-storm"
  case reloadBroker = "reload-broker"
  case reloadTopic = "reload-topic"
  case reloadNames = "reload-names"
  case terminate
  case terminateTwice = "terminate-twice"
  case killAgent = "kill-agent"
  case powerCut = "power-cut"
  case upgrade
  case twin
  case homeAssistantBirth = "home-assistant-birth"
  // Outputs, and who commands them.
  case commandOn = "command-on"
  case commandOff = "command-off"
  case commandToggle = "command-toggle"
  case commandNumber = "command-number"
  case commandFlawed = "command-flawed"
  case commandSwap = "command-swap"
  case commandHere = "command-here"
  case makeSafe = "make-safe"
  case controllerSilent = "controller-silent"
  case unplugChip = "unplug-chip"
  case hangChip = "hang-chip"
  case failChip = "fail-chip"
  case slowChip = "slow-chip"
  case reloadRules = "reload-rules"
  case dropOutput = "drop-output"
  case moveOutput = "move-output"

  /// Only a device with outputs notices.
  package var isOfOutputs: Bool {
    switch self {
    case .commandOn, .commandOff, .commandToggle, .commandNumber, .commandFlawed, .commandSwap, .commandHere,
      .makeSafe, .controllerSilent, .unplugChip, .hangChip, .failChip, .slowChip, .reloadRules, .dropOutput,
      .moveOutput:
      true
    default: false
    }
  }

  /// Whether it lasts; the others are over at once.
  package var lasts: Bool {
    switch self {
    case .cut, .cutSeenByClient, .cutSeenByBroker, .halfOpen, .addressChange, .rollback, .loseSession,
      .stepBrokerClock, .storeCorrupt, .storeEmptied, .clock1970, .stepClock, .reloadBroker, .reloadTopic,
      .reloadNames, .terminateTwice, .homeAssistantBirth, .commandOn, .commandOff, .commandToggle, .commandNumber,
      .commandFlawed, .commandSwap, .commandHere, .makeSafe, .reloadRules, .dropOutput, .moveOutput:
      false
    default: true
    }
  }

  /// The numbers that it may come with: a reason code, a limit, seconds of a step (two's complement), an amount.
  package var values: [UInt32] {
    switch self {
    case .receiveMaximum: [1, 2, 5, 20]
    case .maximumQoS: [0, 1]
    case .refuseConnect: [0x80, 0x83, 0x84, 0x86, 0x87, 0x88, 0x97]
    case .denyByCode, .denyByCodeAndClose: [0x80, 0x83, 0x87, 0x97]
    case .denySubscribe: [0x80, 0x83, 0x87, 0x97, 0x9E]
    case .stepBrokerClock, .stepClock:
      [60, 3600, 86_400, 31_536_000].flatMap { [UInt32(bitPattern: $0), UInt32(bitPattern: -$0)] }
    case .trickle: [1, 10, 100, 1000]
    case .upgrade: [0, 1]
    case .edgeStorm: [10, 1000, 100_000]
    case .commandOn, .commandOff, .commandToggle, .commandNumber, .commandFlawed: GivenCommand.values
    case .commandHere: [0, 1, 2, 3, 4, 5, 6, 7]
    case .unplugChip: [0, 1]
    case .slowChip: [10, 200, 2000]
    default: []
    }
  }
}

/// One thing that happens in a run.
package struct Action: Sendable, Hashable {
  /// Since the run began.
  package var time: Duration
  package var kind: ActionKind
  /// Which link, broker, board or sensor; from 0.
  package var target: UInt32
  /// How long it lasts; zero where it is over at once.
  package var duration: Duration
  package var value: UInt32

  package init(
    at time: Duration, _ kind: ActionKind, target: UInt32 = 0, for duration: Duration = .zero, value: UInt32 = 0
  ) {
    self.time = time
    self.kind = kind
    self.target = target
    self.duration = duration
    self.value = value
  }

  package var moment: WorldTime { WorldTime(nanoseconds: 0) + time }
}
