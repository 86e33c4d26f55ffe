import LimpetInstants
import LimpetPlatform
import Measuring

/// Reads several channels of one device one after the other, as one reading.
struct ChannelsSource: SensorSource {
  let members: [(name: String, source: any SensorSource)]

  /// Of one device, so of one bus.
  var bus: Bus { members.first?.source.bus ?? Bus("none") }

  var hasEvents: Bool { members.contains { $0.source.hasEvents } }

  func isConcerned(by event: DeviceEvent) -> Bool { members.contains { $0.source.isConcerned(by: event) } }

  func locate() { members.first?.source.locate() }

  /// A channel that fails leaves a hole and a reason; the read fails when all do.
  func read() throws(SensorError) -> Measurement {
    var values: [ChannelValue] = []
    var doubts: [Doubt] = []
    var failure: SensorError?
    var time = BootClock.now
    for (name, source) in members {
      do {
        let measurement = try source.read()
        time = measurement.time
        values.append(ChannelValue(name, measurement.value, unit: measurement.unit))
        if let doubt = measurement.doubt { doubts.append(Doubt(doubt.grade, "\(name): \(doubt.reason)")) }
      } catch {
        failure = failure ?? error
        values.append(ChannelValue(name, nil))
        doubts.append(Doubt(.bad, "\(name): \(error)"))
      }
    }
    if let failure, values.allSatisfy({ $0.value == nil }) { throw failure }
    return Measurement(value: .channels(values), doubt: Self.sum(of: doubts), time: time)
  }

  /// The worst grade with all reasons.
  private static func sum(of doubts: [Doubt]) -> Doubt? {
    let order = Doubt.Grade.allCases
    let worst = doubts.map(\.grade).max { order.firstIndex(of: $0) ?? 0 < order.firstIndex(of: $1) ?? 0 }
    return worst.map { Doubt($0, doubts.map(\.reason).joined(separator: "; ")) }
  }
}
