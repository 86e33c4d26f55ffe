import DequeModule
import MQTTCore
import Measuring
import NIOCore
import Readings

/// What a Homie device publishes, and in which order ("Device Lifecycle"), without a socket.
///
/// `offline` –connected→ `introducing` (`init`, the clearing of old topics, `$description`, the known values) –every
/// reading has been taken once, or `patience` is over→ `ready` –leave→ `leaving` (`disconnected`) –acknowledged→ gone, or,
/// where the device only goes to another broker, –comeBack→ `offline`.
///
/// Each topic has one place with its current payload, and at most one message of it is under way: what changes meanwhile
/// follows once, as it is then, so that there never is a backlog.
package struct HomieLifecycle {
  package enum Phase: Equatable { case offline, introducing, ready, leaving, gone }

  package enum Action: Equatable {
    /// The broker has all of the device's description, and nothing else of it.
    case described
    case disconnect
  }

  private struct Place {
    let topic: TopicName
    /// nil: no value yet. Empty: the topic is to be cleared.
    var payload: ByteBuffer?
    var isUnderWay = false
    var isQueued = false
    /// On this connection.
    var isSaid = false
  }

  package struct Publication: Equatable {
    package let message: Message
    package let token: Session.Token
  }

  /// How long the first readings may take before the device is `ready` without them.
  package static let patience = Duration.seconds(5)
  /// Events that wait for the transport.
  private static let eventLimit = 64
  private static let eventToken: Session.Token = 0

  package private(set) var phase = Phase.offline
  private let device: HomieDevice
  private var places: [Place]
  private var queue: Deque<Int> = []
  private var events: Deque<Message> = []
  /// By node and property: the place of its value; by node: that of its alert.
  private let valuePlaces: [[Int?]]
  private let alertPlaces: [Int]
  /// By node: that of its `$target`.
  private let targetPlaces: [Int: Int]
  /// By node: the last command that was obeyed, byte for byte, and as this device writes its value.
  private var asked: [Int: (bytes: ByteBuffer, payload: ByteBuffer)] = [:]
  /// Nodes whose output is on, and that have said so: an output is pressed when it goes on.
  private var pressed: Set<Int> = []
  private let obsolete: Range<Int>
  private var awaited: Set<Int>
  private var isDescribed = false
  private var hasSaidFarewell = false

  private static let state = 0
  private static let description = 1

  private let firstToken: Session.Token

  /// - Parameters:
  ///   - removed: topics of an earlier configuration, behind `base`.
  ///   - firstToken: above 0, and above those of whose messages may still be under way.
  package init(_ device: HomieDevice, removed: [String], firstToken: Session.Token = 1) throws(TopicError) {
    self.device = device
    self.firstToken = firstToken
    func place(_ topic: String, _ payload: ByteBuffer? = nil) throws(TopicError) -> Place {
      Place(topic: try TopicName("\(device.base)/\(topic)"), payload: payload)
    }
    var places = [try place("$state"), try place("$description", device.description)]
    var valuePlaces: [[Int?]] = []
    var alertPlaces: [Int] = []
    var targetPlaces: [Int: Int] = [:]
    for (index, node) in device.nodes.enumerated() {
      // Before the value: it says where that goes.
      if let property = node.properties.first(where: \.hasTarget) {
        targetPlaces[index] = places.count
        places.append(try place("\(node.id)/\(property.id)/$target"))
      }
      var own: [Int?] = []
      for property in node.properties {
        own.append(property.isRetained ? places.count : nil)
        if property.isRetained { places.append(try place("\(node.id)/\(property.id)")) }
      }
      valuePlaces.append(own)
      alertPlaces.append(places.count)
      places.append(try place("$alert/\(node.id)"))
    }
    let first = places.count
    for topic in removed { places.append(try place(topic, ByteBuffer())) }
    obsolete = first..<places.count
    awaited = Set(device.nodes.indices.filter { device.nodes[$0].properties.contains(where: \.isRetained) })
    self.places = places
    self.valuePlaces = valuePlaces
    self.alertPlaces = alertPlaces
    self.targetPlaces = targetPlaces
  }

  /// The first token that it has no use for.
  package var endOfTokens: Session.Token { firstToken + Session.Token(places.count) }

  package var will: Message { message(Self.state, ByteBuffer(string: "lost")) }

  // MARK: What happens

  package mutating func connected() {
    guard phase == .offline else { return }
    phase = .introducing
    queue = []
    for index in places.indices {
      places[index].isUnderWay = false
      places[index].isQueued = false
      places[index].isSaid = false
    }
    set(Self.state, ByteBuffer(string: "init"))
    for index in obsolete where places[index].payload != nil { enqueue(index) }
    enqueue(Self.description)
    for index in (Self.description + 1)..<obsolete.lowerBound where places[index].payload != nil { enqueue(index) }
  }

  package mutating func lost() {
    if phase != .leaving, phase != .gone { phase = .offline }
    events = []
  }

  /// It has left one broker for another.
  package mutating func comeBack() {
    guard phase == .leaving || phase == .gone else { return }
    phase = .offline
    hasSaidFarewell = false
  }

  /// A reading of a node was taken.
  package mutating func take(_ content: Reading.Content, of node: Int) {
    switch content {
    // A property that is not retained is an event.
    case .good(.text(let word)) where device.nodes[node].properties.first?.isRetained == false:
      enqueueEvent(word, of: node)
    case .good(let value), .doubtful(let value, _): set(value, of: node)
    case .total(let total):
      setValue(0, of: node, .number(total.value))
      setValue(1, of: node, .number(total.rate))
    case .output(let output): take(output, of: node)
    case .edge(let edge): enqueueEvent(edge.isRising ? "rising" : "falling", of: node)
    case .gap: return
    case .bad: break
    }
    setAlert(of: node, content.complaint)
    awaited.remove(node)
  }

  /// What is pressed is an event; all else is a value.
  private mutating func take(_ output: Reading.Output, of node: Int) {
    guard let property = device.nodes[node].properties.first, !property.isRetained else {
      return set(output.value, of: node)
    }
    guard output.value == .flag(true) || output.value.isAboveZero else {
      pressed.remove(node)
      return
    }
    if pressed.insert(node).inserted { enqueueEvent(property.format ?? "", of: node) }
  }

  // MARK: Commands

  /// A command for a node is obeyed.
  package mutating func accept(_ bytes: ByteBuffer, _ value: Value, of node: Int) {
    guard let payload = device.nodes[node].properties.first?.payload(value) else { return }
    asked[node] = (bytes, payload)
  }

  /// A command is refused: the value is told again, and `$target` stays what was accepted.
  package mutating func refuse(_ node: Int) {
    guard phase == .introducing || phase == .ready, let place = valuePlaces[node].first ?? nil,
      places[place].payload != nil
    else { return }
    enqueue(place)
  }

  /// Names of nodes with a `$target`.
  package var targeted: [(node: Int, name: String)] { targetPlaces.keys.sorted().map { ($0, device.nodes[$0].name) } }

  /// The target of a node.
  package mutating func target(_ value: Value, of node: Int) {
    guard let place = targetPlaces[node], let own = device.nodes[node].properties.first?.payload(value) else { return }
    let payload = asked[node].flatMap { $0.payload == own ? $0.bytes : nil } ?? own
    if places[place].payload != payload { set(place, payload) }
  }

  /// `patience` is over.
  package mutating func readingsAreLate() { awaited = [] }

  /// Begins the farewell; false: there is no connection to say it on.
  package mutating func leave() -> Bool {
    guard phase == .introducing || phase == .ready else {
      phase = .gone
      return false
    }
    phase = .leaving
    queue = []
    events = []
    for index in places.indices { places[index].isQueued = false }
    places[Self.state].payload = ByteBuffer(string: "disconnected")
    enqueue(Self.state)
    return true
  }

  /// Everything else has been sent once, and `init` is acknowledged. It does not wait for changes in between: if values
  /// change faster than the link takes them, some always wait.
  private mutating func becomeReady() {
    guard phase == .introducing, awaited.isEmpty, !queue.contains(where: { !places[$0].isSaid }),
      !places[Self.state].isUnderWay
    else { return }
    phase = .ready
    set(Self.state, ByteBuffer(string: "ready"))
  }

  // MARK: Values

  private mutating func set(_ value: Value, of node: Int) {
    guard case .channels(let channels) = value else { return setValue(0, of: node, value) }
    for (index, property) in device.nodes[node].properties.enumerated() {
      if let value = channels.first(where: { $0.name == property.channel })?.value { setValue(index, of: node, value) }
    }
  }

  private mutating func setValue(_ index: Int, of node: Int, _ value: Value) {
    let properties = device.nodes[node].properties
    guard index < properties.count, let place = valuePlaces[node][index],
      let payload = properties[index].payload(value),
      places[place].payload != payload
    else { return }
    set(place, payload)
  }

  private mutating func enqueueEvent(_ word: String, of node: Int) {
    guard phase == .ready, let property = device.nodes[node].properties.first,
      let topic = try? TopicName("\(device.base)/\(device.nodes[node].id)/\(property.id)")
    else { return }
    if events.count == Self.eventLimit { events.removeFirst() }
    events.append(Message(topic: topic, payload: ByteBuffer(string: word), qos: .atMostOnce))
  }

  /// An alert of an earlier process may still be there: the first good reading takes it away.
  private mutating func setAlert(of node: Int, _ text: String?) {
    let place = alertPlaces[node]
    let payload = ByteBuffer(string: text ?? "")
    guard text != nil || !isClear[node, default: false], places[place].payload != payload else { return }
    isClear[node] = text == nil
    set(place, payload)
  }

  private var isClear: [Int: Bool] = [:]

  private mutating func set(_ index: Int, _ payload: ByteBuffer) {
    places[index].payload = payload
    if phase == .introducing || phase == .ready { enqueue(index) }
  }

  private mutating func enqueue(_ index: Int) {
    guard !places[index].isQueued else { return }
    places[index].isQueued = true
    queue.append(index)
  }

  // MARK: What to send

  /// The next message; nil: there is none for now.
  package mutating func next() -> Publication? {
    becomeReady()
    if let event = events.popFirst() { return Publication(message: event, token: Self.eventToken) }
    guard let position = queue.firstIndex(where: { !places[$0].isUnderWay }) else { return nil }
    let index = queue.remove(at: position)
    places[index].isQueued = false
    guard let payload = places[index].payload else { return next() }
    places[index].isUnderWay = true
    places[index].isSaid = true
    if index == Self.state, phase == .leaving { hasSaidFarewell = true }
    return Publication(message: message(index, payload), token: firstToken + Session.Token(index))
  }

  /// The course of a message is over.
  package mutating func settled(_ token: Session.Token, isDelivered: Bool) -> Action? {
    guard token >= firstToken, token < endOfTokens else { return nil }
    let index = Int(token - firstToken)
    places[index].isUnderWay = false
    // A cleared topic is done with, unless it has a new value by now.
    if isDelivered, !places[index].isQueued, places[index].payload?.readableBytes == 0 { places[index].payload = nil }
    guard index == Self.state, isDelivered else { return nil }
    if hasSaidFarewell {
      phase = .gone
      return .disconnect
    }
    guard phase == .ready, !isDescribed, obsolete.allSatisfy({ places[$0].payload == nil }) else { return nil }
    isDescribed = true
    return .described
  }

  private func message(_ index: Int, _ payload: ByteBuffer) -> Message {
    Message(topic: places[index].topic, payload: payload, qos: .exactlyOnce, retain: true)
  }
}

extension Value {
  fileprivate var isAboveZero: Bool { if case .number(let number) = self { number > 0 } else { false } }
}

extension Reading.Content {
  /// What a person should know of it.
  fileprivate var complaint: String? {
    switch self {
    case .good, .edge, .total, .gap: nil
    case .doubtful(_, let doubt): doubt.reason
    case .output(let output): output.doubt?.reason
    case .bad(let reason): reason
    }
  }
}
