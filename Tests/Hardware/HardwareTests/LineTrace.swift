import Foundation
import Glibc
import Synchronization
import Testing

/// Every change of the lines of one chip, as the kernel's own tracepoints record it (events/gpio of tracefs): what
/// `value` of gpio-sim cannot show, since it is a level.
///
/// An instance of its own, so tests that go on beside each other have buffers of their own.
final class LineTrace: Sendable {
  enum Change: Equatable, CustomStringConvertible {
    /// The level was written.
    case set(Bool)
    /// From then on the line is an output, or an input.
    case output, input

    var description: String {
      switch self {
      case .set(let isHigh): isHigh ? "high" : "low"
      case .output: "output"
      case .input: "input"
      }
    }
  }

  private let folder: String
  private let base: Int
  private let seen = Mutex<[Int: Int]>([:])

  init(_ chip: SimulatedChip) throws {
    folder = "/sys/kernel/tracing/instances/limpet-\(UUID().uuidString.prefix(8))"
    base = try Self.base(ofChip: chip.label)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try SimulatedChip.write("boot", to: folder + "/trace_clock")
    // Every level that is driven is read back: half of what there is to read, and of no use here.
    for (event, isWanted) in [("gpio_value", " && get == 0"), ("gpio_direction", "")] {
      let filter = "gpio >= \(base) && gpio < \(base + 64)" + isWanted
      try SimulatedChip.write(filter, to: "\(folder)/events/gpio/\(event)/filter")
      try SimulatedChip.write("1", to: "\(folder)/events/gpio/\(event)/enable")
    }
  }

  deinit { rmdir(folder) }

  /// The number of its first line among all of the kernel's.
  private static func base(ofChip label: String) throws -> Int {
    let folder = "/sys/class/gpio"
    let name = try FileManager.default.contentsOfDirectory(atPath: folder).first {
      (try? SimulatedChip.read("\(folder)/\($0)/label")) == label
    }
    return try #require(name.flatMap { Int($0.dropFirst("gpiochip".count)) }, "no chip \(label)")
  }

  /// What happened to a line since the last call, reading left out.
  func changes(of offset: Int) throws -> [Change] { try changes(of: offset..<offset + 1)[0] }

  func changes(of offsets: Range<Int>) throws -> [[Change]] {
    let records = try text.split(separator: "\n").compactMap(record)
    return seen.withLock { seen in
      offsets.map { offset in
        let all = records.filter { $0.line == base + offset }.map(\.change)
        defer { seen[offset] = all.count }
        return Array(all.dropFirst(seen[offset] ?? 0))
      }
    }
  }

  /// A level that was written, and when: CLOCK_BOOTTIME in seconds.
  struct Level: Equatable {
    let isHigh: Bool
    let time: Double
  }

  /// The levels that a line had one after the other, from the beginning: what was written again is one.
  func levels(of offset: Int) throws -> [Level] {
    try text.split(separator: "\n").compactMap(record).reduce(into: []) { levels, record in
      guard record.line == base + offset, case .set(let isHigh) = record.change, levels.last?.isHigh != isHigh else {
        return
      }
      levels.append(Level(isHigh: isHigh, time: record.time))
    }
  }

  private var text: String { get throws { try Self.text(of: folder + "/trace") } }

  /// Until there is no more: what a read gives of this file ends somewhere, and not where it ends.
  static func text(of path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var (content, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
    while case let count = Glibc.read(descriptor, &buffer, buffer.count), count > 0 { content += buffer[..<count] }
    return String(decoding: content, as: UTF8.self)
  }

  private func record(_ text: Substring) -> (line: Int, change: Change, time: Double)? {
    // … 12.345678: gpio_value: 508 set 1       … 12.345679: gpio_direction: 508 out (0)
    let words = text.split(separator: " ").map(String.init)
    guard let event = words.firstIndex(where: { $0.hasPrefix("gpio_") }), event > 0, words.count > event + 2,
      let line = Int(words[event + 1]), let time = Double(words[event - 1].dropLast())
    else { return nil }
    switch (words[event], words[event + 2]) {
    case ("gpio_value:", "set"): return (line, .set(words.last == "1"), time)
    case ("gpio_direction:", "out"): return (line, .output, time)
    case ("gpio_direction:", "in"): return (line, .input, time)
    default: return nil
    }
  }
}
