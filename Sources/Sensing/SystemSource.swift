/// Reads a value of the system as a whole from /proc.
struct SystemSource: SensorSource {
  let value: SystemValue
  let root: FileRoot

  var bus: Bus { Bus("system") }

  func read() throws(SensorError) -> Measurement {
    switch value {
    case .load1: try Measurement(value: word(0, of: "/proc/loadavg", name: "load1"))
    case .load5: try Measurement(value: word(1, of: "/proc/loadavg", name: "load5"))
    case .load15: try Measurement(value: word(2, of: "/proc/loadavg", name: "load15"))
    case .uptime: try Measurement(value: word(0, of: "/proc/uptime", name: "uptime"), unit: "s")
    case .memoryAvailable: try Measurement(value: .integer(memory("MemAvailable")), unit: "B")
    }
  }

  /// One of the numbers on the one line of proc_loadavg(5) and proc_uptime(5).
  private func word(_ index: Int, of path: String, name: String) throws(SensorError) -> Value {
    let words = try text(of: path).split(separator: " ")
    guard words.indices.contains(index) else { throw .missingField(name, path: path) }
    return try parsed(words[index], path: path)
  }

  /// A field of proc_meminfo(5) in bytes: `MemAvailable:    3419980 kB`, where the kernel's kB is 1024 bytes.
  private func memory(_ field: String) throws(SensorError) -> Int64 {
    let path = "/proc/meminfo"
    let line = try text(of: path).split(separator: "\n").first { $0.hasPrefix(field + ":") }
    guard let word = line?.split(separator: " ").dropFirst().first else { throw .missingField(field, path: path) }
    guard case .integer(let kilobytes) = try parsed(word, path: path) else {
      throw .notOneNumber(path: path, content: String(word), flaw: .notAnInteger)
    }
    let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1024)
    guard !overflow else { throw .notOneNumber(path: path, content: String(word), flaw: .tooLarge) }
    return bytes
  }

  private func text(of path: String) throws(SensorError) -> String {
    try reading { () throws(ReadError) in try root.text(of: path) }
  }

  private func parsed(_ word: Substring, path: String) throws(SensorError) -> Value {
    do {
      return try number(in: word)
    } catch {
      throw .notOneNumber(path: path, content: String(word), flaw: error)
    }
  }
}
