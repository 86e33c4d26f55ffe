internal import CLimpetLinux
import Configuration
internal import Glibc
import LimpetInstants
import LimpetPlatform
import LimpetText
import MQTT
import MQTTCore
import NIOCore
import Status

/// Follows the presence of a fleet until a signal or `q`, or looks at it once.
///
/// The main thread does everything but the connection, and waits in one place, poll(2): for messages (`WatchFeed`),
/// signals, keys, and a reader that has room. So a reader that stalls stops neither the connection nor the end.
public struct Watch: ~Copyable {
  /// Devices that are followed.
  public static let deviceLimit = 100_000

  public enum Format: Sendable {
    /// A table on a terminal, else lines.
    case text
    /// One object a line.
    case json
  }

  public struct Settings: Sendable {
    public var topics: WatchedTopics
    public var online: String
    public var offline: String
    public var format = Format.text
    /// Prints what the broker keeps, and ends.
    public var isOnce = false
    /// With `isOnce`: so many devices have to be online at least.
    public var expected: Int?
    /// With `isOnce`: these have to be online.
    public var expectedNames: [String] = []
    /// Nothing is printed.
    public var isQuiet = false
    public var hasColours = true
    /// For `/bin/sh`, on each change.
    public var command: String?
    /// A page for browsers. Beside it there is the table on a terminal, and `json`; lines for people there are none.
    public var page: PageSettings?
    /// The devices are limpet's, and publish their readings where the configuration says.
    public var hasReadings = false

    public init(topics: WatchedTopics, online: String, offline: String) {
      self.topics = topics
      self.online = online
      self.offline = offline
    }
  }

  /// How it ended.
  public enum Ending: Sendable {
    case done
    /// Fewer devices are online than were expected.
    case tooFew(online: Int)
    /// These are not online, in the order of the list.
    case missing([String])
    case failed(String)
  }

  /// A subscription's retained messages are all here when none has come for so long: a broker does not say which is
  /// the last, and 3.1.1 not even that there is none.
  private static let quiet = Duration.milliseconds(500)

  private let settings: Settings
  private let feed: WatchFeed
  private let log: LogWriter
  private let remarks: WatchRemarks
  private let runner: CommandRunner?
  private let page: FleetPage?
  private let signals: Int32
  private var view: FleetView
  private var controls = WatchControls()
  private var screen: WatchScreen?
  private var output: WatchOutput

  private var connection = "connecting"
  private var isConnected = false
  private var hasSaidIgnored = false
  /// When the last retained message came of a subscription that is not settled.
  private var lastRetained: BootClock.Instant?
  private var nextFrame: BootClock.Instant?
  /// Between two frames at the least: a table of a large fleet takes its time.
  private var frameInterval = Duration.milliseconds(100)
  private var ending: Ending?

  /// - Parameter term: the environment's TERM.
  public init(_ configuration: Configuration, _ settings: Settings, term: String?) {
    // Before any thread is made: all of them must leave signals to the main one.
    signals = Self.takeSignals()
    self.settings = settings
    view = FleetView(settings.topics, FleetView.Payloads(online: settings.online, offline: settings.offline))
    if settings.format == .text, !settings.isOnce {
      screen = WatchScreen(output: STDOUT_FILENO, input: STDIN_FILENO, term: term)
    }
    output = WatchOutput(descriptor: STDOUT_FILENO)
    let log = LogWriter(journalStream: nil)
    self.log = log
    // Over a table nothing else is written.
    let isShown = screen == nil || isatty(STDERR_FILENO) == 0
    let remarks = WatchRemarks(log: isShown ? log : nil)
    self.remarks = remarks
    runner = settings.command.map { command in CommandRunner(command, isQuiet: !isShown, report: remarks.say) }
    let desk = Self.desk(configuration, settings)
    do throws(StorageError) {
      page = try Self.page(settings, desk, say: remarks.say)
    } catch {
      page = nil
      ending = .failed("--history: \(error.ofHistory)")
    }
    let payloadLimit = max(FleetView.payloadLimit, settings.online.utf8.count, settings.offline.utf8.count) + 1
    feed = WatchFeed(
      configuration, topics: settings.topics, payloadLimit: payloadLimit, reconnects: !settings.isOnce,
      readings: desk, hasPage: settings.page != nil)
  }

  deinit { close(signals) }

