import LimpetInstants
import MQTTCore

/// What a broker has against a device from the beginning to the end of a run: nothing heals it, and the device has to live
/// with it.
enum Lasting: Int64, Sendable {
  case nothing
  case deniesReading
  case hasNoPlaceForReading
  case closesOnReading
  case deniesStatus
  case deniesSubscriptions
  case closesOnSubscriptions
  case refusesCredentials
  case keepsNothing
  case takesQoS0
  case takesQoS1

  /// The reading that the broker will not have.
  static let reading = "limpet/d1/r/s0"

  func limit(_ traits: inout BrokerTraits) {
    switch self {
    case .keepsNothing: traits.retainAvailable = false
    case .takesQoS0: traits.maximumQoS = .atMostOnce
    case .takesQoS1: traits.maximumQoS = .atLeastOnce
    default: break
    }
  }

  var denial: Denial? {
    let reading = DeviceModel.filter(Self.reading)
    return switch self {
    case .deniesReading: Denial(reading, publish: .code(.notAuthorized))
    case .hasNoPlaceForReading: Denial(reading, publish: .code(.quotaExceeded))
    case .closesOnReading: Denial(reading, publish: .codeThenClose(.notAuthorized))
    case .deniesStatus:
      Denial(DeviceModel.filter("\(DeviceModel.statusTopic(0))"), publish: .code(.notAuthorized))
    case .deniesSubscriptions: Denial(DeviceModel.filter("limpet/#"), subscribe: .code(.notAuthorized))
    case .closesOnSubscriptions: Denial(DeviceModel.filter("limpet/#"), subscribe: .close)
    default: nil
    }
  }

  var refusal: Refusal? { self == .refusesCredentials ? Refusal(.code(.badUserNameOrPassword)) : nil }

  /// Topics that rest for ever, but for those that a limit concerns.
  var restingTopics: Set<TopicName> {
    switch self {
    case .deniesReading, .hasNoPlaceForReading, .closesOnReading: [DeviceModel.topicName(Self.reading)]
    case .deniesStatus: [DeviceModel.statusTopic(0)]
    default: []
    }
  }

  /// It closes connections: in 3.1.1 there is no other word for what is above its limits.
  var closes: Bool { self == .closesOnReading || self == .closesOnSubscriptions || isLimit }

  /// Retained messages, wills and what is above its QoS are nothing that the broker promises.
  var isLimit: Bool {
    switch self {
    case .keepsNothing, .takesQoS0, .takesQoS1: true
    default: false
    }
  }
}

extension Script {
  var lasting: Lasting { Lasting(rawValue: setting("for-ever") ?? 0) ?? .nothing }
}
