import Foundation
import Synchronization
import TestScene
import Testing

/// Hears what a broker publishes, through `mosquitto_sub`: on an emulated processor the storms of these tests would
/// drown a subscriber in Swift that is built for debugging.
final class Listener: Sendable {
  struct Record: Sendable {
    /// Seconds since 1970.
    let received: Double
    let payload: String
  }

  private struct Heard {
    var file: FileHandle?
    /// The line that is not whole yet.
    var rest = Data()
    var records: [String: [Record]] = [:]
    var readings: [String: [LineReading]] = [:]
    /// How many records have been looked at for readings.
    var read: [String: Int] = [:]
  }
  private let heard = Mutex(Heard())
  private let output: String

  /// Returns when it is subscribed.
  init(_ scene: Scene, _ broker: Mosquitto) async throws {
    let format = "%U %t %p"
    let child = try scene.spawn(
      "listener",
      ["mosquitto_sub", "-h", "127.0.0.1", "-p", "\(broker.port)", "-q", "1", "-t", "limpet/#", "-F", format])
    output = child.standardOutput
    try await until("the listener is subscribed") { broker.log.contains { $0.hasSuffix(" 1 limpet/#") } }
  }

  func records(of topic: String) throws -> [Record] {
    try heard.withLock { heard in
      try update(&heard)
      return heard.records[topic] ?? []
    }
  }

  /// How many there are; of a storm they are quicker to count than to read.
  func count(of topic: String) throws -> Int { try records(of: topic).count }

  /// Each is read once: a storm brings thousands, and a test that waits looks often.
  func readings(of topic: String) throws -> [LineReading] {
    try heard.withLock { heard in
      try update(&heard)
      let new = (heard.records[topic] ?? []).dropFirst(heard.read[topic] ?? 0)
      if !new.isEmpty {
        heard.read[topic, default: 0] += new.count
        // What clears a topic is no reading.
        heard.readings[topic, default: []] += try new.filter { !$0.payload.isEmpty }.map {
          try LineReading(json: $0.payload)
        }
      }
      return heard.readings[topic] ?? []
    }
  }

  private func update(_ heard: inout Heard) throws {
    let file = try heard.file ?? FileHandle(forReadingFrom: URL(fileURLWithPath: output))
    heard.file = file
    guard let data = try file.readToEnd(), !data.isEmpty else { return }
    var lines = (heard.rest + data).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    heard.rest = Data(lines.removeLast())
    for line in lines {
      let parts = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 2).map(String.init)
      try #require(parts.count >= 2, "\(String(decoding: line, as: UTF8.self))")
      let record = Record(received: try #require(Double(parts[0])), payload: parts.count > 2 ? parts[2] : "")
      heard.records[parts[1], default: []].append(record)
    }
  }
}
