import LimpetInstants
import MQTTCore
import NIOCore

/// What subscribers have seen of the readings, by name: only their numbers distinguish them.
struct ReadingsWatch: Sendable {
  private struct Name: Sendable {
    let text: String
    /// Its values are times.
    let isSensor: Bool
    /// By number: it has come. Numbers of an era are near each other.
    var seen: [Bool] = []
    var highest: UInt64 = 0
    var isFirst = true
    /// Numbers that have not come, and that nothing explains by itself.
    var missing: UInt64 = 0
    var gaps: UInt64 = 0
    /// Of those that have come to be retained since the process began.
    var newest: UInt64?
    var mayBeginAnew = false
    /// When one came last.
    var last = WorldTime(nanoseconds: 0)
  }

  let device: DeviceModel
  /// What all processes have counted as lost.
  var lost: UInt64 = 0
  /// A broker has had no place for some: they are held, and sent again later.
  var mayOvertake = false
  /// CONNECTs were not answered before the connection that there is: with one of them a broker that has forgotten
  /// everything may have begun a session, so it gets the newest reading of each retained topic again.
  var mayRestore = false
  /// The store was emptied: nobody knows which numbers were given.
  var mayBeginAnew = false
  private var names: [Name] = []
  private var places: [TopicName: Int] = [:]
  private(set) var count: UInt64 = 0
  private var duplicates = 0

  init(_ device: DeviceModel) { self.device = device }

  /// Without a store every process begins at 1, and says so by its `start` alone.
  /// - Parameter known: what the store has of names, where it took nothing for a while; nobody knows the numbers of one
  ///   that came meanwhile, nor those that went on where it has the exact one.
  mutating func ends(known: [String: StoreModel.File.Sequence]?) {
    mayBeginAnew = mayBeginAnew || device.sync < 0
    guard let known else { return }
    for place in names.indices {
      let stored = known[names[place].text]
      let isBehind = stored.map { $0.isExact && $0.next <= Int64(names[place].highest) } ?? true
      if isBehind { names[place].mayBeginAnew = true }
    }
  }

  mutating func begins() { for place in names.indices { names[place].newest = nil } }

  /// The number of the newest reading on a topic that any broker was to retain since the process began.
  func newest(on topic: TopicName) -> UInt64? { places[topic].flatMap { $0 < 0 ? nil : names[$0].newest } }

  /// When any broker has taken a reading on a topic last.
  func last(on topic: TopicName) -> WorldTime? { places[topic].flatMap { $0 < 0 ? nil : names[$0].last } }

  /// A broker has taken a message.
  /// - Parameter isLate: of a connection that the device has left for another one: a broker that was stalled reads it
  ///   behind what came by that.
  mutating func accepted(_ message: Message, isLate: Bool, at now: WorldTime) -> Failure? {
    guard message.payload.readableBytes > 0, let place = place(of: message.topic) else { return nil }
    count += 1
    names[place].last = now
    let problem = message.payload.withUnsafeReadableBytes { bytes in
      let fields = ReadingFields(bytes)
      if message.retain, let number = fields.number { names[place].newest = max(names[place].newest ?? 0, number) }
      return take(fields, of: place, message.qos, isLate: isLate, at: now)
    }
    return problem
  }

  private mutating func place(of topic: TopicName) -> Int? {
    if let place = places[topic] { return place < 0 ? nil : place }
    let text = topic.description
    let prefix = "limpet/\(DeviceModel.name)/r/"
    guard text.hasPrefix(prefix) else {
      places[topic] = -1
      return nil
    }
    places[topic] = names.count
    let name = text.dropFirst(prefix.count)
    names.append(Name(text: String(name), isSensor: DeviceModel.isSensor(name)))
    return names.count - 1
  }