  private static func desk(_ configuration: Configuration, _ settings: Settings) -> ReadingsDesk? {
    guard settings.page != nil, settings.hasReadings else { return nil }
    return ReadingsDesk(
      LookedAt(
        configuration.topic, besides: [configuration.presence.topic, TopicTemplate.description],
        presence: TopicTemplate.description))
  }

  private static func page(
    _ settings: Settings, _ readings: ReadingsDesk?, say: @escaping @Sendable (String) -> Void
  ) throws(StorageError) -> FleetPage? {
    guard let page = settings.page else { return nil }
    var history: FleetHistory?
    if let path = page.history {
      let clock = WallClock.now()
      let now = clock.time(of: clock.instant)
      let since = Timestamp(microseconds: now.microseconds - FleetLog.history.age.wholeNanoseconds / 1000)
      history = try FleetHistory(path: path, since: since, now: now, age: .days(page.historyDays), say: say)
    }
    return FleetPage(page, expected: settings.expectedNames, history: history, readings: readings, say: say)
  }

  private static func takeSignals() -> Int32 {
    // A reader that is gone is an error of the call, not a signal.
    signal(SIGPIPE, SIG_IGN)
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP] { sigaddset(&set, number) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    return signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
  }

  /// Blocks its thread until the end.
  public mutating func run() -> Ending {
    if let ending { return ending }
    if let reason = page?.start() { return .failed("--http: \(reason)") }
    feed.start()
    if let text = screen?.enter() { show(text) }
    while ending == nil { step() }
    if let text = screen?.leave() { show(text) }
    feed.stop()
    page?.stop()
    output.drain(within: .seconds(screen == nil && settings.isOnce ? 60 : 1))
    log.flush()
    return ending ?? .done
  }

  private var now: FleetView.Moment {
    let clock = WallClock.now()
    return (clock.instant, clock.time(of: clock.instant))
  }

  /// Waits for whatever comes next, and does it.
  private mutating func step() {
    if let screen, output.isEmpty, nextFrame.map({ $0 <= .now }) ?? true { draw(screen) }
    output.drain()
    if output.isClosed { ending = .done }
    let lost = output.takeLost()
    if lost > 0 { say("\(lost) changes dropped, since this output is read too slowly") }

    var waiting = [
      pollfd(fd: signals, events: Int16(POLLIN), revents: 0), pollfd(fd: feed.bell, events: Int16(POLLIN), revents: 0),
      pollfd(fd: screen?.input ?? -1, events: Int16(POLLIN), revents: 0),
      // Without an event it is the error that is waited for: a reader that is gone.
      pollfd(fd: output.descriptor, events: output.isEmpty ? 0 : Int16(POLLOUT), revents: 0),
    ]
    guard poll(&waiting, nfds_t(waiting.count), timeout) >= 0 || errno == EINTR else {
      ending = .failed("the system cannot wait for events: \(String(cString: strerror(errno)))")
      return
    }
    if waiting[3].revents & Int16(POLLERR) != 0 { ending = .done }
    if waiting[2].revents != 0 { readKeys(waiting[2].fd) }
    takeSignals()
    takeEvents()
    deliver(view.tick(at: now))
    settleIfQuiet()
    if let page { page.report(view.takeDetails(at: now)) }
  }

  /// Milliseconds until something is due; -1: never.
  private var timeout: Int32 {
    let frame = screen == nil || !output.isEmpty ? nil : nextFrame
    let due = [view.deadline, lastRetained.map { $0 + Self.quiet }, frame].compactMap { $0 }.min()
    guard let due else { return -1 }
    return BootClock.now.duration(to: due).wholeMilliseconds
  }

  // MARK: What happens

  private mutating func takeSignals() {
    var information = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    while read(signals, &information, size) == size {
      switch Int32(information.ssi_signo) {
      case SIGWINCH: nextFrame = .now
      case SIGTSTP: suspend()
      default: ending = ending ?? (settings.isOnce ? .failed("stopped before the broker had sent everything") : .done)
      }
    }
  }

  /// ^Z: the terminal as it was, until the shell goes on with this.
  private mutating func suspend() {
    if let text = screen?.leave() { show(text) }
    output.drain(within: .seconds(1))
    kill(getpid(), SIGSTOP)
    if let text = screen?.enter() { show(text) }
    nextFrame = .now
  }

