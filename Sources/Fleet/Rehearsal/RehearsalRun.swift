import Configuration
import JSON
import LimpetInstants
import LimpetPlatform
import LimpetText
import MQTT
import MQTTCore
import NIOCore
import Planning
import Readings

/// The course of a rehearsal: subscribe, begin the devices one after the other, let them run and fail, end them, compare,
/// clear their messages at the broker.
///
/// Stays on the fleet's event loop. It leaves output and blocking work to its owner.
final class RehearsalRun: @unchecked Sendable {
  enum Phase { case subscribing, measuring, ramping, running, weighing, ending, settling, clearing, over }

  private let settings: Rehearsal.Settings
  private let fleet: SimulatedFleet
  private let subscriber: RehearsalSubscriber
  private let sweep: RetainedSweep
  private let post: @Sendable (Rehearsal.Mail) -> Void
  private let eventLoop: any EventLoop

  private(set) var phase = Phase.subscribing
  private var phaseSince = BootClock.now
  private var readings: ReadingWatch
  private var churn: ChurnPlan
  private var report = RehearsalReport()
  private var begun = 0
  private var stopped = 0
  /// What was outstanding at the end when that last changed, and since when.
  private var settling: (outstanding: (lost: UInt64, notOffline: Int), since: BootClock.Instant) = ((0, 0), .now)
  private var beats: UInt64 = 0
  private var baseline: ProcessUsage?
  private var usage: ProcessUsage?
  private var mostMemory = 0
  private var rampStarted: BootClock.Instant?
  /// The last whole second, for rates.
  private var lastSecond: (time: BootClock.Instant, connects: UInt64, published: UInt64, bytes: UInt64)?
  /// From when on all were online.
  private var steady: (time: BootClock.Instant, tally: SimulatedFleet.Tally, usage: ProcessUsage?)?
  private var loss: String?
  private var isInterrupted = false

  private static let beat = TimeAmount.milliseconds(50)
  /// Clean shutdowns that begin in a second.
  private static let stopsPerSecond = 2000

  init(
    _ settings: Rehearsal.Settings, fleet: SimulatedFleet, subscriber: RehearsalSubscriber, sweep: RetainedSweep,
    eventLoop: any EventLoop, post: @escaping @Sendable (Rehearsal.Mail) -> Void
  ) {
    self.settings = settings
    self.fleet = fleet
    self.subscriber = subscriber
    self.sweep = sweep
    self.eventLoop = eventLoop
    self.post = post
    readings = ReadingWatch(slots: settings.devices * fleet.template.names.count)
    churn = ChurnPlan(settings.churn)
    report.devices = settings.devices
    report.server = fleet.template.servers.map { "\($0)" }.joined(separator: ", ")
  }

  func begin() {
    subscriber.start()
    beatAgain()
  }

  /// SIGINT or SIGTERM: the first ends it properly, the second at once.
  func interrupt() {
    guard !isInterrupted else { return finish(.failed("ended at once; --clean clears what is left at the broker")) }
    isInterrupted = true
    switch phase {
    case .subscribing, .measuring: finish(.failed("ended before it had begun"))
    case .ramping, .running: weigh()
    case .weighing, .ending, .settling, .clearing, .over: break
    }
  }

  private func beatAgain() {
    guard phase != .over else { return }
    eventLoop.scheduleTask(in: Self.beat) {
      self.step()
      self.beatAgain()
    }
  }

  private func enter(_ phase: Phase) {
    self.phase = phase
    phaseSince = .now
  }

  private func finish(_ ending: Rehearsal.Ending) {
    guard phase != .over else { return }
    enter(.over)
    post(.ended(ending))
  }

  // MARK: Each beat

  private func step() {
    let now = BootClock.now
    beats += 1
    takeHeard(at: now)
    if beats.isMultiple(of: 10) { fleet.sweep(at: now) }
    let elapsed = phaseSince.duration(to: now)
    switch phase {
    case .subscribing:
      if elapsed > settings.connectLimit {
        finish(
          .failed(
            "the broker accepted no subscription within \(settings.connectLimit.inWords)"
              + (loss.map { ": \($0)" } ?? ""))
        )
      }
    case .measuring, .weighing, .clearing, .over: break
    case .ramping: ramp(at: now, elapsed)
    case .running:
      for kind in churn.due(after: elapsed) { fleet.end(by: kind, at: now) }
      fleet.startAgainWhoMay(at: now)
      if elapsed >= settings.duration { weigh() }
    case .ending: stopAll(at: now, elapsed)
    case .settling: settle(at: now, elapsed)
    }
    count(at: now)
  }

