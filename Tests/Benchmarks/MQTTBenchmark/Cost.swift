import Glibc

/// What something has cost from one moment to another.
struct Cost: CustomStringConvertible {
  private let begun = ContinuousClock.now
  private let begunProcessor = Self.processorSeconds
  private var elapsed = Duration.zero
  private var processor = 0.0
  /// For each message; nil: nobody counts.
  private var allocations: Double?
  private var allocationsBefore: Int?

  /// From now on allocations count.
  mutating func warmedUp() { allocationsBefore = Self.allocationCount }

  mutating func end(messages: Int) {
    elapsed = begun.duration(to: .now)
    processor = Self.processorSeconds - begunProcessor
    if let allocationsBefore, let count = Self.allocationCount {
      allocations = Double(count - allocationsBefore) / Double(messages)
    }
  }

  var description: String {
    "\(elapsed / .seconds(1)) \(Self.residentKilobytes) \(processor)" + (allocations.map { " \($0)" } ?? "")
  }

  /// The most that was ever resident.
  static var residentKilobytes: Int { ofProcess.ru_maxrss }

  private static var processorSeconds: Double {
    let usage = ofProcess
    return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1_000_000 }
  }

  private static var ofProcess: rusage {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage
  }

  /// What `allocations.c` has counted, where it is loaded.
  private static var allocationCount: Int? {
    guard let symbol = dlsym(nil, "limpet_allocations") else { return nil }
    return unsafeBitCast(symbol, to: (@convention(c) () -> Int).self)()
  }

  /// Bytes that are this process's alone (proc_pid_smaps(5)).
  static var privateBytes: Int {
    guard let file = fopen("/proc/self/smaps_rollup", "r") else { return 0 }
    defer { fclose(file) }
    var kilobytes = 0
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, CInt(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let words = text.split(separator: " ")
      if words.count > 1, words[0] == "Private_Clean:" || words[0] == "Private_Dirty:" {
        kilobytes += Int(words[1]) ?? 0
      }
    }
    return kilobytes * 1024
  }
}
