import Agent
import ArgumentParser

struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe", abstract: "Connects once, prints the server's answer, and disconnects.")

  @OptionGroup var broker: BrokerOptions

  @Option(name: .customLong("client-id"), help: "Connect under this client id, beside a daemon that runs.")
  var clientID: String?

  func run() throws {
    let probe = Probe(try broker.configuration(), clientIdentifier: clientID)
    let answer = probe.run()
    if let connack = answer.connack { print(connack) }
    if case .failed(let loss) = answer {
      StandardError.write("limpet probe: \(loss)")
      throw ExitCode.failure
    }
  }
}
