import ArgumentParser
import Configuration
import Diagnosis
import Glibc

struct ScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan",
    abstract: "Lists sensors with their values, and GPIO chips and lines, by stable names.",
    discussion: """
      With --json each sensor has name, value (null where it cannot be read), unit and configuration (the keys of its \
      entry). Sensors of one part have the same chip, such as "iio bme280"; others have none.
      """)

  @OptionGroup var root: RootOptions

  @Flag(help: "Print one JSON object, for programs.")
  var json = false

  @Flag(help: "Print entries for the configuration.")
  var yaml = false

  @Flag(
    name: .customLong("probe-i2c"),
    help: "Ask all addresses of the I²C buses whether a chip is there; some chips treat any access as a command.")
  var probeI2C = false

  @Option(
    help: ArgumentHelp(
      "Add an entry for each sensor that has none to this configuration; comments and other entries stay as they are.",
      valueName: "file"))
  var add: String?

  func validate() throws {
    if json, yaml { throw ValidationError("--json and --yaml are two formats; choose one.") }
    if add != nil, json || yaml { throw ValidationError("--add writes into a file; leave --json and --yaml out.") }
  }

  func run() throws {
    let scan = BoardScan(root: try root.existingRoot(), probesI2C: probeI2C)
    for problem in scan.problems { StandardError.write(problem) }
    if let add { return try merge(scan, into: add) }
    print(json ? scan.json : yaml ? scan.yaml : scan.text)
  }

  private func merge(_ scan: BoardScan, into path: String) throws {
    // What is wrong already is said by check, and not made worse.
    let before = ConfigurationOptions.result(of: path)
    guard before.configuration != nil, case .success(let found) = ConfigurationFiles.real.open(path, 1 << 20) else {
      say(before)
      throw ExitCode.configurationError
    }
    let merge: ScanMerge
    do throws(ScanMerge.Refusal) { merge = try scan.merged(into: found.bytes) } catch { throw refused(path, error) }
    let after = Configuration.load(bytes: merge.text, mode: found.mode, path: path, environment: Environment.all)
    guard after.configuration != nil else {
      say(after)
      throw refused(path, "with these sensors it would have the errors above")
    }
    if !merge.added.isEmpty {
      do throws(ScanMerge.Refusal) { try merge.replace(path) } catch { throw refused(path, error) }
    }
    for name in merge.added { print("added: \(name)") }
    print("\(path): \(merge.added.count) sensors added, \(merge.known) were there")
    print("limpet scan --yaml prints GPIO lines and outputs, which only you can choose.")
  }

  private func refused(_ path: String, _ reason: some CustomStringConvertible) -> ExitCode {
    StandardError.write("limpet scan: \(path) stays as it is: \(reason)")
    return .failure
  }

  private func say(_ result: LoadResult) {
    let terminal = Terminal(descriptor: STDERR_FILENO)
    for diagnostic in result.diagnostics {
      for line in terminal.lines(diagnostic, of: result) { StandardError.write(line) }
    }
  }
}
