import Core
import JSON
import LimpetInstants
import MQTTCore
import NIOCore

/// One command that somebody in the world gives, and what he means by it.
struct GivenCommand: Sendable {
  /// From 1; it is the answer's correlation data.
  let number: UInt64
  let output: Int
  /// nil: nobody can read a command in it.
  var wanted: Command.Wanted?
  var duration: Duration?
  /// When it says that it was given.
  var time: Timestamp?
  var hasID = false
  var isRetained = false
  var isSentTwice = false
  var expiry: UInt32?
  var payload = ByteBuffer()
  var qos = QoS.atLeastOnce

  /// What a script's action says, as bits of its value: QoS, then what is different about it, then which of several.
  init(_ number: UInt64, _ action: Action, truth: Timestamp) {
    self.number = number
    output = Int(action.target) % OutputSettings.most
    qos = QoS(rawValue: UInt8(action.value & 3)) ?? .atLeastOnce
    hasID = action.value & 4 != 0
    isSentTwice = action.value & 64 != 0
    let which = Int(action.value >> 8)
    switch action.kind {
    case .commandOn:
      wanted = .on
      duration = Self.durations[which % Self.durations.count]
    case .commandOff: wanted = .off
    case .commandToggle: wanted = .toggle
    case .commandNumber: wanted = .number(Self.numbers[which % Self.numbers.count])
    default: break
    }
    if action.value & 8 != 0 {
      let late: Int64 = action.value & 16 != 0 ? 600_000_000 : 0
      time = Timestamp(microseconds: truth.microseconds - late)
    }
    if action.value & 32 != 0 { expiry = 5 }
    isRetained = action.value & 128 != 0 || action.kind == .commandOn && which == 7
    payload = wanted == nil ? ByteBuffer(string: Self.flawed[which % Self.flawed.count]) : written
  }

  private static let durations: [Duration?] = [
    nil, nil, nil, nil, .milliseconds(300), .seconds(2), .seconds(60), nil,
  ]
  private static let numbers: [Double] = [0, 1, 1, 30, 60, 100, 150, 0]
  private static let flawed = [
    "open", #"{"value":"on","fro":"10s"}"#, "", #"{"value":true,"for":10}"#, #"{"value":"on""#, "nan",
    String(repeating: "1", count: 1025), #"{"for":"2s"}"#,
  ]

  /// Every value that an action may have.
  static let values: [UInt32] = {
    let ways: [UInt32] = [
      0, 1, 1, 1, 2, 2, 4 + 1, 4 + 2, 64 + 1, 64 + 4 + 1, 8 + 1, 8 + 4 + 2, 8 + 16 + 1, 32 + 1, 32 + 2,
    ]
    return ways.flatMap { way in (0..<8).map { way | $0 << 8 } } + [128 + 1]
  }()

  var id: String? { hasID ? "c\(number)" : nil }

  /// As the control socket brings it.
  var command: Command? { wanted.map { Command($0, for: duration, time: time, id: id) } }

  private var written: ByteBuffer {
    let word =
      switch wanted {
      case .on?: "on"
      case .off?: "off"
      case .toggle?: "toggle"
      case .number(let number)?: "\(number)"
      case nil: ""
      }
    guard duration != nil || time != nil || hasID else { return ByteBuffer(string: word) }
    var object = JSONObject()
    if case .number(let number)? = wanted { object.add("value", number) } else { object.add("value", word) }
    if let duration { object.add("for", "\(duration.wholeNanoseconds / 1_000_000)ms") }
    if let time { object.add("time", "\(time)") }
    if let id { object.add("id", id) }
    return object.finish()
  }

  var message: Message {
    var properties = Properties()
    properties.responseTopic = OutputSettings.answers.description
    properties.correlationData = ByteBuffer(integer: number)
    properties.messageExpiryInterval = expiry
    return Message(
      topic: OutputSettings.commands(output), payload: payload, qos: qos, retain: isRetained, properties: properties)
  }

  /// What a message says of itself; nil: there is nothing about it.
  static func number(of properties: Properties) -> UInt64? {
    properties.correlationData.flatMap { $0.getInteger(at: $0.readerIndex) }
  }
}

/// Who gives commands at the brokers, and waits for one that is down; and what was given on the board.
struct Commander: Sendable {
  static let client = "commander"

  var given: [GivenCommand] = []
  /// By broker.
  var waiting: [(broker: Int, number: UInt64)] = []

  subscript(number: UInt64) -> GivenCommand? {
    number > 0 && number <= given.count ? given[Int(number) - 1] : nil
  }

  mutating func give(_ action: Action, truth: Timestamp) -> GivenCommand {
    let command = GivenCommand(UInt64(given.count + 1), action, truth: truth)
    given.append(command)
    return command
  }
}
