import Measuring
import Synchronization

/// Where something with a stable name was found last.
///
/// The kernel numbers its devices anew after a reload or a replug: what was hwmon2 is hwmon3, and hwmon2 is another chip.
/// So a read checks that the name still fits, and where the place is gone it is searched again, within the same read.
final class StableName<Place: Sendable>: Sendable {
  private let known = Mutex<Place?>(nil)

  func read<R>(
    search: () throws(SensorError) -> Place, at read: (Place) throws(SensorError) -> R
  ) throws(SensorError) -> R {
    if let place = known.withLock({ $0 }) {
      do {
        return try read(place)
      } catch {
        guard error.meansGone else { throw error }
        known.withLock { $0 = nil }
      }
    }
    let place = try search()
    known.withLock { $0 = place }
    return try read(place)
  }
}
