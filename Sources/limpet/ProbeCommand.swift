import Agent
import ArgumentParser

struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract:
      "Connects as the agent would, prints the broker's answer, and what would keep the agent from its promises.",
    discussion: """
      After the answer comes a line for each step, ok, warning, failed or skipped: DNS, TCP, TLS and certificates (a \
      warning under 14 days), CONNECT, the right to the status topic, retained messages, and how long it takes until \
      the broker publishes the will of a connection that is cut off. What is wrong also goes to standard error in one \
      sentence, and the exit status is 1.

      The device's status stays as it is. It takes the daemon's connection over for a moment, when that runs under the \
      same client id; with --client-id it stands beside, with a will on limpet/DEVICE/probe, and leaves the status \
      topic alone.
      """)

  @OptionGroup var broker: BrokerOptions

  @Option(name: .customLong("client-id"), help: "Connect under this client id, beside a daemon that runs.")
  var clientID: String?

  func run() throws {
    let probe = Probe(try broker.configuration(), clientIdentifier: clientID)
    let isWell = probe.run { report in
      switch report {
      case .answer(let connack): print(connack)
      case .finding(let finding): print(finding)
      case .failure(let sentence): StandardError.write("limpet probe: \(sentence)")
      }
    }
    guard isWell else { throw ExitCode.failure }
  }
}
