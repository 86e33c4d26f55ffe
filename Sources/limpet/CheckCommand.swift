import Agent
import ArgumentParser

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Reads the configuration and prints every error in it, or what it will do.")

  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var root: RootOptions

  func run() throws {
    let configuration = try options.load { print($0) }
    print(ConfigurationSummary(configuration, root: root.fileRoot))
  }
}
