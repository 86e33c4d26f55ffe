import ArgumentParser
import Configuration
import Fleet
import Glibc
import Text

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Says what a fleet with this configuration asks of a broker: on paper, nothing is connected.",
    discussion: """
      Rates are the most that the configuration allows: readings that are sent on change only are fewer. Bytes are MQTT's, \
      without TCP and TLS and with whole topics, which a broker that takes topic aliases does not get. `limpet simulate` \
      tries it, and `limpet watch` sees the rest.
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

  func run() throws {
    let configuration = try options.load { StandardError.write($0) }
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
