import ArgumentParser
import Control

struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Has the running daemon read its configuration again; only what changed is touched.",
    discussion: """
      A configuration that is wrong changes nothing: its errors are printed, and the exit status is 78. The connection \
      is made anew where its own keys have changed. device.id, broker.client_id, broker.clean_start, storage and \
      control take a restart. Only root and the user that limpet runs as may do this; SIGHUP does the same.
      """)

  @OptionGroup var control: ControlOptions

  func run() throws {
    let (changes, warnings) = try control.ask("reload") { client throws(ControlClient.Failure) in try client.reload() }
    for warning in warnings { StandardError.write(warning) }
    print(changes.isEmpty ? "nothing has changed" : changes.joined(separator: "\n"))
  }
}
