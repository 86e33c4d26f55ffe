import ArgumentParser
import Configuration
import Fleet
import Glibc
import LimpetText

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Calculates what a fleet with this configuration asks of a broker; it connects to nothing.",
    discussion: """
      Rates are upper bounds: readings that limpet publishes only on a change are fewer. Bytes are those of MQTT packets, \
      without TCP and TLS and with whole topics, which topic aliases shorten where the broker supports them. Where there \
      is no configuration, each device publishes one reading every 10 s, as with `limpet simulate`, which tries the same \
      with real connections.
      """)

  @Option(help: ArgumentHelp("How many boards have this configuration.", valueName: "n"))
  var devices: Int

  @OptionGroup var options: ConfigurationOptions

  @Option(help: ArgumentHelp("How often each input changes, an hour.", valueName: "n"))
  var edges: Double = 6

  @Option(help: ArgumentHelp("How long the broker, or a subscriber, is away.", valueName: "duration"))
  var outage = "1h"

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard (1...10_000_000).contains(devices) else {
      throw ValidationError("--devices: write a number from 1 to 10000000.")
    }
    guard edges >= 0, edges.isFinite else { throw ValidationError("--edges: write a number that is not negative.") }
    do throws(ArgumentError) { _ = try WrittenDuration.argument(outage) } catch {
      throw ValidationError("--outage: \(error).")
    }
  }

  /// Without `--config`, on a machine that has no limpet.
  private var rehearsed: Configuration? {
    options.config == Configuration.standardPath ? .rehearsed(unlessExists: options.config) : nil
  }

  func run() throws {
    let configuration: Configuration
    if let rehearsed {
      StandardError.write(
        "limpet plan: there is no \(options.config) here, so each device publishes one reading every 10 s")
      configuration = rehearsed
    } else {
      configuration = try options.load { StandardError.write($0) }
    }
    let plan = try FleetPlan(
      configuration,
      FleetPlan.Assumptions(devices: devices, edges: edges, outage: try WrittenDuration.argument(outage)))
    guard !json else {
      print(plan.json)
      return
    }
    let terminal = Terminal(descriptor: STDOUT_FILENO)
    for line in plan.text.split(separator: "\n") {
      for part in terminal.lines(String(line)) { print(part) }
    }
  }
}
