import LimpetInstants
import LimpetPlatform
import LimpetText
import NIOCore
import NIOHTTP1
import NIOPosix
import Status
import Synchronization
import Web

/// The fleet as a page: the main thread reports what happens, and a thread of its own answers browsers.
final class FleetPage: Sendable {
  /// Browsers and scrapers at one time.
  private static let limit = 64
  /// Devices of which /metrics has each one, where nothing else is asked for.
  private static let metricsDevices = 1000
  /// Of every answer: nothing from elsewhere is loaded, nothing is embedded elsewhere.
  private static let safety: HTTPHeaders = [
    "Content-Security-Policy":
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
      + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
  ]

  private let log: Mutex<FleetLog>
  private let gate: Mutex<PageGate>
  private let place: PagePlace
  /// The names of `--http-host`.
  private let hosts: [String]
  private let eventLoop: any EventLoop
  private let isWakeUnderWay = Atomic(false)
  private let server = Mutex<WebServer?>(nil)
  /// Where the page is on a socket, it is taken away at the end.
  private let socket = Mutex<SocketFile?>(nil)
  private let say: @Sendable (String) -> Void
  private let history: FleetHistory?
  /// nil: what is watched is another agent's, whose readings are nobody knows where.
  private let readings: ReadingsDesk?
  /// Whoever waits to know whether the address could be had: nil, or why not.
  private let opening: Mutex<EventLoopPromise<String?>?>

  /// - Parameters:
  ///   - history: keeps what the page reports, and has what earlier watches reported.
  ///   - readings: what devices have published, while somebody looks at them.
  ///   - say: called on a thread of the page's.
  init(
    _ settings: PageSettings, expected: [String], history: FleetHistory? = nil, readings: ReadingsDesk? = nil,
    say: @escaping @Sendable (String) -> Void
  ) {
    self.say = say
    self.history = history
    self.readings = readings
    place = settings.place
    hosts = settings.hosts
    log = Mutex(FleetLog(expected: expected, past: history?.past ?? [:], watched: history?.watched ?? [], at: Self.now))
    gate = Mutex(PageGate(settings.place, others: settings.hosts, password: settings.password))
    let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    self.eventLoop = eventLoop
    opening = Mutex(nil)
    readings?.onNews { [weak self] in self?.wake() }
  }

  /// Listens. Blocks its thread until that is so, or cannot be: a numeric address is had at once or not at all.
  ///
  /// - Returns: why it cannot be.
  func start() -> String? {
    let listener: WebPlace
    do throws(ArgumentError) { listener = try place.bound() } catch { return error.description }
    if case .socket(let file) = listener { socket.withLock { $0 = file } }
    let server = WebServer(listener, limit: Self.limit, eventLoop: eventLoop, headers: Self.safety) {
      [weak self] notice in
      self?.take(notice)
    } answer: { [weak self] request in
      self?.reply(to: request) ?? WebReply(.serviceUnavailable, "limpet watch ends.")
    }
    self.server.withLock { $0 = server }
    let opened = eventLoop.makePromise(of: String?.self)
    opening.withLock { $0 = opened }
    eventLoop.execute { server.assumeIsolated { $0.start() } }
    let beat = TimeAmount(WatchedTimes.beat)
    eventLoop.scheduleRepeatedTask(initialDelay: beat, delay: beat) { [weak self] _ in self?.live() }
    return try? opened.futureResult.wait()
  }

  private func take(_ notice: WebServer.Notice) {
    let opened = opening.withLock { $0.take() }
    switch notice {
    case .listens(let place):
      switch place {
      case .network(let address) where address.isLoopback: say("the page is http://\(address)/")
      case .socket(let file): say("the page is on the socket \(file.path), for a proxy")
      case .network(let address):
        say(
          "the page listens on \(address); \(asked(at: address)). "
            + "It has no TLS of its own, so the network can read its password: put a proxy with TLS in front")
      }
      opened?.succeed(nil)
    case .failed(let reason): opened?.succeed(reason)
    }
  }

  /// By which names browsers ask for the page.
  private func asked(at address: ListenAddress) -> String {
    let names = (address.isAny ? [] : ["\(address)"]) + hosts.map { $0.hasPort ? $0 : "\($0):\(address.port)" }
    guard !names.isEmpty else {
      return "browsers elsewhere have no name for it yet: add --http-host NAME, the name or address that they open"
    }
    return "browsers open \(names.map { "http://\($0)/" }.joined(separator: " or "))"
  }

  // MARK: The main thread's side

  /// Changes, or what else there is to see of devices that have not changed.
  func report(_ changes: [FleetChange]) {
    guard !changes.isEmpty else { return }
    let rows = log.withLock { log in changes.compactMap { log.take($0) } }
    history?.record(rows)
    wake()
  }

  /// No further report follows; the earlier ones are on the disk afterwards.
  func stop() {
    live()
    history?.stop()
    socket.withLock { $0 }?.remove()
  }

  func connected(_ server: String, at now: Timestamp) {
    log.withLock { $0.connected(server, at: now) }
    sign()
  }

  func lost(_ reason: String, at now: Timestamp) {
    log.withLock { $0.lost(reason, at: now) }
    sign()
  }

  private static var now: Timestamp {
    let clock = WallClock.now()
    return clock.time(of: clock.instant)
  }

  /// What a later watch may say of this time.
  private func live() {
    let span = log.withLock { log in
      log.lives(at: Self.now)
      return log.watched.spans.last
    }
    if let span { history?.keep(span) }
  }

