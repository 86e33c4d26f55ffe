import Configuration
import LimpetPlatform
import Plan
import Sensing

extension Configuration {
  /// How each sensor is read, by name.
  ///
  /// - Parameter thermometers: the same for every plan of one agent, since a conversion is of all sensors of a bus, also
  ///   of those that were there before a reload.
  func jobs(in root: FileRoot, _ thermometers: W1Conversions) -> [String: ReadJob] {
    let jobs = sensors.map { sensor in
      let source = sensor.source.source(in: root, thermometers: thermometers)
      return (sensor.name, ReadJob(id: sensor.name, source: source, timeout: sensor.timeout))
    }
    thermometers.keep(only: sensors.compactMap(\.source.thermometer))
    return Dictionary(jobs) { first, _ in first }
  }
}

/// Finds out on which bus each sensor is, before one is read: a chip that hangs then takes one thread, and not one for
/// each chip of its adapter. Names only are looked at, on a thread of its own; what is not found, or not in time, has a
/// bus of its own.
extension Agent {
  func locate(_ jobs: [String: ReadJob]) async {
    let sources = jobs.values.map(\.source)
    guard !sources.isEmpty else { return }
    try? await blocking("limpet-locate", within: .seconds(3), on: eventLoop) {
      for source in sources { source.locate() }
    }
  }
}
