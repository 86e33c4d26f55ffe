import LimpetText

/// What reading a configuration needs besides its text.
package struct ReadingContext {
  package let log: DiagnosticLog
  let files: ConfigurationFiles
  package let environment: [String: String]
  /// The configuration file's folder, with a slash at its end; empty for the current one.
  package let folder: String
  /// Asked where the file has no error.
  var board: BoardJudge?
  /// This machine's name, if somebody has given it one: the default for the name of the device.
  var hostName: String? {
    guard case .success(let found) = files.open("/proc/sys/kernel/hostname", 256) else { return nil }
    let name = String(decoding: found.bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    return ["", "localhost", "(none)"].contains(name) || name.utf8.count > 253 ? nil : name
  }

  /// Relative paths are taken from the configuration file's folder.
  package func resolve(_ path: String) -> String {
    path.hasPrefix("/") ? path : folder + path
  }

  /// Resolves a path that must be readable, and reports one that is not.
  ///
  /// - Parameter isSecret: others should not be able to read it.
  func readable(_ field: Field<String?>, isSecret: Bool = false) -> String? {
    guard let path = field.value, let written = field.written else { return nil }
    let resolved = resolve(path)
    switch files.open(resolved, 0) {
    case .failure(let failure):
      log.error(written.value, written.path, Self.cannotRead(shown(resolved, written), failure))
    case .success(let found): if isSecret { warn(of: found, resolved, written) }
    }
    return resolved
  }

  /// Warns of a secret in a file that everyone can read.
  package func warn(of found: ConfigurationFiles.Found, _ resolved: String, _ written: Written) {
    guard found.isReadableByOthers else { return }
    log.warning(
      written.value, written.path,
      "everyone on this device can read \(quoted(shown(resolved, written))); chmod o-r it")
  }

  /// A path for messages; as written if it is made of variables and files, whose values no message shows.
  package func shown(_ resolved: String, _ written: Written) -> String {
    written.origin == .literal ? resolved : "(path from elsewhere)"
  }

  package static func cannotRead(_ path: String, _ failure: ConfigurationFiles.Failure) -> String {
    let advice =
      if failure.isMissing {
        "create it, or correct the path"
      } else if failure.isDenied {
        "let the user that runs limpet read it"
      } else {
        "name a file that can be read"
      }
    return "\(quoted(path)) cannot be read: \(failure.text); \(advice)"
  }
}
