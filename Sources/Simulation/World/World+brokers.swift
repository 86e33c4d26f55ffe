import LimpetInstants
import MQTTCore

/// What happens to brokers.
extension World {
  mutating func touchBroker(_ action: Action) {
    let index = Int(action.target) % brokers.count
    switch action.kind {
    case .restart: change(broker: index) { $0.stop(isOrderly: true, at: $1, into: &$2) }
    case .kill, .killForgetting: change(broker: index) { $0.stop(isOrderly: false, at: $1, into: &$2) }
    case .rollback:
      let older = saved[index]
      change(broker: index) { broker, now, effects in
        broker.stop(isOrderly: false, at: now, into: &effects)
        broker.start(from: older, at: now)
      }
      applyBroker(index)
    case .stallBroker: change(broker: index) { broker, _, _ in broker.stall() }
    case .loseSession: change(broker: index) { $0.forgetSession(of: DeviceModel.client, at: $1, into: &$2) }
    case .stepBrokerClock:
      change(broker: index) { broker, _, _ in
        broker.stepClock(by: .seconds(Int64(Int32(bitPattern: action.value))))
      }
    default: applyBroker(index)
    }
    applyLinks()
    if chances.number(below: 4) == 0 { saved[index] = brokers[index].saved }
  }

  /// Brings a broker to what the actions that last make of it.
  mutating func applyBroker(_ index: Int) {
    let count = brokers.count
    var traits = usualTraits[index]
    if let action = isActive([.receiveMaximum], index, of: count) {
      traits.receiveMaximum = UInt16(clamping: action.value)
    }
    if let action = isActive([.maximumQoS], index, of: count) {
      traits.maximumQoS = QoS(rawValue: UInt8(clamping: action.value)) ?? .atLeastOnce
    }
    if isActive([.noRetain], index, of: count) != nil { traits.retainAvailable = false }
    brokers[index].traits = traits
    if isActive([.restart, .kill, .killForgetting], index, of: count) == nil, !brokers[index].isRunning {
      // What forgot: it is the last that stopped it.
      let forgets = oracles.forgets(index)
      change(broker: index) { broker, now, _ in
        if forgets {
          broker.traits.keepsSessions = false
          broker.traits.keepsRetained = false
        }
        broker.start(at: now)
        broker.traits = traits
      }
      applyLinks()
    }
    if isActive([.stallBroker], index, of: count) != nil {
      if !brokers[index].isStalled { change(broker: index) { broker, _, _ in broker.stall() } }
    } else if brokers[index].isStalled {
      change(broker: index) { $0.resume(at: $1, into: &$2) }
    }
    brokers[index].refusals = refusals(index)
    brokers[index].denials = denials(index)
    if brokers[index].isRunning { publishWaiting(index) }
  }

  private func refusals(_ index: Int) -> [Refusal] {
    let lasting = script.lasting.refusal.map { [$0] } ?? []
    return lasting
      + active.compactMap { place in
        let action = script.actions[place]
        guard Int(action.target) % brokers.count == index else { return nil }
        return switch action.kind {
        case .refuseConnect: Refusal(.code(ReasonCode(rawValue: UInt8(clamping: action.value))))
        case .closeAfterConnack: Refusal(.closeAfterSuccess)
        default: nil
        }
      }
  }

  private func denials(_ index: Int) -> [Denial] {
    let lasting = script.lasting.denial.map { [$0] } ?? []
    return lasting
      + active.compactMap { place in
        let action = script.actions[place]
        guard Int(action.target) % brokers.count == index else { return nil }
        let code = ReasonCode(rawValue: UInt8(clamping: action.value))
        // Which topics is the script's, too: all of a device, its presence, some of its readings.
        let filters = ["limpet/#", "limpet/d1/status", "limpet/d1/presence", "limpet/d1/r/s0", "limpet/d1/r/#"]
        let filter = DeviceModel.filter(filters[Int(seed.of(13, UInt64(place)).number(below: UInt64(filters.count)))])
        return switch action.kind {
        case .denyByCode: Denial(filter, publish: .code(code))
        case .denyByCodeAndClose: Denial(filter, publish: .codeThenClose(code))
        case .denySilently: Denial(filter, publish: .silence)
        case .denySubscribe: Denial(DeviceModel.filter("limpet/#"), subscribe: .code(code))
        case .closeOnSubscribe: Denial(DeviceModel.filter("limpet/#"), subscribe: .close)
        case .loseAcknowledgements: Denial(filter, publish: .lostAcknowledgement)
        default: nil
        }
      }
  }
}
