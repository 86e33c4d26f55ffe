import Core
internal import Glibc
import LimpetInstants
import LimpetPlatform
import Sensing
import Status
import Storage

/// What neither the core nor a file says.
extension Shell {
  var facts: Facts {
    var facts = surroundings.facts()
    facts.serverAddress = carrier.route?.address
    facts.residentBytes = Self.residentBytes
    if let reads = reader?.status {
      facts.reads.hanging = reads.hanging.count
      facts.reads.waiting = reads.waiting
      facts.reads.timeouts = reads.timeouts
      facts.reads.refused = reads.refusals
    }
    if let counters = surroundings.store?.lastCounters {
      facts.store.writes = counters.transactions
      facts.store.bytes = counters.bytes
    }
    return facts
  }

  package var report: StatusReport { core.report(facts, at: moment()) }

  /// proc_pid_statm(5): the second number, in pages.
  private static var residentBytes: Int {
    guard let text = try? FileRoot().text(of: "/proc/self/statm") else { return 0 }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0
    return Int(clamping: pages * Int64(sysconf(CInt(_SC_PAGESIZE))))
  }
}
