import LimpetText
import Measuring
import Readings

/// The status for people, in lines of limited width.
extension StatusReport {
  package func text(columns: Int) -> String {
    var lines = ["limpet \(limpetVersion) on \(device)\(displayName.map { " (\($0))" } ?? "")"]
    lines[0] += isStopping ? ", stopping" : ", up \(age(started).inWords), process \(process)"
    lines.append("")
    for (title, text) in sections {
      let room = columns - Self.indent
      let parts = Wrapping.lines(filledWith: printable(text, limit: 2000), width: room, breaksWords: true)
      for (index, part) in parts.enumerated() {
        lines.append((index == 0 ? title : "").padded(to: Self.indent) + part)
      }
    }
    lines.append("")
    return (lines + table(columns: columns)).joined(separator: "\n")
  }

  private static let indent = 12

  private var sections: [(String, String)] {
    var sections = [("connection", connectionText)]
    if let failure = connection.lastFailure {
      sections.append(("last error", "\(time(failure.time)) (\(age(failure.time).inWords) ago): \(failure.text)"))
    }
    sections.append(("presence", presenceText))
    if let reduction = presence.reduction { sections.append(("WILL", reduction.sentence)) }
    if let conflict = presence.conflict { sections.append(("CONFLICT", conflict)) }
    for topic in resting.prefix(Self.restingLimit) { sections.append(("REFUSED", text(topic))) }
    if resting.count > Self.restingLimit {
      sections.append(("REFUSED", "and \(resting.count - Self.restingLimit) more topics"))
    }
    if let reason = commandsRefusal { sections.append(("COMMANDS", "not obeyed: \(reason)")) }
    sections.append(("buffer", bufferText))
    sections.append(("counters", counterText))
    return sections
  }

  private var connectionText: String {
    let age = age(connection.since).inWords
    switch connection.state {
    case .connected(let server, let connected):
      let session = connected.sessionPresent ? "session resumed" : "new session"
      // A name says less than the address that it stood for.
      let address = serverAddress.flatMap { $0 == server.host ? nil : " (\($0))" } ?? ""
      return "connected to \(server)\(address) for \(age), MQTT \(connected.version), \(session), keepalive "
        + "\(connected.limits.keepAlive) s" + choiceText
    case .connecting(let server, let version): return "connecting to \(server), MQTT \(version), for \(age)"
    case .waiting(let until):
      let left = max(.zero, clock.instant.duration(to: until))
      let away = connection.awaySince.map { " for \(self.age($0).inWords)" } ?? ""
      return "NOT CONNECTED\(away); next try in \(left.inWords)"
    case .idle: return "starting"
    case .ended: return "disconnected"
    }
  }

  private var choiceText: String {
    switch connection.choice {
    case .firstFailed(let first, let patience?):
      "; \(first) comes first but did not keep a connection, and limpet returns there once it has been reachable for "
        + patience.inWords
    case .firstFailed(let first, nil):
      "; \(first) comes first but did not keep a connection, and limpet stays here while this one lasts"
    case .sentThere: "; another broker of broker.url sent limpet there"
    case nil: ""
    }
  }

  private var presenceText: String {
    let state: String
    switch connection.state {
    case .connected:
      switch presence.birth {
      case _ where isStopping: state = "publishing offline"
      case .acknowledged: state = "online"
      case .refused(let code): state = "NOT ONLINE: the broker refuses it (\(code))"
      case .none: state = "online is not acknowledged yet"
      }
    case .idle, .connecting, .waiting, .ended:
      state = connection.connections == 0 ? "not published yet" : "offline (by the will)"
    }
    let healing: String
    switch presence.healing {
    case .armed: healing = "limpet corrects a wrong status"
    case .listening: healing = "waiting for the broker to return the presence message"
    case .idle: healing = "without a connection limpet cannot correct the status"
    case .unavailable(let reason): healing = "self-heal unavailable: \(reason)"
    }
    return "\(state) on \(presence.topic); epoch \(presence.epoch); \(healing)"
  }

  private static let restingLimit = 8

  private func text(_ topic: RestingTopic) -> String {
    let left = clock.instant.duration(to: topic.rest.until)
    let next = topic.rest.isOnTrial || left <= .zero ? "the next message tries again" : "next try in \(left.inWords)"
    let times = topic.rest.times == 1 ? "once" : "\(topic.rest.times) times"
    return "the broker refuses \(topic.topic): \(topic.rest.reason); limpet lets it rest (\(times) so far), \(next)"
  }