  private mutating func take(_ fields: ReadingFields, of place: Int, _ qos: QoS, isLate: Bool, at now: WorldTime)
    -> Failure?
  {
    guard let number = fields.number, number < 10_000_000 else { return nil }
    if names[place].isSensor, let time = fields.time, let value = fields.value, fields.isCertain {
      let difference = time - (World.epoch / 1_000_000 + value)
      // What a crystal is off by while a reading waits, nobody knows.
      let waited = (now.nanoseconds / 1_000_000 - value).magnitude
      if difference.magnitude > 1000 + waited * device.automation.drift.magnitude / 1_000_000 {
        return Failure("I5", "\(names[place].text) \(number) is certain of a time that is \(difference) ms off")
      }
    }
    names[place].gaps += fields.lost
    while names[place].seen.count <= Int(number) { names[place].seen.append(false) }
    if names[place].seen[Int(number)] {
      // The first after an unclean stop may repeat one.
      if fields.isRestarted && number <= names[place].highest {
        for later in Int(number)..<names[place].seen.count { names[place].seen[later] = false }
        names[place].highest = number
        names[place].seen[Int(number)] = true
        return nil
      }
      duplicates += 1
      // The newest of each name is published again for a new subscriber.
      guard qos == .exactlyOnce, !(device.automation.hasHomeAssistant && number == names[place].highest),
        !(mayRestore && number == names[place].newest)
      else { return nil }
      return Failure("I2c", "\(names[place].text) \(number) was delivered twice")
    }
    names[place].seen[Int(number)] = true
    let highest = names[place].highest
    if number > highest {
      if number > highest + 1 && !fields.isRestarted && !names[place].isFirst {
        names[place].missing += number - highest - 1
      }
      names[place].highest = number
    } else if !names[place].isFirst {
      if fields.isRestarted {
        names[place].highest = number
      } else {
        if names[place].missing > 0 { names[place].missing -= 1 }
        guard !mayBeginAnew, !names[place].mayBeginAnew, !mayOvertake, !isLate else { return nil }
        return Failure("I5", "\(names[place].text) \(number) comes after \(highest), for the first time")
      }
    }
    names[place].isFirst = false
    return nil
  }

  /// Numbers that are missing, and that neither a mark, a gap nor a counter explains.
  /// - Parameter lost: what the counters say.
  func unexplained(_ lost: UInt64) -> String? {
    let missing = names.reduce(0) { $0 + $1.missing }
    let gaps = names.reduce(0) { $0 + $1.gaps }
    guard missing > lost + gaps, !mayBeginAnew, !names.contains(where: \.mayBeginAnew) else { return nil }
    let worst = names.max { $0.missing < $1.missing }
    return
      "\(missing) readings are missing, \(worst?.missing ?? 0) of \(worst?.text ?? ""); \(lost) are counted as lost"
  }
}

/// What there is to see in a reading's JSON, read without building anything.
struct ReadingFields {
  private(set) var number: UInt64?
  /// Milliseconds since 1970.
  private(set) var time: Int64?
  private(set) var value: Int64?
  private(set) var lost: UInt64 = 0
  private(set) var isRestarted = false
  private(set) var isCertain = true

  init(_ bytes: UnsafeRawBufferPointer) {
    var index = 0
    while index < bytes.count {
      // A key begins behind { or , with a quotation mark.
      guard bytes[index] == UInt8(ascii: "{") || bytes[index] == UInt8(ascii: ","), index + 2 < bytes.count,
        bytes[index + 1] == UInt8(ascii: "\"")
      else {
        index += 1
        continue
      }
      let start = index + 2
      var end = start
      while end < bytes.count, bytes[end] != UInt8(ascii: "\"") { end += 1 }
      let content = end + 2
      guard content < bytes.count else { return }
      let key = bytes[start..<end]
      if key.elementsEqual("seq".utf8) {
        number = Self.digits(bytes, content).map { UInt64($0) }
      } else if key.elementsEqual("value".utf8) {
        value = Self.digits(bytes, content)
      } else if key.elementsEqual("lost".utf8) {
        lost = Self.digits(bytes, content).map { UInt64($0) } ?? 0
      } else if key.elementsEqual("restarted".utf8) {
        isRestarted = true
      } else if key.elementsEqual("time_uncertain".utf8) {
        isCertain = false
      } else if key.elementsEqual("time".utf8) {
        time = Self.time(bytes, content + 1)
      }
      index = content
    }
  }

  private static func digits(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int = 19) -> Int64? {
    var number: Int64 = 0
    var index = start
    while index < bytes.count, index < start + count, bytes[index] >= 48, bytes[index] <= 57 {
      number = number * 10 + Int64(bytes[index] - 48)
      index += 1
    }
    return index > start ? number : nil
  }

  /// `2027-01-15T08:00:00.000Z`, of 1970 and later.
  private static func time(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int64? {
    func part(_ offset: Int, _ count: Int) -> Int64? { digits(bytes, start + offset, count) }
    guard let year = part(0, 4), let month = part(5, 2), let day = part(8, 2), let hour = part(11, 2),
      let minute = part(14, 2), let second = part(17, 2), let milliseconds = part(20, 3), year >= 1970
    else { return nil }
    // Days of the civil calendar (Hinnant 2013): March begins the year.
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let ofEra = shifted - era * 400
    let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milliseconds
  }
}