  /// That a page is out of date is said at once: its banner is to be there within 5 s of the loss, and the watch has
  /// needed most of them to notice it.
  private func sign() {
    eventLoop.execute { [self] in server.withLock { $0 }?.assumeIsolated { $0.sign() } }
  }

  private func wake() {
    guard !isWakeUnderWay.exchange(true, ordering: .acquiringAndReleasing) else { return }
    eventLoop.execute { [self] in
      isWakeUnderWay.store(false, ordering: .releasing)
      server.withLock { $0 }?.assumeIsolated { $0.wake() }
    }
  }

  // MARK: Browsers

  private func reply(to request: WebRequest) -> WebReply {
    gate.withLock { $0.refusal(of: request, at: .now) } ?? page(request)
  }

  private func page(_ request: WebRequest) -> WebReply {
    switch request.path {
    case "/": return WebReply(ByteBuffer(string: PageFiles.document), type: "text/html; charset=utf-8")
    case "/page.js": return WebReply(ByteBuffer(string: PageFiles.script), type: "text/javascript; charset=utf-8")
    case "/page.css": return WebReply(ByteBuffer(string: PageFiles.style), type: "text/css; charset=utf-8")
    case "/devices": return devices()
    case "/events": return events(request)
    case "/readings": return readings(request)
    case "/metrics": return metrics(request)
    case "/healthz":
      let isConnected = log.withLock(\.isConnected)
      return isConnected
        ? WebReply(ByteBuffer(string: "ok\n"), type: "text/plain; charset=utf-8")
        : WebReply(.serviceUnavailable, "There is no connection to the broker.")
    default: return WebReply(.notFound, "This server has /, /devices, /events, /readings, /metrics and /healthz.")
    }
  }

  private func devices() -> WebReply {
    let listing = Mutex(log.withLock { $0.listing() })
    var reply = WebReply(ByteBuffer(), type: "application/json")
    reply.parts = { [self] in listing.withLock { listing in log.withLock { $0.part(of: &listing) } } }
    return reply
  }

  private func metrics(_ request: WebRequest) -> WebReply {
    var limit = Self.metricsDevices
    if let written = request.parameter("devices") {
      guard !written.isEmpty, written.unicodeScalars.allSatisfy(\.isDigit) else {
        return WebReply(
          .badRequest, "devices has to be a whole number: how many devices are to be named, such as ?devices=100.")
      }
      // So many digits stand for all there are.
      limit = Int(written) ?? .max
    }
    let format = MetricText.Format(accept: request.headers["Accept"].joined(separator: ","))
    return WebReply(log.withLock { $0.metrics(devices: limit, format) }, type: format.mediaType)
  }

  /// From where the browser was, or from now on.
  private func events(_ request: WebRequest) -> WebReply {
    let given = request.headers["Last-Event-ID"].first ?? request.parameter("after")
    // What is no number is none of this process's.
    let number = given.map { UInt64($0) ?? 0 } ?? log.withLock(\.last)
    let stream = PageStream(after: number) { [self] number in
      log.withLock { $0.events(after: number) }
    } beat: {
      [self] in
      log.withLock(\.beat)
    }
    return WebReply(ByteBuffer(string: "retry: 1000\n\n"), type: "text/event-stream", stream: stream)
  }

  /// Of one device of the list, for as long as this is read.
  private func readings(_ request: WebRequest) -> WebReply {
    guard let readings else {
      return WebReply(
        .notFound,
        "limpet watch knows where readings are only for limpet's own topics, and --topic names others.")
    }
    guard let device = request.parameter("device"), log.withLock({ $0.knows(device) }) else {
      return WebReply(.notFound, "There is no such device in the list; ask for /readings?device=ID.")
    }
    switch readings.begin(device) {
    case .subscribe, .shared: break
    case .full:
      return WebReply(
        .serviceUnavailable, "\(LookedAt.limit) devices' details are open already; close one of them.")
    case .impossible: return WebReply(.notFound, "A device of this name has no topics of its own.")
    }
    let stream = PageStream(after: 0) { number in
      readings.events(of: device, after: number)
    } beat: {
      [self] in
      log.withLock(\.beat)
    } end: {
      readings.end(device)
    }
    return WebReply(ByteBuffer(string: "retry: 2000\n\n"), type: "text/event-stream", stream: stream)
  }
}

/// One browser's place in the log, or in a device's readings; it ends with the connection.
private final class PageStream: WebStream {
  private let place: Mutex<UInt64>
  private let events: @Sendable (UInt64) -> (events: ByteBuffer, last: UInt64)?
  private let sign: @Sendable () -> ByteBuffer
  private let end: @Sendable () -> Void

  init(
    after number: UInt64, events: @escaping @Sendable (UInt64) -> (events: ByteBuffer, last: UInt64)?,
    beat: @escaping @Sendable () -> ByteBuffer, end: @escaping @Sendable () -> Void = {}
  ) {
    place = Mutex(number)
    self.events = events
    sign = beat
    self.end = end
  }

  deinit { end() }

  func next() -> ByteBuffer? {
    place.withLock { place in
      while let (events, last) = events(place) {
        place = last
        if events.readableBytes > 0 { return events }
      }
      return nil
    }
  }

  func beat() -> ByteBuffer { sign() }
}

extension WebRequest {
  /// A value of the query, by its name; nil: the name is not there, and empty: it has no value, or none that can be read.
  fileprivate func parameter(_ name: String) -> String? {
    for pair in (query ?? "").split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts[0] == name { return parts.count == 2 ? parts[1].percentDecoded ?? "" : "" }
    }
    return nil
  }
}
