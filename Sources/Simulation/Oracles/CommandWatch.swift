import Core
import JSON
import LimpetInstants
import MQTTCore
import Measuring
import NIOCore
import Plan
import Readings

/// What was answered, as whoever asked reads it.
struct AnswerFields: Sendable {
  let isOK: Bool
  let isPending: Bool
  /// nil: none is said.
  let percent: Double?

  init(_ answer: CommandAnswer) {
    switch answer {
    case .done(let value): (isOK, isPending, percent) = (true, false, value.flatMap(Self.percent(of:)))
    case .pending(let value, _, _): (isOK, isPending, percent) = (true, true, value.flatMap(Self.percent(of:)))
    case .refused(_, let value, _): (isOK, isPending, percent) = (false, false, value.flatMap(Self.percent(of:)))
    }
  }

  /// nil: it is no answer.
  init?(_ payload: ByteBuffer) {
    guard let json = JSONValue(parsing: payload.readableBytesView), case .object(let fields) = json,
      case .flag(let isOK)? = fields.first(where: { $0.name == "ok" })?.value
    else { return nil }
    self.isOK = isOK
    isPending = fields.contains { $0.name == "pending" }
    percent =
      switch fields.first(where: { $0.name == "value" })?.value {
      case .flag(let isOn)?: isOn ? 100 : 0
      case .integer(let number)?: Double(number)
      case .number(let number)?: number
      default: nil
      }
  }

  private static func percent(of value: Value) -> Double? {
    switch value {
    case .flag(let isOn): isOn ? 100 : 0
    case .number(let number): number
    default: nil
    }
  }
}

/// What became of each command: where it was when, and how often it was obeyed.
struct CommandWatch: Sendable {
  /// When a broker took it last.
  var published: [UInt64: WorldTime] = [:]
  /// When a broker accepted the connection.
  var connected: [ConnectionID: WorldTime] = [:]
  /// In this process: why each that came must be refused; an empty text: it need not be.
  var judged: [UInt64: String] = [:]
  var delivered: [UInt64: WorldTime] = [:]
  private var uses: [UInt64: Int] = [:]
  private var usedHere: Set<UInt64> = []
  /// Outputs that a command may have put on: a start restores no others.
  var everOn: Set<String> = []

  mutating func begins() {
    judged = [:]
    delivered = [:]
    usedHere = []
  }

  mutating func used(_ candidate: OutputWatch.Candidate) {
    guard candidate.number > 0 else { return }
    uses[candidate.number, default: 0] += 1
    usedHere.insert(candidate.number)
  }

  /// It may be obeyed (once more).
  func isUsable(_ given: GivenCommand, _ rules: OutputRules) -> Bool {
    if given.hasID, usedHere.contains(given.number) { return false }
    // What waited in the session comes again after a death of the process, and is obeyed where that is configured and
    // nothing tells that it was before.
    if rules.obeysQueued, !given.hasID { return true }
    // Another process knows no ids of the one before it.
    return uses[given.number, default: 0] < (given.isSentTwice ? 2 : 1)
  }

  mutating func judge(_ number: UInt64, _ reason: String?) {
    // Of several that came one may be obeyed.
    if judged[number] != "" { judged[number] = reason ?? "" }
  }
}

extension OutputWatch {
  /// What a board's clock says.
  struct ClockFace: Sendable {
    /// Microseconds since 1970.
    let wall: Int64
    let isSynchronized: Bool
  }

  // MARK: What comes in

  /// - Parameter hasRival: the device knows of one: `lost` goes on.
  mutating func heard(isSure: Bool, hasRival: Bool, at now: WorldTime) {
    if hasRival {
      heardWithRivalAt = now
    } else {
      heardAt = now
      if isSure { surelyHeardAt = now }
    }
  }

  mutating func knows(ofRival hasRival: Bool) {
    guard !hasRival, let heard = heardWithRivalAt else { return }
    heardAt = max(heardAt, heard)
    heardWithRivalAt = nil
  }

  /// A message reaches the board; the core is about to take it.
  mutating func delivered(
    _ publish: Publish, _ known: GivenCommand?, on id: ConnectionID, hasRival: Bool, _ clock: ClockFace,
    at now: WorldTime
  ) {
    let message = publish.message
    if message.topic == OutputSettings.heartbeat, !message.retain, !hasRival { beatAt = now }
    guard let index = (0..<OutputSettings.most).first(where: { OutputSettings.commands($0) == message.topic }),
      let place = outputs.firstIndex(where: { $0?.name == OutputSettings.name(index) && $0?.endsSince == nil })
    else { return }
    // MQTT 3.1.1 brings no correlation data.
    guard let command = known?.command ?? (try? Command(message.payload)).flatMap({ $0 }) else {
      if let known { commands.judge(known.number, "no command can be read in it") }
      return
    }
    var isQueued = publish.duplicate
    if let known, let published = commands.published[known.number] {
      if let connected = commands.connected[id], published < connected { isQueued = true }
      if wokeAt > published, slept > .seconds(6) { isQueued = true }
    }
    // The broker sends it again, and this process has not had it.
    let isAgain = publish.duplicate && known.map { commands.delivered[$0.number] == nil } ?? false
    let packet = publish.packetIdentifier.map { (id, $0) }
    take(
      command, known, place, packet, isQueued: isQueued, isAgain: isAgain, isRetained: message.retain, clock, at: now)
  }

  /// Over the control socket.
  mutating func asked(_ name: String, _ known: GivenCommand?, _ clock: ClockFace, at now: WorldTime) {
    guard let known, let command = known.command,
      let place = outputs.firstIndex(where: { $0?.name == name && $0?.endsSince == nil })
    else { return }
    take(command, known, place, nil, isQueued: false, isAgain: false, isRetained: false, clock, at: now)
  }

