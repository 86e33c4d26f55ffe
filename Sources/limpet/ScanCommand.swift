import ArgumentParser
import Diagnosis

struct ScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan",
    abstract: "Lists sensors with their values, and GPIO chips and lines, by the names that stay.")

  @OptionGroup var root: RootOptions

  @Flag(help: "Print one JSON object, for programs.")
  var json = false

  @Flag(help: "Print entries for the configuration.")
  var yaml = false

  func validate() throws {
    if json, yaml { throw ValidationError("--json and --yaml are two formats; choose one.") }
  }

  func run() throws {
    let scan = BoardScan(root: root.fileRoot)
    for problem in scan.problems { StandardError.write(problem) }
    print(json ? scan.json : yaml ? scan.yaml : scan.text)
  }
}