  private func takeHeard(at now: BootClock.Instant) {
    for heard in subscriber.take() {
      switch heard {
      case .state(let device, let seen, let time): fleet.heard(device, seen, at: time)
      case .reading(let slot, let number): readings.heard(slot, number)
      case .ready(let keptSession, let time):
        loss = nil
        if !keptSession { readings.sessionWasLost() }
        fleet.subscriberWatches(true, at: time)
        guard phase == .subscribing else { break }
        enter(.measuring)
        post(.measure(isFinal: false))
      case .lost(let text, let delay):
        // At the end its own farewell ended it.
        guard phase != .clearing, phase != .over else { break }
        loss = text
        fleet.subscriberWatches(false, at: now)
        if delay == nil { finish(.failed(text)) }
      case .refused(let text): finish(.failed("the broker refuses the subscription to the statuses: \(text)"))
      }
    }
  }

  /// The last look at the process while all devices are there.
  private func weigh() {
    enter(.weighing)
    post(.measure(isFinal: true))
  }

  /// Its owner has measured the process.
  func measured(_ usage: ProcessUsage, isFinal: Bool) {
    self.usage = usage
    mostMemory = max(mostMemory, usage.memory)
    if phase == .measuring {
      baseline = usage
      rampStarted = .now
      enter(.ramping)
    } else if phase == .weighing, isFinal {
      enter(.ending)
    }
  }

  private func ramp(at now: BootClock.Instant, _ elapsed: Duration) {
    let share = settings.ramp > .zero ? min(1, elapsed / settings.ramp) : 1
    let due = Int((Double(settings.devices) * share).rounded(.up))
    do throws(PlanError) {
      while begun < due {
        try fleet.begin(begun)
        begun += 1
      }
    } catch { return finish(.failed("\(error)")) }
    if begun == settings.devices { enter(.running) }
  }

  private func count(at now: BootClock.Instant) {
    guard let rampStarted else { return }
    let online = fleet.online
    if phase == .ramping || phase == .running {
      report.mostOnline = max(report.mostOnline, online)
      if report.allOnlineAfter == nil, fleet.haveBeenOnline == settings.devices {
        report.allOnlineAfter = rampStarted.duration(to: now)
      }
    }
    let tally = fleet.tally
    guard let last = lastSecond else {
      lastSecond = (now, tally.connects, tally.published, tally.publishedBytes)
      return
    }
    let seconds = last.time.duration(to: now) / .seconds(1)
    guard seconds >= 1 else { return }
    lastSecond = (now, tally.connects, tally.published, tally.publishedBytes)
    let connects = Double(tally.connects - last.connects) / seconds
    report.mostConnects = max(report.mostConnects, UInt64(connects.rounded()))
    post(.measure(isFinal: false))
    if phase == .running, report.allOnlineAfter != nil, steady == nil {
      steady = (now, tally, usage)
    }
    guard phase == .ramping || phase == .running || phase == .ending else { return }
    reportProgress(online, connects, Double(tally.published - last.published) / seconds, at: now)
  }

  private func reportProgress(_ online: Int, _ connects: Double, _ messages: Double, at now: BootClock.Instant) {
    guard let rampStarted else { return }
    let second = Int((rampStarted.duration(to: now) / .seconds(1)).rounded())
    if settings.isJSON {
      var object = JSONObject()
      object.add("event", "progress")
      object.add("seconds", UInt64(second))
      object.add("online", UInt64(online))
      object.add("connects_per_second", connects.rounded())
      object.add("messages_per_second", messages.rounded())
      object.add("wrong_states", fleet.states.wrong)
      return post(.output(String(buffer: object.finish())))
    }
    guard second.isMultiple(of: 5) || phase == .ramping else { return }
    let acknowledged = fleet.acknowledgements.duration(at: 0.99).map {
      ", 99 % acknowledged in \(RehearsalReport.words($0))"
    }
    post(
      .note(
        "\(second) s: \(online) of \(settings.devices) online, \(Int(connects.rounded())) connects and "
          + "\(Int(messages.rounded())) messages a second\(acknowledged ?? ""), \(fleet.states.wrong) wrong states"))
  }