  private mutating func readKeys(_ input: Int32) {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(input, &bytes, bytes.count)
    // The terminal is gone where nothing can be read.
    if count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN) { ending = .done }
    if controls.take(bytes.prefix(max(count, 0))) { ending = .done }
    // Keys are answered at once.
    nextFrame = .now
  }

  private mutating func takeEvents() {
    let (events, lost) = feed.take()
    guard !events.isEmpty else { return }
    for event in events {
      switch event {
      case .connected(let server):
        if !isConnected && connection != "connecting" { sayBesideTable("connected to \(server)") }
        connection = "\(server)"
        isConnected = true
        view.connected()
        page?.connected("\(server)", at: now.time)
      case .subscribed(let refusals): subscribed(refusals)
      case .message(let report):
        if report.isRetained, lastRetained != nil { lastRetained = .now }
        deliver(view.receive(report, at: now))
      case .lost(let loss, let delay): self.lost(loss, retryAfter: delay)
      }
    }
    if lost > 0 { say("limpet watch dropped \(lost) messages: they came too fast") }
    if view.ignored > 0, !hasSaidIgnored {
      hasSaidIgnored = true
      say("limpet watch leaves some devices out: there are too many, or their names are too long")
    }
    nextFrame = min(nextFrame ?? .now, .now + frameInterval)
  }

  private mutating func subscribed(_ refusals: [WatchFeed.Refusal]) {
    for refusal in refusals {
      say("no subscription to \(printable("\(refusal.filter)", limit: 120)): \(printable(refusal.reason, limit: 120))")
    }
    guard refusals.count < settings.topics.filters.count else {
      ending = .failed("there is nothing to watch")
      return
    }
    lastRetained = .now
  }

  private mutating func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?) {
    let text = printable(loss.advised(), limit: 300)
    guard let delay else {
      ending = .failed(text)
      return
    }
    // The next attempt is made in another version at once: nothing is wrong yet.
    guard isConnected || delay > .zero else { return }
    let what = isConnected ? "connection lost" : "not connected"
    isConnected = false
    lastRetained = nil
    connection = "\(what): \(text); next try in \(delay.inWords)"
    page?.lost(connection, at: now.time)
    sayBesideTable(connection)
  }

  private mutating func settleIfQuiet() {
    guard let last = lastRetained, .now >= last + Self.quiet else { return }
    lastRetained = nil
    guard !settings.isOnce else {
      let online = view.onlineCount
      ending = settings.expected.map { online >= $0 ? .done : .tooFew(online: online) } ?? .done
      let missing = settings.expectedNames.filter { view.devices[$0]?.state != .online }
      if !missing.isEmpty { ending = .missing(missing) }
      if view.devices.isEmpty {
        say("the broker has no retained status here; RabbitMQ sends none to wildcards: name the devices (--devices)")
      }
      return printOnce()
    }
    deliver(view.settle(at: now))
  }

  // MARK: Reporting changes

  private mutating func deliver(_ changes: [FleetChange]) {
    guard !settings.isOnce else { return }
    page?.report(changes)
    for change in changes {
      // A page's journal is no list of all changes.
      if screen == nil, page == nil || settings.format == .json { show(change) }
      guard let runner, !change.isInitial else { continue }
      runner.run(CommandRunner.Job(device: change.device.name, variables: change.variables))
    }
  }

  private mutating func printOnce() {
    guard !settings.isQuiet else { return }
    for change in view.all(at: now) {
      if settings.format == .json {
        show(change)
      } else {
        show("\(printable(change.device.name, limit: 120)) \(change.device.summary(isFlapping: false))\n")
      }
    }
  }

  private mutating func show(_ change: FleetChange) {
    switch settings.format {
    case .text: show(change.line + "\n")
    case .json:
      // What a terminal would obey is escaped as JSON has it, so nothing is lost.
      output.add((TerminalText.escapedJSON(String(buffer: change.json)) + "\n").utf8)
    }
  }

  private mutating func show(_ text: String) { output.add(text.utf8) }

  private func say(_ text: String) { remarks.say(text) }

  /// What the table's first line says already.
  private func sayBesideTable(_ text: String) { if screen == nil || remarks.areLogged { say(text) } }

  private mutating func draw(_ screen: borrowing WatchScreen) {
    let started = BootClock.now
    defer { frameInterval = max(.milliseconds(100), started.duration(to: .now) * 5) }
    let (columns, rows) = screen.size
    let table = FleetTable(columns: columns, rows: rows, hasColours: settings.hasColours)
    show(WatchScreen.frame(table.lines(of: view, &controls, connection: connection, remark: remarks.newest, at: now)))
    // Ages go on by themselves.
    nextFrame = .now + .seconds(1)
  }
}
