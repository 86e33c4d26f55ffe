import Configuration
import LimpetPlatform
import LimpetText
import Measuring
import Sensing

/// The outputs of a configuration besides GPIO lines on its board: whether they are there, and whether the service may
/// write to them.
struct BoardDevices {
  /// By name.
  private let findings: [String: Result<OutputFinding, OutputFinding.Failure>]
  /// The package's service is here, and sees /sys read-only.
  private let isReadOnly: Bool

  /// Where systemd looks for units and their drop-ins, in its order (systemd.unit(5)).
  private static let unitFolders = [
    "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
    "/lib/systemd/system",
  ]

  /// - Parameter account: who drives them; nil: this process.
  init(
    _ configuration: Configuration, root: FileRoot,
    account: OutputFinding.Account? = OutputFinding.Account(named: "limpet")
  ) {
    var findings: [String: Result<OutputFinding, OutputFinding.Failure>] = [:]
    for output in configuration.outputs {
      findings[output.name] = OutputFinding.of(output.request, root: root, account: account)
    }
    self.findings = findings
    isReadOnly = !findings.isEmpty && Self.seesReadOnly(root)
  }

  /// What the unit and its drop-ins say; the last word on it counts.
  private static func seesReadOnly(_ root: FileRoot) -> Bool {
    guard let unit = unitFolders.lazy.compactMap({ try? root.text(of: $0 + "/limpet.service") }).first else {
      return false
    }
    return ([unit] + dropIns(root)).compactMap(protectsTunables).last ?? false
  }

  /// In the order in which systemd reads them: by their names, wherever they are. Of those with one name only one counts:
  /// the unit's own before one of all services, then by the order of the folders.
  private static func dropIns(_ root: FileRoot) -> [String] {
    var paths: [String: String] = [:]
    for kind in ["limpet.service.d", "service.d"] {
      for folder in unitFolders.map({ "\($0)/\(kind)" }) {
        let names = (try? root.entries(of: folder)) ?? []
        for name in names where name.hasSuffix(".conf") && paths[name] == nil { paths[name] = "\(folder)/\(name)" }
      }
    }
    return paths.sorted { $0.key < $1.key }.compactMap { try? root.text(of: $0.value) }
  }

  /// - Returns: nil: the file does not say.
  private static func protectsTunables(_ file: String) -> Bool? {
    var isOfService = false
    var protects: Bool?
    for line in file.split(separator: "\n").map({ String($0).trimmingSpaces }) {
      if line.hasPrefix("[") { isOfService = line == "[Service]" }
      let parts = line.split(separator: "=", maxSplits: 1).map { String($0).trimmingSpaces }
      guard isOfService, parts.count == 2, parts[0] == "ProtectKernelTunables" else { continue }
      // systemd ignores what is neither.
      switch parts[1].lowercased() {
      case "1", "yes", "y", "true", "t", "on": protects = true
      case "0", "no", "n", "false", "f", "off": protects = false
      default: break
      }
    }
    return protects
  }

  /// nil: it is a line.
  subscript(_ name: String) -> Result<OutputFinding, OutputFinding.Failure>? { findings[name] }

  /// What keeps the service from driving an output, and what mends that.
  func warnings(about name: String) -> [String] {
    guard case .success(let found)? = findings[name] else { return [] }
    var warnings: [String] = []
    if let path = found.denied.first {
      let more = found.denied.count > 1 ? " and \(found.denied.count - 1) more" : ""
      warnings.append(
        "\(name): limpet's user may not write \(printable(path, limit: 256))\(more); the package's udev rule "
          + "(60-limpet.rules) gives it to the group limpet: install it, and run `udevadm trigger`")
    }
    if isReadOnly {
      warnings.append(
        "\(name): the service sees /sys read-only; copy /usr/share/limpet/outputs.conf to "
          + "/etc/systemd/system/limpet.service.d/, then `systemctl daemon-reload` and restart it")
    }
    return warnings
  }
}
