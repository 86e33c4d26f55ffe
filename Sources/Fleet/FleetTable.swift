import LimpetInstants
import LimpetText

/// The live table: a fleet as the lines of a screen.
struct FleetTable {
  var columns: Int
  var rows: Int
  var hasColours = true

  private static let shortestName = 12

  private enum Column: Int, CaseIterable {
    case device, state, since, reason, notes

    var title: String {
      switch self {
      case .device: "DEVICE"
      case .state: "STATE"
      case .since: "FOR"
      case .reason: "REASON"
      case .notes: "NOTES"
      }
    }

    var widest: Int { self == .device ? 40 : self == .notes ? 200 : 24 }
  }

  /// A line more or less for each of `rows`, none wider than `columns`; devices that need a look come first.
  ///
  /// - Parameters:
  ///   - controls: gets the number of rows to go through.
  ///   - connection: where this is connected to, or what is wrong.
  ///   - remark: what else there is to say.
  func lines(
    of view: FleetView, _ controls: inout WatchControls, connection: String, remark: String? = nil,
    at now: FleetView.Moment
  ) -> [String] {
    let devices = controls.shown(of: view)
    // Two lines above, or three, and one below.
    let details = controls.isDetailed ? 5 : 0
    let room = max(rows - (remark == nil ? 3 : 4) - details, 1)
    (controls.page, controls.count) = (max(room - 1, 1), devices.count)
    let fits = devices.count <= room
    let space = fits ? room : max(room - 1, 1)
    // The selected one stays in the middle where there is more than a screen.
    let start = fits ? 0 : max(0, min(controls.selected - space / 2, devices.count - space))
    let shown = devices[start..<min(start + space, devices.count)]
    let others = shown.map { cells(of: $0, at: now) }
    // Its state is what a device is looked up for: on a narrow screen names are cut first.
    let rest = TextTable([Column.allCases.dropFirst().map(\.title)] + others).widths.prefix(3)
    let name = max(Self.shortestName, min(Column.device.widest, columns - TextTable.width(of: [0] + rest)))
    let table = TextTable(
      [Column.allCases.map(\.title)] + zip(shown, others).map { [Self.name(of: $0, in: name)] + $1 })
    let drawn = table.lines(zip(table.widths, Column.allCases).map { min($0, $1.widest) }).map(cut)
    let summary = summary(view.sorted, ignored: view.ignored)
    let title = "limpet watch: \(connection)  \(summary)"
    var lines = [cut(title.columns <= columns ? title : "\(summary)  \(connection)")]
    if let remark { lines.append(cut(printable(remark, limit: 300))) }
    lines.append(drawn[0])
    for (index, (device, row)) in zip(shown, drawn.dropFirst()).enumerated() {
      let isSelected = start + index == controls.selected && (!fits || controls.isDetailed || controls.selected > 0)
      lines.append(coloured(row, device, isSelected: isSelected))
    }
    if !fits { lines.append(cut("... \(start + 1) to \(start + shown.count) of \(devices.count)")) }
    if devices.isEmpty {
      lines.append(cut(view.devices.isEmpty ? "no device has reported yet" : "no device matches \(controls.filter)"))
    }
    if controls.isDetailed, devices.indices.contains(controls.selected) {
      lines += self.details(of: devices[controls.selected], at: now).map(cut)
    }
    return Array(lines.prefix(max(rows - 1, 1))) + (rows > 1 ? [cut(help(controls))] : [])
  }

  private func help(_ controls: WatchControls) -> String {
    if controls.isTyping { return "/\(controls.filter)_  Enter: done, Esc: all" }
    let filter = controls.filter.isEmpty ? "/ filter" : "filter \(controls.filter) (Esc: all)"
    let order = controls.order == .needs ? "s newest first" : "s problems first"
    let long = "q quits  \(filter)  \(order)  arrows, PgUp, PgDn move  Enter details"
    return long.columns <= columns ? long : "q quits  \(filter)  \(order)  Enter details"
  }

  /// Its title, which people know it by, and its id: the title is cut, and where that is not enough the id is left to the
  /// details.
  private static func name(of device: WatchedDevice, in width: Int) -> String {
    let id = printable(device.name, limit: 64)
    guard let title = device.title.map({ printable($0, limit: 64) }) else { return id.cut(to: width) }
    let room = width - id.columns - 3
    return room >= 4 ? "\(title.cut(to: room)) (\(id))" : title.cut(to: width)
  }

  /// The details of one device.
  private func details(of device: WatchedDevice, at now: FleetView.Moment) -> [String] {
    func text(_ value: String?) -> String { value.map { printable($0, limit: 60) } ?? "-" }
    return [
      "",
      "\(printable(device.name, limit: 60))  \(text(device.title))",
      "state \(device.state.text)  ended \(text(device.ending?.rawValue))  reason \(text(device.reason))",
      "since \(text(device.since?.description))  epoch \(device.epoch.map { "\($0)" } ?? "-")",
      "instance \(text(device.instance))  conflict \(text(device.conflict))",
    ]
  }

  private func summary(_ devices: [WatchedDevice], ignored: UInt64) -> String {
    var counts: [String: Int] = [:]
    for device in devices { counts[device.state.word, default: 0] += 1 }
    var parts = ["offline", "expired", "other", "unknown", "online"].compactMap { word in
      counts[word].map { "\($0) \(word)" }
    }
    if ignored > 0 { parts.append("\(ignored) messages of further devices are not shown") }
    return parts.joined(separator: ", ")
  }

  private func cells(of device: WatchedDevice, at now: FleetView.Moment) -> [String] {
    let age = device.since.map { Duration.microseconds(max(now.time.microseconds - $0.microseconds, 0)) }
    var notes: [String] = []
    if let ending = device.ending, ending.rawValue != device.reason { notes.append(ending.rawValue) }
    if device.isFlapping(at: now.instant) { notes.append("flapping") }
    if let conflict = device.conflict { notes.append("conflict: \(printable(conflict, limit: 120))") }
    return [
      device.state.text,
      age.map { $0 < .seconds(1) ? "now" : $0.inWords } ?? "?",
      printable(device.reason ?? ""), notes.joined(separator: ", "),
    ]
  }

  private func cut(_ line: String) -> String { line.columns > columns ? line.prefix(columns: columns) : line }

  /// SGR codes of ECMA-48.
  private func coloured(_ line: String, _ device: WatchedDevice, isSelected: Bool) -> String {
    if isSelected { return "\u{1B}[7m\(line)\u{1B}[m" }
    guard hasColours else { return line }
    switch device.state {
    case .offline where device.ending == .clean: return "\u{1B}[33m\(line)\u{1B}[m"
    case .offline, .expired: return "\u{1B}[31m\(line)\u{1B}[m"
    case .other, .unknown: return "\u{1B}[33m\(line)\u{1B}[m"
    case .online: return line
    }
  }
}
