import Agent
import ArgumentParser

struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe", abstract: "Connects once, prints the server's answer, and disconnects.")

  @OptionGroup var options: ConfigurationOptions

  @Option(name: .long, help: "Connect here, and not to the configuration's broker.url.")
  var url: String?

  @Option(name: .customLong("client-id"), help: "Connect under this client id, beside a daemon that runs.")
  var clientID: String?

  func run() throws {
    let probe = Probe(try configuration(), url: try brokerURL(), clientIdentifier: clientID)
    let answer = probe.run()
    if let connack = answer.connack { print(connack) }
    if case .failed(let loss) = answer {
      StandardError.write("limpet probe: \(loss)")
      throw ExitCode.failure
    }
  }

  private func brokerURL() throws -> BrokerURL? {
    guard let url else { return nil }
    do { return try BrokerURL(argument: url) } catch { throw ValidationError("--url: \(error)") }
  }

  /// With `--url` a machine without a configuration will do.
  private func configuration() throws -> Configuration {
    if let url, options.config == ConfigurationOptions.standardPath,
      let bare = Configuration.bare(unlessExists: options.config, url: try brokerURL() ?? BrokerURL(argument: url))
    {
      return bare
    }
    return try options.load(report: StandardError.write)
  }
}
