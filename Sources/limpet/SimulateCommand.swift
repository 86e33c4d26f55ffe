import ArgumentParser
import Configuration
import Fleet
import Text

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Rehearses with a fleet: that many devices in this process, each with a session of its own, at a broker.",
    discussion: """
      Each device is what runs on a board, without the board: the same core and session, its will, presence, readings and \
      back-off; its sensors are made up. It says how fast all of them were online, how long the broker took to acknowledge, \
      how long an end took to be seen as offline by a subscriber, and which states were wrong and which readings lost: none \
      should be. Restart the broker meanwhile, and it reports the storm.

      Topics are limpet-sim/DEVICE/..., client ids sim-...; what is kept there is cleared at the end, or later with \
      --clean. Of a configuration the connection, presence, sensors and health are used; its id, storage, GPIO, outputs and \
      discovery are not. Of several servers in broker.url the devices begin with each in turn. One rehearsal at a time at a \
      broker. The broker needs open files for as many connections, and queues for a subscriber of all: LimitNOFILE=, \
      max_queued_messages (mosquitto). `limpet plan` says the same on paper.

      Only this machine is connected to, as its addresses say at every connect; another host only where --i-may-load names \
      it. Exit status: 0; 1 where a state was wrong, a reading lost, or not all devices were online.
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
      hangs, and its connection stays), as in crash=1/s,stop=6/m,half-open=1/10s. They come back when that was seen.
      """, valueName: "kind=rate,..."))
  var churn: String?

  @Option(
    help: ArgumentHelp(
      "Readings of each sensor: 1/10s, 2/s, 0; default: as configured, and 1/10s without a configuration.",
      valueName: "rate"))
  var readings: String?

  @Flag(help: "Print JSON objects: one a second, and the end.")
  var json = false

  @Flag(help: "Only have the broker forget what an earlier rehearsal has left there.")
  var clean = false

  @Option(
    help: ArgumentHelp("Connect to this host too: its owner knows of it; may be given again.", valueName: "host"))
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