  private var bufferText: String {
    let limit = Double(max(buffer.limit, 1))
    let full = Double(buffer.bytes) / limit * 100
    let share =
      buffer.bytes == 0 ? "" : " (\(full < 1 ? "under 1" : String(Int(full))) % of \(limit.bytesInWords))"
    let failing = buffer.storageError.map { "; THE STORAGE CANNOT BE WRITTEN: \($0)" } ?? ""
    let oldest = buffer.oldestAge.map { ", the oldest for \(max(.seconds(1), $0).inWords)" } ?? ""
    return
      "\(buffer.readings) readings wait\(share)\(oldest), \(buffer.stored) of them on disk, "
      + "\(buffer.underWay) in flight\(failing)"
  }

  /// Everything that was lost, refused or suppressed anywhere, and nothing that is 0.
  private var counterText: String {
    let parts = figures.filter { $0.kind == .counter }.compactMap { figure -> String? in
      let name = "\(figure.name)".spaced
      switch figure.value {
      case .count(0): return nil
      case .count(let count): return "\(name) \(count)"
      case .amount(let amount): return amount == 0 ? nil : "\(name) \(amount.shortestDecimal)"
      case .counts(_, let counts):
        let counts = counts.filter { $0.value > 0 }
        guard !counts.isEmpty else { return nil }
        let words = counts.sorted { $0.key < $1.key }.map { "\($0.key.spaced) \($0.value)" }
        return "\(name) \(counts.values.reduce(0, +)) (\(words.joined(separator: ", ")))"
      }
    }
    return parts.isEmpty ? "all 0" : parts.joined(separator: "; ")
  }

  // MARK: Readings

  private func table(columns: Int) -> [String] {
    guard !rows.isEmpty else { return ["no readings are configured"] }
    let cells = rows.map { row -> [String] in
      guard let reading = row.reading else { return [row.name, "-", "none yet", "-", "-"] }
      return [
        row.name, reading.valueText, reading.content.quality, age(reading.time).inWords, "\(reading.sequence)",
      ].map { printable($0, limit: 200) }
    }
    let table = TextTable([["READING", "VALUE", "QUALITY", "AGE", "SEQ"]] + cells)
    var widths = table.widths
    // Names and values are cut to fit; --json has all of them.
    let free = columns - TextTable.width(of: [0, 0] + widths[2...])
    widths[1] = min(widths[1], max(10, free - widths[0]))
    widths[0] = min(widths[0], max(10, free - widths[1]))
    let remarks = rows.flatMap { row -> [String] in
      guard let remark = row.reading?.content.remark else { return [] }
      let text = "\(row.name): \(printable(remark, limit: 500))"
      return Wrapping.lines(filledWith: text, width: columns, breaksWords: true)
    }
    let slow = rows.flatMap { row -> [String] in
      guard let skipped = row.skippedRounds, skipped > 0 else { return [] }
      let times = skipped == 1 ? "once" : "\(skipped) times"
      return Wrapping.lines(
        filledWith: "\(row.name): was due \(times) while its last read was still under way; write a longer interval",
        width: columns, breaksWords: true)
    }
    let notes = remarks + slow
    return table.lines(widths) + (notes.isEmpty ? [] : [""] + notes)
  }
}

extension Reading {
  /// With its unit, bytes as a size: `47.2 °C`, `3.6 GB`. --json has each byte.
  fileprivate var valueText: String {
    if unit == "B", case .good(let value) = content, let bytes = value.number, bytes >= 0 { return bytes.bytesInWords }
    let unit = unit.map { $0.isEmpty ? "" : " " + $0 } ?? ""
    switch content {
    case .good(let value), .doubtful(let value, _): return value.text + unit
    case .output(let output): return output.value.text + unit + " (\(output.cause.rawValue))"
    case .edge(let edge): return edge.isRising ? "rising" : "falling"
    case .total(let total): return total.value.shortestDecimal + unit
    case .gap, .bad: return "-"
    }
  }
}

extension Value {
  fileprivate var text: String {
    switch self {
    case .number(let number): number.shortestDecimal
    case .channels(let channels):
      channels.map { "\($0.name) \($0.value?.text ?? "-")\($0.unit.map { " " + $0 } ?? "")" }.joined(separator: ", ")
    case .integer, .text, .flag: description
    }
  }
}

extension String {
  /// With spaces for underscores.
  fileprivate var spaced: String { String(map { $0 == "_" ? " " : $0 }) }
}
