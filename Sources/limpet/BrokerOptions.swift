import ArgumentParser
import Configuration
import Glibc

/// `--config` and `--url`, for the commands that talk to a broker.
struct BrokerOptions: ParsableArguments {
  @OptionGroup var options: ConfigurationOptions

  @Option(name: .long, help: "Connect here, and not to the configuration's broker.url.")
  var url: String?

  /// What `--url` says.
  func brokerURL() throws -> BrokerURL? {
    guard let url else { return nil }
    do { return try BrokerURL(argument: url) } catch { throw ValidationError("--url: \(error)") }
  }

  /// With `--url` a machine without a configuration will do.
  func configuration() throws -> Configuration {
    let url = try brokerURL()
    if let url, options.config == Configuration.standardPath,
      let bare = Configuration.bare(unlessExists: options.config, url: url)
    {
      return bare
    }
    if url == nil, options.config == Configuration.standardPath, access(options.config, F_OK) != 0 {
      StandardError.write(
        "limpet: there is no \(options.config) here; say which broker with --url, or which file with --config")
      throw ExitCode.configurationError
    }
    var configuration = try options.load(report: StandardError.write)
    if let url { configuration.broker.urls = [url] }
    return configuration
  }
}

/// How to log in at `--url`, beside the configuration or without one.
struct LoginOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Log in as this user, and not as the configuration's.", valueName: "name"))
  var username: String?

  @Option(help: ArgumentHelp("A file whose first line is the password.", valueName: "file"))
  var passwordFile: String?

  @Option(
    help: ArgumentHelp("The authorities that have signed the broker's certificate, a PEM file.", valueName: "file"))
  var ca: String?

  func apply(to configuration: inout Configuration) throws {
    if let username { configuration.broker.username = username }
    if let passwordFile {
      configuration.broker.password = Secret(try TextFile.password(passwordFile, option: "--password-file").text.utf8)
    }
    if let ca { configuration.broker.tls.ca = ca }
  }
}

/// A file that an option names.
enum TextFile {
  /// Bytes of a list, and of a password's file.
  private static let (listLimit, passwordLimit) = (32 << 20, 1 << 20)

  /// Its lines without their ends; empty ones are left out.
  static func lines(_ path: String, option: String) throws -> [String] {
    let found = try read(path, option, listLimit)
    return String(decoding: found.bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
  }

  /// What its first line is, and whether everybody on this machine can read it.
  static func password(_ path: String, option: String) throws -> (text: String, isOpen: Bool) {
    let found = try read(path, option, passwordLimit)
    let line = String(decoding: found.bytes, as: UTF8.self).prefix { !$0.isNewline }
    guard !line.isEmpty else {
      throw ValidationError("\(option): the first line of \(path) is empty; write the password there.")
    }
    return (String(line), found.mode & 0o004 != 0)
  }

  private static func read(_ path: String, _ option: String, _ limit: Int) throws -> ConfigurationFiles.Found {
    guard case .success(let found) = ConfigurationFiles.real.open(path, limit + 1) else {
      throw ValidationError("\(option): \(path) cannot be read.")
    }
    guard found.bytes.count <= limit else {
      throw ValidationError("\(option): \(path) is larger than \(limit >> 20) MB; write a smaller file.")
    }
    return found
  }
}
