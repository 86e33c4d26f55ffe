import Instants
import Text

/// The live table: a fleet as the lines of a screen.
struct FleetTable {
  var columns: Int
  var rows: Int
  var hasColours = true

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
  /// - Parameter connection: where this is connected to, or what is wrong.
  func lines(of view: FleetView, connection: String, at now: FleetView.Moment) -> [String] {
    let devices = view.sorted
    // Two lines above, one below.
    let room = max(rows - 3, 1)
    let shown = devices.prefix(devices.count > room ? room - 1 : room)
    let table = TextTable([Column.allCases.map(\.title)] + shown.map { cells(of: $0, at: now) })
    let drawn = table.lines(zip(table.widths, Column.allCases).map { min($0, $1.widest) }).map(cut)
    var lines = [cut("limpet watch: \(connection)  \(summary(devices, ignored: view.ignored))")]
    lines.append(drawn[0])
    for (device, row) in zip(shown, drawn.dropFirst()) { lines.append(coloured(row, device.state)) }
    if shown.count < devices.count { lines.append(cut("... and \(devices.count - shown.count) more")) }
    if devices.isEmpty { lines.append(cut("no device has been heard of")) }
    return Array(lines.prefix(max(rows - 1, 1))) + (rows > 1 ? [cut("q quits")] : [])
  }

  private func summary(_ devices: [WatchedDevice], ignored: Int) -> String {
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
    if let conflict = device.conflict { notes.append("conflict: \(conflict)") }
    return [
      printable(device.name, limit: 40), device.state.text, age.map { $0 < .seconds(1) ? "now" : $0.inWords } ?? "?",
      device.reason ?? "", notes.joined(separator: ", "),
    ]
  }

  private func cut(_ line: String) -> String { line.count > columns ? String(line.prefix(columns)) : line }

  /// SGR codes of ECMA-48.
  private func coloured(_ line: String, _ state: WatchedDevice.State) -> String {
    guard hasColours else { return line }
    switch state {
    case .offline, .expired: return "\u{1B}[31m\(line)\u{1B}[m"
    case .other, .unknown: return "\u{1B}[33m\(line)\u{1B}[m"
    case .online: return line
    }
  }
}