  // MARK: The end

  private func stopAll(at now: BootClock.Instant, _ elapsed: Duration) {
    if stopped == 0 { close(at: now) }
    let due = min(settings.devices, Int(elapsed / .seconds(1) * Double(Self.stopsPerSecond)) + 1)
    while stopped < due {
      if let device = fleet.devices[stopped], !device.hasEnded { device.stop() }
      stopped += 1
    }
    let limit = Duration.seconds(settings.devices / Self.stopsPerSecond + 5) + fleet.template.shutdownTimeout
    if fleet.running == 0 || elapsed > limit { enter(.settling) }
  }

  /// The measurement is complete.
  private func close(at now: BootClock.Instant) {
    fleet.endChurn(at: now)
    let tally = fleet.tally
    if let steady {
      let seconds = max(0.001, steady.time.duration(to: now) / .seconds(1))
      report.messagesPerSecond = Double(tally.published - steady.tally.published) / seconds
      report.bytesPerSecond = Double(tally.publishedBytes - steady.tally.publishedBytes) / seconds
      report.pingsPerSecond = Double(tally.pings - steady.tally.pings) / seconds
      if let before = steady.usage, let usage, usage.time > before.time {
        report.processorShare = (usage.processorTime - before.processorTime) / before.time.duration(to: usage.time)
      }
    }
    if let baseline, let usage, baseline.memory > 0, begun > 0 {
      report.memoryPerDevice = Double(usage.memory - baseline.memory) / Double(begun)
      report.mostMemoryPerDevice = Double(mostMemory - baseline.memory) / Double(begun)
    }
    if let rampStarted { report.lasted = rampStarted.duration(to: now) }
  }

  /// Waits for messages on their way to the subscriber.
  private func settle(at now: BootClock.Instant, _ elapsed: Duration) {
    let lost = readings.lost(before: fleet.nextNumbers)
    let isDone = fleet.states.notOffline == 0 && lost == 0
    // A subscriber that is behind, and gets more, is not one that misses something.
    let outstanding = (lost, fleet.states.notOffline)
    if elapsed < .milliseconds(100) || outstanding != settling.outstanding { settling = (outstanding, now) }
    guard isDone || settling.since.duration(to: now) > .seconds(15) || elapsed > .seconds(300) else { return }
    report.lostReadings = lost + fleet.lostReadings
    report.statesLeft = loss == nil ? fleet.states.notOffline : 0
    enter(.clearing)
    Task { await subscriber.stop(within: .seconds(2)) }
    sweep.run().hop(to: eventLoop).whenComplete { result in self.cleared((try? result.get()) ?? .failed("")) }
  }

  private func cleared(_ result: RetainedSweep.Result) {
    switch result {
    case .cleared(let count): report.retainedTopics = count
    case .failed(let text):
      post(.note("the broker still keeps retained messages of the devices: \(text); --clean tries again to clear them"))
    }
    complete()
    post(.output(settings.isJSON ? report.json : report.text))
    finish(report.faults.isEmpty ? .done : .failed(report.faults.joined(separator: "; ")))
  }

  private func complete() {
    report.connects = fleet.tally.connects
    report.published = fleet.tally.published
    report.acknowledgements = RehearsalReport.Spread(fleet.acknowledgements)
    for kind in Churn.Kind.allCases {
      let count = fleet.tally.ends[kind] ?? 0
      let seen = fleet.states.latencies[kind]
      guard count > 0 || seen != nil else { continue }
      report.ends.append((kind, max(count, seen?.count ?? 0), RehearsalReport.Spread(seen)))
    }
    report.storms = fleet.storms.storms.map { storm in
      RehearsalReport.Storm(
        lost: storm.lost, first: storm.firstReturn, returns: RehearsalReport.Spread(storm.returns), lasted: storm.lasted
      )
    }
    report.wrongStates = fleet.states.wrong
    report.unjudgedEnds = fleet.states.unjudged
    report.readings = readings.received
    report.repeatedReadings = readings.repeated
    report.excusedReadings = readings.excused
    report.problems = fleet.problems.sorted { $0.value > $1.value }.map { ($0.key, $0.value) }
  }
}
