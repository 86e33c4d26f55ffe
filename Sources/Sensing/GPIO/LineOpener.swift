import Glibc
import LimpetPlatform
import Measuring
import Synchronization

/// Requests the lines of chips behind a bus, and releases them: each of that is a transfer, which takes its time, and does
/// not return from a bus that is stuck. The thread that waits for edges cannot wait for it.
///
/// A chip has a thread of its own while there is something to do, which is done in the order in which it was asked for.
final class LineOpener: Sendable {
  /// A line that was requested, or could not be.
  // Unchecked: the opener let go of it.
  struct Opened: @unchecked Sendable {
    let index: Int
    let ticket: Int
    var line: WatchedLine
    var findings: [LineTrack.Finding] = []
    var outcome: Result<WatchedLine.Opening?, GPIOError>
  }

  // Unchecked: who asks has let go of it, or does nothing to it any more.
  private enum Task: @unchecked Sendable {
    case open(Int, ticket: Int, WatchedLine, WatchedLine.Places)
    case release(GPIORequest)
  }

  private struct Chip {
    var tasks: [Task] = []
    /// The lines that its thread requests now.
    var current: [(index: Int, place: GPIOPlace)] = []
    /// Since when it is at it, CLOCK_MONOTONIC in nanoseconds; nil: it has no thread.
    var busySince: Int64?
  }

  private struct State {
    /// By the paths of the chips.
    var chips: [String: Chip] = [:]
    var opened: [Opened] = []
  }

  private let root: FileRoot
  private let announce: @Sendable () -> Void
  private let state = Mutex(State())

  /// A chip that has not returned for so long hangs; in nanoseconds.
  private static let patience: Int64 = 3_000_000_000
  /// In microseconds.
  private static let settlePause: UInt32 = 200

  /// - Parameter announce: Called on a thread of the opener when there is something to take.
  init(root: FileRoot, announce: @escaping @Sendable () -> Void) {
    self.root = root
    self.announce = announce
  }

  // MARK: The watch's side

  /// - Parameter ticket: says which request of the line this is, when it comes back.
  func open(_ index: Int, ticket: Int, _ line: WatchedLine, at places: WatchedLine.Places) {
    add(.open(index, ticket: ticket, line, places), to: places.first.path)
  }

  func release(_ request: GPIORequest, of place: GPIOPlace) { add(.release(request), to: place.path) }

  func take() -> [Opened] {
    state.withLock { state in
      defer { state.opened = [] }
      return state.opened
    }
  }

  /// Lines of chips that do not return.
  ///
  /// - Parameter now: CLOCK_MONOTONIC, in nanoseconds.
  func unanswered(at now: Int64) -> [(index: Int, error: GPIOError)] {
    state.withLock { state in
      state.chips.values.flatMap { chip -> [(index: Int, error: GPIOError)] in
        guard let since = chip.busySince, now - since > Self.patience else { return [] }
        let waiting = chip.tasks.compactMap { task -> (index: Int, place: GPIOPlace)? in
          if case .open(let index, _, _, let places) = task { (index, places.first) } else { nil }
        }
        return (chip.current + waiting).map { ($0.index, .unanswered($0.place)) }
      }
    }
  }

  private func add(_ task: Task, to path: String) {
    let needsThread = state.withLock { state in
      state.chips[path, default: Chip()].tasks.append(task)
      guard state.chips[path]?.busySince == nil else { return false }
      state.chips[path]?.busySince = BootTime.monotonic()
      return true
    }
    guard needsThread else { return }
    let code = DetachedThread.start("limpet-gpio-bus") { self.run(path) }
    if code != 0 { refuse(path, errno: code) }
  }

  private func refuse(_ path: String, errno code: CInt) {
    state.withLock { state in
      let tasks = state.chips.removeValue(forKey: path)?.tasks ?? []
      for case .open(let index, let ticket, let line, _) in tasks {
        state.opened.append(
          Opened(index: index, ticket: ticket, line: line, outcome: .failure(.noResources(errno: code))))
      }
    }
    announce()
  }

  // MARK: The thread of a chip

  private func run(_ path: String) {
    while true {
      let tasks = state.withLock { state -> [Task] in
        let tasks = state.chips[path]?.tasks ?? []
        guard !tasks.isEmpty else {
          state.chips[path] = nil
          return []
        }
        state.chips[path]?.tasks = []
        state.chips[path]?.busySince = BootTime.monotonic()
        state.chips[path]?.current = tasks.compactMap { task in
          if case .open(let index, _, _, let places) = task { (index, places.first) } else { nil }
        }
        return tasks
      }
      guard !tasks.isEmpty else { return }
      let opened = carryOut(tasks)
      state.withLock { state in
        state.chips[path]?.current = []
        state.opened += opened
      }
      if !opened.isEmpty { announce() }
    }
  }

  /// All are requested before the first is watched: their levels rest together.
  private func carryOut(_ tasks: [Task]) -> [Opened] {
    var opened: [Opened] = []
    var settling: [(index: Int, ticket: Int, line: WatchedLine)] = []
    for task in tasks {
      switch task {
      case .release(let request): request.release()
      case .open(let index, let ticket, var line, let places):
        do throws(GPIOError) {
          try line.request(at: places, root: root)
          settling.append((index, ticket, line))
        } catch {
          opened.append(Opened(index: index, ticket: ticket, line: line, outcome: .failure(error)))
        }
      }
    }
    var restless = Array(settling.indices)
    while !restless.isEmpty {
      restless = restless.filter { settling[$0].line.isSettling() }
      if !restless.isEmpty { usleep(Self.settlePause) }
    }
    for (index, ticket, line) in settling {
      var line = line
      var findings: [LineTrack.Finding] = []
      let outcome: Result<WatchedLine.Opening?, GPIOError>
      do throws(GPIOError) {
        outcome = .success(try line.open(into: &findings))
      } catch { outcome = .failure(error) }
      opened.append(Opened(index: index, ticket: ticket, line: line, findings: findings, outcome: outcome))
    }
    return opened
  }
}
