import ArgumentParser
import Control

struct SetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Commands an output of the running daemon, over its control socket.",
    discussion: """
      The value is on, off, toggle, a number in % where the output takes one, or a JSON object as it would be published: \
      {"value":"on","for":"10s"}. All rules of the output hold as for any other command. Only root and the user that \
      limpet runs as may do this.
      """)

  @Argument(help: "The output's name.") var name: String
  @Argument(help: "on, off, toggle, a number, or a JSON object.") var value: String
  @OptionGroup var control: ControlOptions

  func run() throws {
    print(try control.ask("set") { client throws(ControlClient.Failure) in try client.set(name, value) })
  }
}
