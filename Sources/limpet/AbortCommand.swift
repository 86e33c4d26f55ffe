import ArgumentParser
import Control

struct AbortCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "abort",
    abstract: "Ends the running daemon at once: it cuts the connection, so that the broker publishes the will.",
    discussion: """
      It is for testing what reacts to the device's status. Only root and the user that limpet runs as may do this. The daemon ends with \
      status 0, so systemd does not start the service again; systemctl start limpet does. The daemon keeps the readings that wait.
      """)

  @OptionGroup var control: ControlOptions

  func run() throws {
    try control.ask("abort") { client throws(ControlClient.Failure) in try client.abort() }
  }
}
