internal import CLimpetLinux
import Configuration
internal import Glibc
import LimpetInstants
import LimpetPlatform
import LimpetText
import MQTTCore
import NIOCore
import NIOPosix
import Planning
import Synchronization

/// A fleet of simulated devices in this process, each with the core and the session of a real one, against a real broker:
/// `limpet simulate`.
public struct Rehearsal: ~Copyable {
  public struct Settings: Sendable {
    public var devices: Int
    /// In which the devices begin, evenly.
    public var ramp = Duration.seconds(10)
    /// From when all have begun.
    public var duration = Duration.seconds(60)
    public var churn = Churn()
    /// Of each sensor; nil: as it is configured.
    public var readings: Rate?
    /// Beside this machine.
    public var permittedHosts: [String] = []
    public var isJSON = false
    /// For the first connection.
    var connectLimit = Duration.seconds(15)

    public init(devices: Int) { self.devices = devices }
  }

  public enum Ending: Sendable {
    case done
    /// The rehearsal found a fault.
    case failed(String)
    /// It is not allowed to connect there.
    case refused(String)
  }

  /// What the event loop leaves to the main thread.
  enum Mail: Sendable {
    case output(String)
    case note(String)
    /// How much the process has; `isFinal`: without what is free in it.
    case measure(isFinal: Bool)
    case ended(Ending)
  }

  private let configuration: Configuration
  private let settings: Settings
  private let signals: Int32
  private let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
  private let mail = Mailbox()

  final class Mailbox: Sendable {
    private let waiting = Mutex<[Mail]>([])
    func put(_ mail: Mail) { waiting.withLock { $0.append(mail) } }
    func take() -> [Mail] {
      waiting.withLock { waiting in
        defer { waiting = [] }
        return waiting
      }
    }
  }

  /// Takes the signals of the process: before any thread is made, since all of them must leave signals to this one.
  public init(_ configuration: Configuration, _ settings: Settings) {
    signal(SIGPIPE, SIG_IGN)
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGINT, SIGTERM] { sigaddset(&set, number) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signals = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
    self.configuration = configuration
    self.settings = settings
  }

  deinit {
    close(signals)
    close(bell)
  }

  /// Blocks its thread until the end.
  public func run() -> Ending {
    if let reason = openFilesAreTooFew() { return .failed(reason) }
    let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    let other = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    let lookUp = GuardedLookUp(LoadGuard(hosts: settings.permittedHosts))
    if let reason = refusal(lookUp, on: other) { return .refused(reason) }
    let run: RehearsalRun
    do throws(PlanError) {
      let template = try DeviceTemplate(configuration, readings: settings.readings)
      let fleet = SimulatedFleet(
        template, count: settings.devices, tls: configuration.tls, lookUp, eventLoop: loop)
      let subscriber = try RehearsalSubscriber(
        configuration, template, count: settings.devices, lookUp, eventLoop: other)
      let sweep = RetainedSweep(
        configuration, lookUp, known: Self.keptTopics(template, devices: settings.devices), eventLoop: other)
      run = RehearsalRun(
        settings, fleet: fleet, subscriber: subscriber, sweep: sweep, eventLoop: loop, post: poster())
    } catch { return .failed("\(error)") }
    loop.execute { run.begin() }
    return follow(
      measured: { usage, isFinal in loop.execute { run.measured(usage, isFinal: isFinal) } },
      interrupted: { loop.execute { run.interrupt() } })
  }

  /// Clears the retained messages of simulated devices at the broker, and does nothing else.
  public func clean() -> Ending {
    let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    let lookUp = GuardedLookUp(LoadGuard(hosts: settings.permittedHosts))
    if let reason = refusal(lookUp, on: loop) { return .refused(reason) }
    let known: [String]
    do throws(PlanError) {
      let template = try DeviceTemplate(configuration, readings: settings.readings)
      known = Self.keptTopics(template, devices: settings.devices)
    } catch { return .failed("\(error)") }
    let post = poster()
    let isJSON = settings.isJSON
    RetainedSweep(configuration, lookUp, known: known, eventLoop: loop).run().whenComplete { result in
      switch (try? result.get()) ?? .failed("") {
      case .cleared(let count):
        post(
          .output(isJSON ? "{\"event\":\"clean\",\"retained_topics\":\(count)}" : "cleared \(count) retained messages"))
        post(.ended(.done))
      case .failed(let text): post(.ended(.failed(text)))
      }
    }
    return follow(
      measured: { _, _ in },
      interrupted: { post(.ended(.failed("interrupted before the broker had cleared all of it"))) })
  }

  /// The topics that may be retained by the broker for all devices.
  private static func keptTopics(_ template: DeviceTemplate, devices: Int) -> [String] {
    (0..<devices).flatMap { index in
      (["status", "presence"] + template.retainedNames).map { DeviceTemplate.topic(DeviceTemplate.id(of: index), $0) }
    }
  }

  private func openFilesAreTooFew() -> String? {
    let available = OpenFiles.raise()
    let needed = settings.devices + OpenFiles.own
    guard needed > available else { return nil }
    return
      "\(settings.devices) connections need \(needed) open files, and this process may have at most \(available): "
      + "raise that as root (prlimit --pid $$ --nofile=\(needed) in this shell, or LimitNOFILE= of a service), "
      + "or write --devices \(max(1, available - OpenFiles.own))"
  }

  /// Why no server of the configuration may be connected to; nil: one may, as far as is known now.
  private func refusal(_ lookUp: GuardedLookUp, on eventLoop: any EventLoop) -> String? {
    let servers = configuration.link.servers.filter { $0.transport != .unix }
    let answer = eventLoop.makePromise(of: String?.self)
    eventLoop.execute {
      answer.completeWithTask {
        for server in servers {
          do { _ = try await lookUp.addresses(server.host, server.port) } catch let refusal as LoadGuard.Refusal {
            return "\(refusal)"
          } catch {
            // A name that is not known may be in a moment; the attempt says what is wrong.
            continue
          }
        }
        return nil
      }
    }
    return (try? answer.futureResult.wait()) ?? nil
  }

  // MARK: The main thread

  private func poster() -> @Sendable (Mail) -> Void {
    { [mail, bell] letter in
      mail.put(letter)
      var one: UInt64 = 1
      _ = Glibc.write(bell, &one, MemoryLayout<UInt64>.size)
    }
  }

  private func follow(
    measured: @escaping @Sendable (ProcessUsage, Bool) -> Void, interrupted: @escaping @Sendable () -> Void
  ) -> Ending {
    while true {
      var waiting = [
        pollfd(fd: signals, events: Int16(POLLIN), revents: 0), pollfd(fd: bell, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&waiting, nfds_t(waiting.count), -1) >= 0 || errno == EINTR else {
        return .failed("the system cannot wait for events: \(String(cString: strerror(errno)))")
      }
      var information = signalfd_siginfo()
      while read(signals, &information, MemoryLayout<signalfd_siginfo>.size) > 0 { interrupted() }
      var count: UInt64 = 0
      _ = read(bell, &count, MemoryLayout<UInt64>.size)
      for letter in mail.take() {
        switch letter {
        case .output(let text): Self.write(text + "\n", to: STDOUT_FILENO)
        case .note(let text): Self.write("limpet simulate: \(text)\n", to: STDERR_FILENO)
        case .measure(let isFinal): measured(ProcessUsage.measure(trims: isFinal), isFinal)
        case .ended(let ending): return ending
        }
      }
    }
  }

  /// As long as it takes: the devices do not wait for this thread.
  private static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written > 0 { bytes = bytes.dropFirst(written) } else if errno != EINTR { return }
    }
  }
}
