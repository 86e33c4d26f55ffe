import YAML

/// Warns of paths that the service of limpet's package cannot see or write (`limpet.service`, systemd.exec(5)): `limpet
/// check` runs outside of the service, and finds a sensor's file, a key or a socket there that the service does not.
struct ServiceSandbox {
  /// Where the service's configuration lies.
  private static let folder = "/etc/limpet/"
  /// Its StateDirectory=, where everything goes by default.
  private static let home = StorageKeys.path.standard
  /// What the service may write.
  private static let writable = [
    home, "/run/limpet", "/var/lib/prometheus/node-exporter",
  ]
  /// Folders that others see.
  private static let hidden: [(folder: String, setting: String)] = [
    ("/home", "ProtectHome="), ("/root", "ProtectHome="), ("/run/user", "ProtectHome="), ("/tmp", "PrivateTmp="),
    ("/var/tmp", "PrivateTmp="),
  ]
  /// Keys of files that limpet writes.
  private static let written: Set = [
    Configuration.path(of: StorageKeys.path), Configuration.path(of: ConfigurationKeys.control),
    Configuration.path(of: ConfigurationKeys.metricsFile),
  ]

  private let log: DiagnosticLog

  /// - Parameter path: the configuration file's; only the service's own is checked.
  init?(_ path: String, log: DiagnosticLog) {
    guard path.hasPrefix(Self.folder) else { return nil }
    self.log = log
  }

  /// Looks at every value, whatever its key.
  func check(_ node: Node, path: String = "") {
    switch node.value {
    case .scalar(let scalar): check(scalar.text, node.position, path)
    case .sequence(let items): for (index, item) in items.enumerated() { check(item, path: "\(path)[\(index)]") }
    case .mapping(let entries):
      for entry in entries { check(entry.value, path: path.isEmpty ? entry.key : "\(path).\(entry.key)") }
    }
  }

  private func check(_ text: String, _ position: Position, _ path: String) {
    // unix:///tmp/broker.sock
    let file = text.hasPrefix("unix://") ? text.dropFirst(7) : text[...]
    if let place = Self.hidden.first(where: { file.isInside($0.folder) }) {
      log.warning(
        position, path,
        "the service does not see \(place.folder) (\(place.setting)); choose another place, or allow it with "
          + "\"systemctl edit limpet\"")
    } else if Self.written.contains(path), file.hasPrefix("/"), !Self.writable.contains(where: file.isInside) {
      log.warning(
        position, path,
        "the service cannot write there; choose a place in \(Self.home), or allow it with \"systemctl edit limpet\" "
          + "(ReadWritePaths=)")
    }
  }
}

extension Substring {
  fileprivate func isInside(_ folder: String) -> Bool { self == folder || hasPrefix(folder + "/") }
}
