import Glibc
import Synchronization
import Time

/// What the 1-Wire thermometers of one program share: conversions of a whole bus at once, where its master offers them
/// (`therm_bulk_read`, which only root may write) and more than one of its sensors is read. Ten sensors then take the
/// 750 ms of one.
///
/// A sensor that has not been read since the last conversion gives the value of that one, however old, so each read
/// either belongs to a conversion that has just ended or begins another.
public final class W1Conversions: Sendable {
  /// For so long after its end a conversion is of now.
  private static let validity = Duration.seconds(1)
  /// A conversion of 12 bits takes 750 ms; one that has not ended after this has failed.
  private static let limit = Duration.seconds(2)

  private struct Master {
    var sensors: Set<String> = []
    /// Those that have not taken the value of the last conversion.
    var unread: Set<String> = []
    var ended: BootClock.Instant?
    /// The kernel lets nobody, or not us, write the attribute.
    var isRefused = false
  }

  private let masters = Mutex<[String: Master]>([:])

  public init() {}

  /// Sees to it that the next read of a sensor's `temperature` gives a value of now. What fails here shows there.
  ///
  /// - Parameter folder: the sensor's, below its master.
  func prepare(_ id: String, below folder: String, in root: FileRoot) {
    guard let path = try? root.resolve(folder), let end = path.lastIndex(of: "/") else { return }
    let master = String(path[..<end])
    let begins = masters.withLock { masters in
      var state = masters[master] ?? Master()
      state.sensors.insert(id)
      let isFresh = state.ended.map { $0 + Self.validity > .now } ?? false
      let isDone = state.unread.remove(id) != nil && isFresh
      masters[master] = state
      return !isDone && state.sensors.count > 1 && !state.isRefused
    }
    guard begins else { return }
    let isConverted = convert(master, root)
    masters.withLock { masters in
      guard var state = masters[master] else { return }
      state.isRefused = !isConverted
      state.unread = isConverted ? state.sensors.subtracting([id]) : []
      state.ended = isConverted ? .now : nil
      masters[master] = state
    }
  }

  /// Blocks until all sensors of a bus have converted.
  private func convert(_ master: String, _ root: FileRoot) -> Bool {
    let path = master + "/therm_bulk_read"
    guard (try? root.write("trigger\n", to: path)) != nil else { return false }
    let deadline = BootClock.now + Self.limit
    while (try? root.text(of: path)) == "-1" {
      guard BootClock.now < deadline else { return false }
      usleep(20_000)
    }
    return true
  }
}