  private mutating func take(
    _ command: Command, _ known: GivenCommand?, _ place: Int,
    _ packet: (connection: ConnectionID, identifier: PacketIdentifier)?, isQueued: Bool, isAgain: Bool,
    isRetained: Bool,
    _ clock: ClockFace, at now: WorldTime
  ) {
    guard let output = outputs[place] else { return }
    let reason =
      isRetained
      ? "it is retained"
      : isAgain && command.id != nil
        ? "the broker sends it again, and nobody knows its id"
        : objection(to: command, output, isQueued: isQueued, clock, at: now)
    let number = known?.number ?? 0
    if number > 0 {
      commands.judge(number, reason)
      commands.delivered[number] = commands.delivered[number] ?? now
    }
    guard reason == nil, known.map({ commands.isUsable($0, output.rules) }) ?? true else { return }
    outputs[place]?.candidates.append(
      Candidate(number: number, wanted: command.wanted, duration: command.duration, at: now, packet: packet))
    if output.candidates.count > 64 { outputs[place]?.candidates.removeFirst() }
  }

  /// Why a command must not be obeyed; nil: it may be.
  private func objection(
    to command: Command, _ output: Output, isQueued: Bool, _ clock: ClockFace, at now: WorldTime
  ) -> String? {
    let rules = output.rules
    if isQueued, !rules.obeysQueued { return "it waited (queued: refuse)" }
    if isQueued, command.wanted == .toggle { return "it is a toggle that waited" }
    if let longest = rules.maxAge {
      guard let time = command.time else { return "it has no time" }
      guard clock.isSynchronized else { return "the clock is not synchronised" }
      let age = clock.wall - time.microseconds
      if age > longest.wholeNanoseconds / 1000 + 1_000_000 { return "it is too old (max_age)" }
      if age < -6_000_000 { return "it is of the future" }
    }
    if output.isReleased { return "it is let go of" }
    if output.heldAt == nil { return "it is not held" }
    if rules.pulse != nil, command.duration != nil || command.wanted == .toggle { return "it gives pulses" }
    if let duration = command.duration {
      if duration < rules.minOn { return "for is below min_on" }
      if let maxOn = rules.maxOn, duration > maxOn { return "for is beyond max_on" }
    }
    if case .number(let number) = command.wanted {
      if output.isSwitch ? number < 0 : !(0...100).contains(number) { return "it is out of bounds" }
    }
    return nil
  }

  // MARK: What goes out

  /// A message to who asked is on its way.
  mutating func answers(_ message: Message, at now: WorldTime) {
    guard message.topic == OutputSettings.answers, let number = GivenCommand.number(of: message.properties),
      let fields = AnswerFields(message.payload)
    else { return }
    answered(number, fields, at: now)
  }

  mutating func answered(_ number: UInt64, _ answer: AnswerFields, at now: WorldTime) {
    guard let since = commands.delivered[number] else { return }
    if let reason = commands.judged[number], answer.isOK, !reason.isEmpty {
      return fail("command \(number) is answered with ok, though \(reason)", at: now)
    }
    for place in outputs.indices {
      guard let output = outputs[place],
        let index = output.candidates.firstIndex(where: { $0.number == number })
      else { continue }
      let candidate = output.candidates[index]
      guard answer.isOK else {
        if candidate.order == nil { outputs[place]?.candidates.remove(at: index) }
        return
      }
      if !answer.isPending { confirm(candidate, answer, output, since: since, at: now) }
      if candidate.order == nil, index == output.candidates.count - 1 {
        obeyed(place, candidate, at: answer.isPending ? now : candidate.at)
      }
      if candidate.order == nil, !answer.isPending {
        // It is so already, and changes nothing later.
        outputs[place]?.candidates[index].order = 0
        commands.used(candidate)
      }
      return
    }
  }

  /// What is said to be so was so since the command came.
  private mutating func confirm(
    _ candidate: Candidate, _ answer: AnswerFields, _ output: Output, since: WorldTime, at now: WorldTime
  ) {
    guard let percent = answer.percent else { return }
    let isWanted =
      switch candidate.wanted {
      case .on: percent > 0
      case .off: percent == 0
      case .toggle: true
      case .number(let number): output.isSwitch ? (number > 0) == (percent > 0) : number == percent
      }
    let name = output.name
    if !isWanted {
      return fail("command \(candidate.number) is answered with ok, and \(name) is said to be \(percent)", at: now)
    }
    // Its chip may have lost its power since the driver said so, and nobody knows yet.
    if output.ordered.percent == percent, output.number <= output.reported { return }
    let history = lines[output.request]?.history ?? []
    let first = history.lastIndex { $0.since <= since } ?? 0
    let levels = history.isEmpty ? [0] : history[first...].map(\.level.percent)
    guard !levels.contains(percent), max(since, startedAt) >= output.since else { return }
    fail("command \(candidate.number) is answered with \(percent), and \(name) was never so", at: now)
  }

  /// PUBACK or PUBREC: it is decided.
  mutating func acknowledged(_ identifier: PacketIdentifier, on id: ConnectionID, at now: WorldTime) {
    for place in outputs.indices {
      guard let output = outputs[place], output.heldAt != nil, output.rules.ramp == .zero, output.endsSince == nil,
        let candidate = output.candidates.last, let packet = candidate.packet, packet.connection == id,
        packet.identifier == identifier, let order = candidate.order, order > 0
      else { continue }
      guard output.number == order, output.reported < order else { continue }
      fail("command \(candidate.number) is acknowledged before \(output.name) was driven", at: now)
    }
  }
}
