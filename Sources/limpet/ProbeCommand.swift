import ArgumentParser
import Configuration
import Control
import Diagnosis

struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract:
      "Connects as the agent would, prints the broker's answer, and checks everything the agent needs from it.",
    discussion: """
      After the answer comes a line for each step, ok, warning, failed or skipped: DNS, TCP, TLS and certificates (a \
      warning under 14 days), CONNECT, the right to the status topic, retained messages, and how long it takes until \
      the broker publishes the will of a connection that is cut off. What is wrong also goes to standard error in one \
      sentence, and the exit status is 1.

      The device's status stays as it is. Where the daemon runs, limpet reports its connection and does not take it over; with \
      --client-id the probe connects beside it, with a will on limpet/DEVICE/probe, and leaves the status topic alone.
      """)

  @OptionGroup var broker: BrokerOptions

  @Option(name: .customLong("client-id"), help: "Connect under this client id, beside a daemon that runs.")
  var clientID: String?

  func run() throws {
    let configuration = try broker.configuration()
    let isWell: Bool
    if let daemon = try daemon(of: configuration) {
      daemon.reports.forEach(Self.show)
      isWell = daemon.isWell
    } else {
      isWell = Probe(configuration, clientIdentifier: clientID).run(Self.show)
    }
    guard isWell else { throw ExitCode.failure }
  }

  /// The connection that a probe like this would take over; nil: there is none.
  private func daemon(of configuration: Configuration) throws -> DaemonConnection? {
    guard clientID == nil, broker.url == nil else { return nil }
    for path in ControlOptions.paths(configuration.control, at: broker.options.config) {
      do throws(ControlClient.Failure) {
        return try ControlClient(path: path).connection()
      } catch {
        if error.isAbsence { continue }
        StandardError.write(
          "limpet probe: \(error); with --client-id ID it does not take over the connection of a daemon that may be "
            + "running")
        throw ExitCode.failure
      }
    }
    return nil
  }

  @Sendable private static func show(_ report: Probe.Report) {
    switch report {
    case .answer(let connack): print(connack)
    case .finding(let finding): print(finding)
    case .failure(let sentence): StandardError.write("limpet probe: \(sentence)")
    }
  }
}
