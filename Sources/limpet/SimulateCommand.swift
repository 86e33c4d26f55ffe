import ArgumentParser
import Configuration
import Fleet
import LimpetText

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Rehearses a fleet: runs many devices in this process against a broker, each with a session of its own.",
    discussion: """
      Each device runs what a board runs: the same core and session, with a will, presence, readings and back-off; only the \
      sensors are invented. It reports how soon all devices were online, how long the broker took to acknowledge, how long \
      a subscriber took to see a lost device offline, and how many wrong states and lost readings there were: there should \
      be none. If you restart the broker meanwhile, it reports how all devices came back.

      Topics are limpet-sim/DEVICE/..., client ids sim-...; it clears what the broker keeps of them at the end, or later \
      with --clean. From a configuration it takes the connection, presence, sensors and health, and neither the id nor \
      storage, GPIO, outputs and discovery. If broker.url lists several servers, the devices begin with each in turn. Run \
      one rehearsal at a time at a broker. The broker needs as many open files as there are connections, and long queues \
      for the subscriber: LimitNOFILE=, max_queued_messages (mosquitto). `limpet plan` calculates the same.

      It connects to this machine only, and checks the address at every connect; another host needs --i-may-load with its \
      name. Exit status: 0; 1 if a state was wrong, a reading was lost, or not all devices were online.
      """)

  @OptionGroup var broker: BrokerOptions

  @Option(help: ArgumentHelp("How many devices there are.", valueName: "n"))
  var devices: Int?

  @Option(help: ArgumentHelp("The time in which they begin, evenly.", valueName: "duration"))
  var ramp = "10s"

  @Option(help: ArgumentHelp("How long it lasts from then on.", valueName: "duration"))
  var duration = "60s"

  @Option(
    help: ArgumentHelp(
      """
      How many connections of the fleet end, and how: crash (the process dies), stop (it says offline) and half-open (it \
      hangs, and its connection stays), as in crash=1/s,stop=6/m,half-open=1/10s. Each comes back once \
      the subscriber has seen that it ended.
      """, valueName: "kind=rate,..."))
  var churn: String?

  @Option(
    help: ArgumentHelp(
      "How often each sensor is read, such as 1/10s, 2/s, or 0 for never; default: as configured, and 1/10s without a "
        + "configuration.",
      valueName: "rate"))
  var readings: String?

  @Flag(help: "Print JSON objects: one a second, and the end.")
  var json = false

  @Flag(help: "Only clear what an earlier rehearsal has left at the broker.")
  var clean = false

  @Option(
    help: ArgumentHelp("Connect to this host too, with its owner's consent; may be repeated.", valueName: "host"))
  var iMayLoad: [String] = []

  @OptionGroup var login: LoginOptions

  func validate() throws {
    guard devices != nil || clean else {
      throw ValidationError("--devices is missing; write how many devices there are, such as --devices 1000.")
    }
    if let devices, !(1...100_000).contains(devices) {
      throw ValidationError("--devices: write a number from 1 to 100000.")
    }
    _ = try settings()
  }

  private func settings() throws -> Rehearsal.Settings {
    var settings = Rehearsal.Settings(devices: devices ?? 0)
    settings.ramp = try Self.read("--ramp") { () throws(ArgumentError) in try WrittenDuration.argument(ramp) }
    settings.duration = try Self.read("--duration") { () throws(ArgumentError) in try WrittenDuration.argument(duration)
    }
    if let churn {
      settings.churn = try Self.read("--churn") { () throws(ArgumentError) in try Churn(argument: churn) }
    }
    if let readings {
      settings.readings = try Self.read("--readings") { () throws(ArgumentError) in try Rate(argument: readings) }
    }
    settings.permittedHosts = iMayLoad
    settings.isJSON = json
    return settings
  }

  private static func read<Value>(_ option: String, _ body: () throws(ArgumentError) -> Value) throws -> Value {
    do throws(ArgumentError) { return try body() } catch { throw ValidationError("\(option): \(error).") }
  }

  func run() throws {
    var configuration = try broker.configuration()
    try login.apply(to: &configuration)
    let rehearsal = Rehearsal(configuration, try settings())
    switch clean ? rehearsal.clean() : rehearsal.run() {
    case .done: break
    case .refused(let reason): throw ValidationError("\(reason).")
    case .failed(let reason):
      StandardError.write("limpet simulate: \(reason)")
      throw ExitCode.failure
    }
  }
}
