import Foundation
import TestScene
import Testing

/// What an output was told to be.
struct OutputState: Decodable, Sendable {
  let value: Bool?
  let cause: String?
  let seq: UInt64
  let quality: String?
  let error: String?

  init(json: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(json.utf8)) }

  /// false stop
  var words: String { value.map { "\($0) \(cause ?? "without a cause")" } ?? "null" }
}

/// CLOCK_BOOTTIME in seconds, as in a trace.
func bootTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_BOOTTIME, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

extension Workbench {
  /// What was told of an output, in its order; what was cleared is left out.
  func states(_ name: String) throws -> [OutputState] {
    try records(name).filter { !$0.payload.isEmpty }.map { try OutputState(json: $0.payload) }
  }

  /// Waits until an output was told to be so last: "true command".
  func state(
    _ name: String, _ words: String, within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    do {
      try await until("\(name) is told as \(words)", within: limit, sourceLocation: sourceLocation) {
        try states(name).last?.words == words
      }
    } catch {
      Issue.record("told: \(try states(name).map(\.words))", sourceLocation: sourceLocation)
      throw error
    }
  }

  /// What the broker keeps for who comes now; nil: nothing.
  func kept(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> String? {
    // The marker comes after what is kept.
    let child = try await scene.run(
      "kept-\(scene.nextCommand())",
      [
        "mosquitto_sub", "-h", "127.0.0.1", "-p", "\(broker.port)", "-t", "limpet/board/\(name)", "-t",
        "limpet/board/status", "-F", "%t %p", "--retained-only", "-W", "2",
      ], sourceLocation: sourceLocation)
    let topic = "limpet/board/\(name) "
    return child.outputLines.first { $0.hasPrefix(topic) }.map { String($0.dropFirst(topic.count)) }
  }

  /// Commands an output over the broker, and gives the answer; nil: there was none.
  func command(
    _ name: String, _ payload: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> CommandReply? {
    let number = scene.nextCommand()
    let child = try await scene.run(
      "command-\(number)",
      [
        "mosquitto_rr", "-h", "127.0.0.1", "-p", "\(broker.port)", "-V", "5", "-q", "1", "-W", "5", "-t",
        "limpet/board/\(name)/set", "-e", "answers/\(mark)/\(number)", "-m", payload,
      ], sourceLocation: sourceLocation)
    return try child.outputLines.last.map {
      try JSONDecoder().decode(CommandReply.self, from: Data($0.utf8))
    }
  }

  struct CommandReply: Decodable, Sendable {
    let ok: Bool
    let value: Bool?
    let error: String?
    let pending: String?
  }

  /// Commands an output until it is obeyed.
  func obeyed(
    _ name: String, _ payload: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    var refusal: String?
    do {
      try await until("\(name) obeys \(payload)", within: .seconds(20), sourceLocation: sourceLocation) {
        let reply = try await command(name, payload, sourceLocation: sourceLocation)
        refusal = reply?.error ?? refusal
        return reply?.ok == true
      }
    } catch {
      Issue.record("\(refusal ?? "no answer")", sourceLocation: sourceLocation)
      throw error
    }
  }
}
