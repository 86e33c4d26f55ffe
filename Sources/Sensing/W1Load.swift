import LimpetPlatform
import Measuring

/// How busy the configured sensors keep a 1-Wire bus: it reads one at a time, and each takes as long as it converts.
public struct W1Load: Sendable, Equatable {
  /// Of the master, `w1_bus_master1`; nil: sensors that are at none now.
  public let master: String?
  public let sensors: Int
  /// How long one round over all of them takes.
  public let round: Duration
  /// How much of the time the bus would be busy: above 1, rounds are skipped.
  public let share: Double

  /// At 12 bits, the most that there are.
  private static let conversion = Duration.milliseconds(750)

  /// - Parameter sensors: ids of thermometers, and how often they are read.
  public static func all(_ sensors: [(id: String, interval: Duration)], in root: FileRoot) -> [W1Load] {
    let byMaster = Dictionary(grouping: sensors) { sensor -> String? in
      let path = try? root.resolve("\(W1Source.devicesFolder)/\(sensor.id)")
      return path?.split(separator: "/").dropLast().last.map(String.init)
    }
    return byMaster.sorted { $0.key ?? "" < $1.key ?? "" }.map { master, sensors in
      let times = sensors.map { (time: time(of: $0.id, root), interval: $0.interval) }
      return W1Load(
        master: master, sensors: sensors.count, round: times.reduce(.zero) { $0 + $1.time },
        share: times.reduce(0) { $0 + $1.time / $1.interval })
    }
  }

  /// Kernels from 5.10 on say how long a conversion takes, in milliseconds.
  private static func time(of id: String, _ root: FileRoot) -> Duration {
    guard let time = try? root.integer(of: "\(W1Source.devicesFolder)/\(id)/conv_time"), (1...10_000).contains(time)
    else {
      return conversion
    }
    return .milliseconds(time)
  }
}
