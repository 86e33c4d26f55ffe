import ArgumentParser
import Control

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Asks the running daemon: connection, last error, buffer, each reading's last value and quality.",
    discussion: """
      Every local user may ask. With --json the answer is one JSON object, whose keys stay: connection, presence, \
      buffer, figures (the numbers of the health reading and the metrics file), readings. Exit status: 0, or 1 when no \
      daemon answers.
      """)

  @OptionGroup var control: ControlOptions

  @Flag(help: "Print one JSON object, for programs.")
  var json = false

  func run() throws {
    let columns = terminalColumns
    let json = json
    print(
      try control.ask("status") { client throws(ControlClient.Failure) in
        json ? try client.statusJSON() : try client.statusText(columns: columns)
      })
  }
}
