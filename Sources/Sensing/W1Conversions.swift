import Glibc
import LimpetInstants
import LimpetPlatform
import Synchronization

/// What the 1-Wire thermometers of one program share: the master of each, and conversions of a whole bus
/// at once, where its master offers them (`therm_bulk_read`, which only root may write) and more than one of its sensors
/// is read. Ten sensors then take the 750 ms of one.
///
/// A sensor that has not been read since the last conversion gives the value of that one, however old, so each read
/// either belongs to a conversion that has just ended or begins another.
public final class W1Conversions: Sendable {
  /// How long after its end the values of a conversion count as current.
  private static let validity = Duration.seconds(1)
  /// A conversion of 12 bits takes 750 ms; one that has not ended after this has failed.
  private static let limit = Duration.seconds(2)
  /// How long a master whose conversion did not end gets no other one: each sensor converts by itself meanwhile.
  private static let rest = Duration.seconds(60)

  private struct Master {
    var sensors: Set<String> = []
    /// Those that have not taken the value of the last conversion.
    var unread: Set<String> = []
    var ended: BootClock.Instant?
    /// No conversion of the whole bus begins before this.
    var restsUntil: BootClock.Instant?
  }

  private struct State {
    /// By their folders.
    var masters: [String: Master] = [:]
    /// The sensors that are read, each with the folder of the master it was last seen at; nil: at none so far.
    var places: [String: String?] = [:]
  }

  private let state = Mutex(State())

  public init() {}

  /// Forgets all sensors but these.
  public func keep(only ids: some Sequence<String>) {
    let kept = Set(ids)
    state.withLock { state in
      state.places = state.places.filter { kept.contains($0.key) }
      for master in state.masters.keys { state.masters[master]?.sensors.formIntersection(kept) }
      state.masters = state.masters.filter { !$0.value.sensors.isEmpty }
    }
  }

  /// A sensor is going to be read.
  package func expect(_ id: String) {
    state.withLock { if $0.places[id] == nil { $0.places[id] = .some(nil) } }
  }

  /// The name of the master at which a sensor was seen last, for example `w1_bus_master1`; nil: at none so far.
  func master(of id: String) -> String? {
    let folder = state.withLock { $0.places[id] ?? nil }
    return folder.map { String($0[($0.lastIndex(of: "/").map($0.index(after:)) ?? $0.startIndex)...]) }
  }

  /// Finds the masters of the sensors that have none yet.
  func locate(in root: FileRoot) {
    for id in state.withLock({ state in state.places.filter { $0.value == nil }.map(\.key) }) { locate(id, in: root) }
  }

  /// Finds the master of a sensor, which may be another by now; nil: it is at none.
  @discardableResult
  private func locate(_ id: String, in root: FileRoot) -> String? {
    guard let folder = Self.masterFolder(of: id, in: root) else { return nil }
    state.withLock { $0.places[id] = folder }
    return folder
  }

  /// Finds the master of a sensor that converts by itself, and those of the others.
  func find(_ id: String, in root: FileRoot) {
    locate(in: root)
    locate(id, in: root)
  }

  /// A sensor's folder is in its master's.
  private static func masterFolder(of id: String, in root: FileRoot) -> String? {
    guard let path = try? root.resolve("\(W1Source.devicesFolder)/\(id)") else { return nil }
    return path.lastIndex(of: "/").map { String(path[..<$0]) }
  }

  /// Makes sure that the next read of a sensor's `temperature` gives a current value. Failures show in that read.
  package func prepare(_ id: String, in root: FileRoot) {
    // The others' too: if this read hangs, theirs need not wait for it.
    locate(in: root)
    guard let master = locate(id, in: root) else { return }
    let begins = state.withLock { all in
      var state = all.masters[master] ?? Master()
      state.sensors.insert(id)
      let isFresh = state.ended.map { $0 + Self.validity > .now } ?? false
      let isDone = state.unread.remove(id) != nil && isFresh
      all.masters[master] = state
      return !isDone && state.sensors.count > 1 && state.restsUntil ?? .now <= .now
    }
    guard begins else { return }
    let outcome = convert(master, root)
    let isConverted = outcome == .done
    state.withLock { all in
      guard var state = all.masters[master] else { return }
      state.restsUntil = outcome == .late ? .now + Self.rest : nil
      state.unread = isConverted ? state.sensors.subtracting([id]) : []
      state.ended = isConverted ? .now : nil
      all.masters[master] = state
    }
  }

  private enum Conversion {
    case done
    /// The attribute is missing, or this process may not write it: trying costs nothing, so it is tried each time.
    case refused
    case late
  }

  /// Blocks until all sensors of a bus have converted.
  private func convert(_ master: String, _ root: FileRoot) -> Conversion {
    let path = master + "/therm_bulk_read"
    guard (try? root.write("trigger\n", to: path)) != nil else { return .refused }
    let deadline = BootClock.now + Self.limit
    while (try? root.text(of: path)) == "-1" {
      guard BootClock.now < deadline else { return .late }
      usleep(20_000)
    }
    return .done
  }
}
