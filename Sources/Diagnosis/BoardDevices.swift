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

  private static let unitFolders = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"]

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

  /// What the units say (systemd.unit(5)); the last word on it counts.
  private static func seesReadOnly(_ root: FileRoot) -> Bool {
    guard let unit = unitFolders.lazy.compactMap({ try? root.text(of: $0 + "/limpet.service") }).first else {
      return false
    }
    let dropIns = unitFolders.reversed().flatMap { folder in
      let names = (try? root.entries(of: folder + "/limpet.service.d")) ?? []
      return names.filter { $0.hasSuffix(".conf") }.compactMap {
        try? root.text(of: "\(folder)/limpet.service.d/\($0)")
      }
    }
    let settings = ([unit] + dropIns).flatMap { $0.split(separator: "\n") }.compactMap { line -> Bool? in
      let parts = line.split(separator: "=", maxSplits: 1).map { String($0).trimmingSpaces }
      guard parts.count == 2, parts[0] == "ProtectKernelTunables" else { return nil }
      return ["yes", "true", "on", "1"].contains(parts[1].lowercased())
    }
    return settings.last ?? false
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
