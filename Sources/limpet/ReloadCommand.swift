import ArgumentParser
import Control

struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Makes the running daemon read its configuration again; it touches only what changed.",
    discussion: """
      A wrong configuration changes nothing: the command prints its errors, and the exit status is 78. The daemon \
      connects again where a key of its connection has changed. device.id, broker.client_id, broker.clean_start, \
      storage and control need a restart. Only root and the user that limpet runs as may do this; SIGHUP does the same.
      """)

  @OptionGroup var control: ControlOptions

  func run() throws {
    let (changes, warnings) = try control.ask("reload") { client throws(ControlClient.Failure) in try client.reload() }
    for warning in warnings { StandardError.write(warning) }
    print(changes.isEmpty ? "nothing has changed" : changes.joined(separator: "\n"))
  }
}
