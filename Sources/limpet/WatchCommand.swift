import ArgumentParser
import Configuration
import Fleet
import LimpetText

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Follows the presence of a fleet: a live table on a terminal, else a line for each change.",
    discussion: """
      It subscribes to limpet/+/status and limpet/+/presence under a client id of its own and publishes nothing. \
      A device is online, offline (clean: it said so itself; lost: the broker published its will), expired (the lease \
      of its online has run out: lost), other (a payload that is neither), or unknown (nothing is retained). More than 3 \
      changes in 10 minutes are flapping.

      On a terminal, devices with problems come first; q quits. Messages about the connection go to standard error. \
      Exit status: 0, also after SIGINT or SIGTERM; 1 where the connection fails with --once, fewer devices are online \
      than --expect says, or the broker refuses the subscriptions.
      """)

  @OptionGroup var broker: BrokerOptions

  @Option(
    help: ArgumentHelp(
      "Watch these status topics, + where the device is, of other agents too; default: presence.topic of the configuration.",
      valueName: "filter"))
  var topic: String?

  @Option(
    help: ArgumentHelp(
      "Watch these devices only, by exact topics: some brokers (RabbitMQ) send no retained messages to wildcards.",
      valueName: "a,b"))
  var devices: String?

  @Option(help: ArgumentHelp("The payload of a device that is online.", valueName: "text"))
  var online: String?

  @Option(help: ArgumentHelp("The payload of a device that is not online.", valueName: "text"))
  var offline: String?

  @Flag(help: "Print what the broker has retained, and exit.")
  var once = false

  @Option(help: ArgumentHelp("As --once; exit 0 if at least N devices are online, else 1.", valueName: "n"))
  var expect: Int?

  @Flag(help: "Print one JSON object a line for each change: time, device, state, previous, since, reason, ended, ...")
  var json = false

  @Option(
    help: ArgumentHelp(
      """
      Run this with /bin/sh on each change, which is in LIMPET_DEVICE, LIMPET_STATE, LIMPET_PREVIOUS, LIMPET_REASON, \
      LIMPET_SINCE, LIMPET_ENDED, LIMPET_FLAPPING, LIMPET_CONFLICT, LIMPET_PAYLOAD and LIMPET_TIME; 8 at once, 60 s each.
      """, valueName: "cmd"))
  var exec: String?

  @Option(
    help: ArgumentHelp(
      "As --once; exit 0 if every device in this file, one a line, is online; else print those that are not, and exit 1.",
      valueName: "file"))
  var expectFile: String?

  @Flag(help: "With --once, --expect or --expect-file: print nothing but what is missing.")
  var quiet = false

  @Option(
    help: ArgumentHelp(
      """
      Serve the fleet as a page for browsers, with /devices, /events and /metrics; on another address than loopback with \
      --http-password-file only; localhost is 127.0.0.1; unix:/PATH is a socket for a proxy, with the name of \
      --http-host. With --expect-file, devices that have never reported are listed as missing.
      """, valueName: "address:port"))
  var http: String?

  @Option(
    help: ArgumentHelp(
      "Answer to this name too, alone (for a proxy) and with the port of --http; may be repeated.",
      valueName: "name[:port]"))
  var httpHost: [String] = []

  @Option(help: ArgumentHelp("The page asks for the password in this file's first line.", valueName: "file"))
  var httpPasswordFile: String?

  @Option(
    help: ArgumentHelp(
      """
      Keep the devices' history in this file for 30 days, so that the page still has it after a restart; only its owner \
      can read it, and it takes at most 256 MB.
      """, valueName: "file"))
  var history: String?

  @Option(
    help: ArgumentHelp("Keep the history for so many days, from 1 to 365; default: 30.", valueName: "n"))
  var historyDays: Int?

  @OptionGroup var login: LoginOptions

  func validate() throws {
    if http == nil, !httpHost.isEmpty || httpPasswordFile != nil || history != nil {
      throw ValidationError("--http-host, --http-password-file and --history are for --http.")
    }
    if historyDays != nil, history == nil { throw ValidationError("--history-days is for --history FILE.") }
    if let historyDays, !PageSettings.historyDaysRange.contains(historyDays) {
      throw ValidationError("--history-days: write a number of days from 1 to 365.")
    }
    if http != nil, once || expect != nil {
      throw ValidationError("--http goes on for ever, and --once and --expect end; leave one of them out.")
    }
    if quiet, !once, expect == nil, expectFile == nil {
      throw ValidationError("--quiet is for --once, --expect and --expect-file.")
    }
    if let expect, expect < 0 { throw ValidationError("--expect: a number of devices is not negative.") }
    if exec != nil, once || expect != nil || (expectFile != nil && http == nil) {
      throw ValidationError("--exec is for changes, and --once and --expect wait for none; leave one of them out.")
    }
    if let online, online == offline {
      throw ValidationError("--online and --offline are the same payload; write two that differ.")
    }
  }

  func run() throws {
    var configuration = try broker.configuration()
    try login.apply(to: &configuration)
    var settings = Watch.Settings(
      topics: try topics(configuration),
      online: online ?? standard(configuration.presence.online, PresenceKeys.online.standard),
      offline: offline ?? standard(configuration.presence.offline, PresenceKeys.offline.standard))
    settings.format = json ? .json : .text
    settings.isOnce = once || expect != nil || (expectFile != nil && http == nil)
    settings.page = try page()
    settings.hasReadings = topic == nil
    settings.expected = expect
    settings.expectedNames = try expectedNames()
    settings.isQuiet = quiet
    // no-color.org
    settings.hasColours = Environment.variable("NO_COLOR") ?? "" == ""
    settings.command = exec
    var watch = Watch(configuration, settings, term: Environment.term)
    switch watch.run() {
    case .done: break
    case .tooFew(let online):
      StandardError.write("limpet watch: \(online) online, \(expect ?? 0) expected")
      throw ExitCode.failure
    case .missing(let names):
      StandardError.write("limpet watch: not online: \(names.map { printable($0, limit: 64) }.joined(separator: ", "))")
      throw ExitCode.failure
    case .failed(let reason):
      StandardError.write("limpet watch: \(reason)")
      throw ExitCode.failure
    }
  }

  private func page() throws -> PageSettings? {
    guard let http else { return nil }
    let password = try httpPasswordFile.map { file in
      let password = try TextFile.password(file, option: "--http-password-file")
      if password.isOpen {
        StandardError.write(
          "limpet watch: everyone on this machine can read \(printable(file, limit: 120)); chmod o-r it")
      }
      return password.text
    }
    do throws(ArgumentError) {
      var settings = try PageSettings(address: http, hosts: httpHost, password: password)
      settings.history = history
      if let historyDays { settings.historyDays = historyDays }
      return settings
    } catch {
      throw ValidationError("--http: \(error).")
    }
  }

  private func expectedNames() throws -> [String] {
    guard let expectFile else { return [] }
    let names = try TextFile.lines(expectFile, option: "--expect-file").filter { !$0.hasPrefix("#") }
    guard names.count <= Watch.deviceLimit else {
      throw ValidationError(
        "--expect-file: \(expectFile) has \(names.count) devices, and limpet watch follows at most "
          + "\(Watch.deviceLimit); write fewer.")
    }
    return names
  }

  /// Topics of another agent have nothing to do with this machine's configuration.
  private func standard(_ configured: String, _ text: String) -> String { topic == nil ? configured : text }

  private func topics(_ configuration: Configuration) throws -> WatchedTopics {
    let status = topic ?? configuration.presence.topic.expanded(device: "+")
    let names = devices.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    do throws(ArgumentError) {
      return try WatchedTopics(
        status: status, hasPresence: topic == nil || topic == WatchedTopics.standardStatus, devices: names)
    } catch {
      throw ValidationError("\(topic == nil && devices == nil ? "presence.topic" : "--topic, --devices"): \(error)")
    }
  }
}
