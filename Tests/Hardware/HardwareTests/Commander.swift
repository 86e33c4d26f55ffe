import Foundation
import TestScene
import Testing

/// `commands`: a publisher whose session the broker keeps, and what it was answered.
final class Commander {
  struct Answer {
    let id: Int
    /// CLOCK_BOOTTIME in seconds.
    let time: Double
    let isDone: Bool
    let value: Bool?
    let error: String?
  }

  private let child: Child
  private var file: FileHandle?
  private var rest = Data()
  /// When each command was sent; the first has the id 1.
  private(set) var sent: [Double] = []
  private(set) var answers: [Answer] = []

  /// It is ready, and pauses. Order holds within one QoS only ([MQTT-4.6.0-5]), so it has one.
  ///
  /// - Parameter interval: in milliseconds.
  init(_ bench: Workbench, output name: String, every interval: Int, qos: Int) async throws {
    let child = try bench.scene.spawn(
      "commander",
      [
        Rig.program("commands"), "\(bench.broker.port)", "limpet/board/\(name)/set", "answers/\(bench.mark)",
        "\(interval)", "\(qos)",
      ])
    self.child = child
    try await until("the commander is ready") { child.outputLines.contains("ready") }
  }

  func goOn() { child.signal(SIGUSR2) }
  func pause() { child.signal(SIGUSR1) }

  /// Reads what it has written since.
  func update() throws {
    let file = try file ?? FileHandle(forReadingFrom: URL(fileURLWithPath: child.standardOutput))
    self.file = file
    guard let data = try file.readToEnd(), !data.isEmpty else { return }
    var lines = (rest + data).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    rest = Data(lines.removeLast())
    for line in lines {
      let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 3).map(String.init)
      guard words.count >= 3, let id = Int(words[1]), let nanoseconds = Double(words[2]) else { continue }
      if words[0] == "sent" {
        try #require(id == sent.count + 1)
        sent.append(nanoseconds / 1e9)
      } else {
        let payload = try #require(words.count > 3 ? words[3] : nil)
        let reply = try JSONDecoder().decode(Workbench.CommandReply.self, from: Data(payload.utf8))
        answers.append(
          Answer(id: id, time: nanoseconds / 1e9, isDone: reply.ok, value: reply.value, error: reply.error))
      }
    }
  }
}
