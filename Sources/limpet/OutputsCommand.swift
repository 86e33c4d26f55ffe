import ArgumentParser
import Control
import Glibc
import LimpetPlatform
import LimpetText
import Sensing

struct OutputsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "outputs",
    abstract: "Puts outputs into their safe state after the daemon has died.",
    discussion: """
      The service runs this by itself when it has ended (ExecStopPost=). It follows the record that the daemon wrote \
      before it took each output, in the file "outputs" of its runtime folder, and never the configuration, which may have \
      changed since. Where a daemon runs, it asks that one. Where it cannot put an output into its safe state, the exit \
      status is 1, and the next call tries it again.
      """)

  @Flag(name: .long, help: "Drive each output to what its key stop says.")
  var safe = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The daemon's runtime folder; by default $RUNTIME_DIRECTORY, else /run/limpet.", valueName: "path")
  )
  var directory: String?

  func validate() throws {
    guard safe else { throw ValidationError("say what to do: limpet outputs --safe") }
  }

  func run() throws {
    let folder = directory ?? Environment.runtimeFolder ?? "/run/limpet"
    let record = folder + "/outputs"
    if let owner = try reading({ () throws(ReadError) in try SafeOutputs.owner(record: record) }),
      owner.isAlive(in: FileRoot())
    {
      if try askDaemon(ControlClient(path: owner.socket)) { return }
      StandardError.write(
        "limpet outputs: process \(owner.process) drives the outputs of \(record), and does not answer at "
          + "\(owner.socket); stop it first, or two would drive them")
      throw ExitCode.failure
    }
    if try askDaemon(ControlClient(path: folder + "/limpet.sock")) { return }
    let outcomes = try reading { () throws(ReadError) in try SafeOutputs.drive(record: record, root: FileRoot()) }
    guard !outcomes.isEmpty else { return print("nothing to do: no output was left behind") }
    var hasFailed = false
    for outcome in outcomes {
      if case .failed = outcome.result { hasFailed = true }
      print(outcome)
    }
    if hasFailed { throw ExitCode.failure }
  }

  /// - Returns: false: none runs.
  private func askDaemon(_ client: ControlClient) throws -> Bool {
    do throws(ControlClient.Failure) {
      for line in try client.makeOutputsSafe() { print(line) }
      return true
    } catch {
      if error.isAbsence { return false }
      StandardError.write("limpet outputs: \(error)")
      throw ExitCode.failure
    }
  }

  private func reading<R>(_ body: () throws(ReadError) -> R) throws -> R {
    do throws(ReadError) { return try body() } catch {
      StandardError.write("limpet outputs: \(error)")
      throw ExitCode.failure
    }
  }
}
