internal import CLimpetLinux
import Glibc
import LimpetPlatform
import Measuring
import Synchronization

/// Waits for attributes of sysfs of whose changes the kernel notifies (poll(2), POLLPRI): an alarm is read when it
/// comes, not at the next interval, and one that comes and goes between two intervals is not missed.
///
/// And for events of devices: a power supply that changes, a sensor that is plugged in or out.
///
/// On a thread of its own, which sleeps while nothing happens. An attribute that is not there, or goes, is looked for
/// every 5 s.
public final class AttributeWatch: Sendable {
  private let sources: [(id: String, source: any SensorSource)]
  private let root: FileRoot
  private let report: @Sendable ([String]) -> Void
  /// An eventfd(2) that ends the thread; -1 where the process has no descriptors left.
  private let wakeUp: CInt
  private let isStopped = Atomic(false)

  private static let searchInterval: CInt = 5_000
  /// An attribute that never rests must not keep a processor busy, in microseconds.
  private static let pause: UInt32 = 20_000

  /// - Parameters:
  ///   - sources: those that notify, or have events.
  ///   - report: Called on the watch's thread with the ids of sources whose attribute has changed, or may have: they
  ///     are to be read. Hop to an event loop in it, and do not block.
  public init(
    _ sources: [(id: String, source: any SensorSource)], root: FileRoot,
    report: @escaping @Sendable ([String]) -> Void
  ) {
    self.sources = sources
    self.root = root
    self.report = report
    wakeUp = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
  }

  deinit { if wakeUp >= 0 { close(wakeUp) } }

  /// Call it once. Does not block. Without a thread, what notifies is read at its intervals as before.
  public func start() {
    _ = DetachedThread.start("limpet-alarms") { self.run() }
  }

  /// Does not block. A read that hangs in the kernel keeps the thread until it returns.
  public func stop() {
    isStopped.store(true, ordering: .releasing)
    var one: UInt64 = 1
    _ = write(wakeUp, &one, MemoryLayout<UInt64>.size)
  }

  private func run() {
    var open: [CInt] = Array(repeating: -1, count: sources.count)
    defer { for descriptor in open where descriptor >= 0 { close(descriptor) } }
    // Of this machine, not of a tree of files.
    let events = DeviceEvents(isWanted: root.path == "/" && sources.contains { $0.source.hasEvents })
    var isFirst = true
    while !isStopped.load(ordering: .acquiring) {
      var changed: [String] = []
      for index in sources.indices where open[index] < 0 && sources[index].source.notifies {
        open[index] = find(sources[index].source)
        // The attribute may have changed meanwhile, except at the start, when everything is read anyway.
        if open[index] >= 0, !isFirst { changed.append(sources[index].id) }
      }
      isFirst = false
      changed += wait(&open, events)
      guard !isStopped.load(ordering: .acquiring), !changed.isEmpty else { continue }
      report(changed)
      usleep(Self.pause)
    }
  }

  /// It reads before it polls: the kernel notifies of changes since the last read.
  private func find(_ source: any SensorSource) -> CInt {
    guard let path = source.notifyingPath(), let location = try? root.location(of: path) else { return -1 }
    let descriptor = Glibc.open(location, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return -1 }
    if arm(descriptor) { return descriptor }
    close(descriptor)
    return -1
  }

  private func arm(_ descriptor: CInt) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
      pread(descriptor, buffer.baseAddress, buffer.count, 0) >= 0
    }
  }

  private func wait(_ open: inout [CInt], _ events: borrowing DeviceEvents) -> [String] {
    let watched = open.indices.filter { open[$0] >= 0 }
    let isSearching = sources.indices.contains { open[$0] < 0 && sources[$0].source.notifies }
    var polled = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
    polled.append(pollfd(fd: events.descriptor, events: Int16(POLLIN), revents: 0))
    polled += watched.map { pollfd(fd: open[$0], events: Int16(POLLPRI), revents: 0) }
    guard poll(&polled, nfds_t(polled.count), isSearching ? Self.searchInterval : -1) > 0 else { return [] }
    var changed: [String] = []
    if polled[1].revents != 0 { changed += concerned(by: events.take()) }
    for (index, answer) in zip(watched, polled.dropFirst(2)) where answer.revents != 0 {
      changed.append(sources[index].id)
      // Before the report: a change that comes during a read is reported again.
      guard !arm(open[index]) else { continue }
      close(open[index])
      open[index] = -1
    }
    return changed
  }

  /// - Parameter events: nil: some were lost.
  private func concerned(by events: [DeviceEvent]?) -> [String] {
    sources.filter { _, source in
      guard let events else { return source.hasEvents }
      return events.contains { source.isConcerned(by: $0) }
    }.map(\.id)
  }
}
