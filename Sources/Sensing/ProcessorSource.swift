import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring
import Synchronization

/// Reads how busy all processors together were since the last reading, in percent (proc_stat(5)).
final class ProcessorSource: SensorSource {
  /// Ticks since boot.
  private struct Counters {
    var busy: Int64 = 0
    var total: Int64 = 0
  }

  private struct State {
    var last = Counters()
    var percent = 0.0
  }

  private let root: FileRoot
  private let state = Mutex(State())

  init(root: FileRoot) {
    self.root = root
  }

  var bus: Bus { Bus("system") }

  func read() throws(SensorError) -> Measurement {
    let counters = try counters()
    let time = BootClock.now
    let percent = state.withLock { state in
      let total = counters.total - state.last.total
      // Between two ticks nothing new is known. A counter of waiting may go back a little.
      if total > 0 {
        let busy = min(max(0, counters.busy - state.last.busy), total)
        state.percent = (100 * Double(busy) / Double(total)).rounded(decimals: 2)
        state.last = counters
      }
      return state.percent
    }
    return Measurement(value: .number(percent), unit: "%", time: time)
  }

  /// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`, where guests are in user and nice already.
  private func counters() throws(SensorError) -> Counters {
    let path = "/proc/stat"
    let text = try reading { () throws(ReadError) in try root.text(of: path) }
    let line = text.split(separator: "\n").first { $0.hasPrefix("cpu ") }
    let ticks = line?.split(separator: " ").dropFirst().prefix(8).compactMap { Int64($0) } ?? []
    guard ticks.count >= 4, ticks.allSatisfy({ (0..<Int64.max / 16).contains($0) }) else {
      throw .missingField("cpu", path: path)
    }
    let total = ticks.reduce(0, +)
    let idle = ticks[3] + (ticks.count > 4 ? ticks[4] : 0)
    return Counters(busy: total - idle, total: total)
  }
}
