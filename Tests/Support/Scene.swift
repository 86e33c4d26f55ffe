import Foundation
import Synchronization
import Testing

/// What one test stands on: a folder of its own and everything it started. Both end with the test, however it ends.
package final class Scene: Sendable {
  /// The scene of the test that runs.
  @TaskLocal static var current: Scene?

  package let folder: String

  private struct Contents {
    var children: [Child] = []
    var commands = 0
    var ends: [@Sendable () async -> Void] = []
    var logs: [(name: String, path: String)] = []
  }
  private let contents = Mutex(Contents())

  fileprivate init() throws {
    folder = FileManager.default.temporaryDirectory.path + "/limpet-test-" + UUID().uuidString.prefix(8)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  /// A file in the scene's folder; folders above it are created.
  @discardableResult
  package func write(_ text: String, to name: String) throws -> String {
    let path = folder + "/" + name
    try replaceFile(path, with: text)
    return path
  }

  /// Starts a program. Its output is appended to `<name>.out` and `<name>.err`, which a test that fails shows.
  package func spawn(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Child {
    let child = try Child(arguments, environment: environment, output: "\(folder)/\(name)")
    contents.withLock { contents in
      contents.children.append(child)
      for path in [child.standardOutput, child.standardError] where !contents.logs.contains(where: { $0.path == path })
      {
        contents.logs.append((name, path))
      }
    }
    return child
  }

  /// Runs a program to its end.
  @discardableResult
  package func run(
    _ name: String, _ arguments: [String], within limit: Duration = .seconds(20),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Child {
    let child = try spawn(name, arguments)
    try await child.end(within: limit, sourceLocation: sourceLocation)
    return child
  }

  /// A number that no other command of this scene has.
  package func nextCommand() -> Int {
    contents.withLock { contents in
      contents.commands += 1
      return contents.commands
    }
  }

  /// What has to be done when the test is over; the last comes first.
  package func atEnd(_ body: @escaping @Sendable () async -> Void) { contents.withLock { $0.ends.append(body) } }

  /// What the programs said so far, the end of it where it is long.
  package var logs: String {
    contents.withLock(\.logs).map { name, path in
      let lines = ((try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? [])
        .filter { !$0.contains("Saving in-memory database") }
      guard !lines.isEmpty else { return "" }
      let left = lines.count > 50 ? "… \(lines.count - 50) lines before\n" : ""
      return "--- \(name) (\(path.suffix(3)))\n" + left + lines.suffix(50).joined(separator: "\n") + "\n"
    }.joined()
  }

  fileprivate func end() async {
    for body in contents.withLock(\.ends).reversed() { await body() }
    for child in contents.withLock(\.children) { child.signal(SIGKILL) }
    for child in contents.withLock(\.children) { await child.reap() }
    try? FileManager.default.removeItem(atPath: folder)
  }
}

/// Thrown after an issue has been recorded: the test cannot go on.
package struct Abandoned: Error {
  package init() {}
}

/// Runs a test on a scene, a few at a time: what is measured here should not drown in the start of fifty programs.
package func withScene(_ body: (Scene) async throws -> Void) async throws {
  await Stage.shared.enter()
  let scene = try Scene()
  do {
    try await Scene.$current.withValue(scene) { try await body(scene) }
  } catch is Abandoned {
    // It has been recorded where it happened.
  } catch {
    if !(error is ExpectationFailedError) {
      Issue.record("\(error)\n\(scene.logs)")
    }
  }
  await scene.end()
  await Stage.shared.leave()
}

/// How many scenes there may be at once: LIMPET_SCENES, or 8.
private actor Stage {
  static let shared = Stage()
  private var free = Int(ProcessInfo.processInfo.environment["LIMPET_SCENES"] ?? "") ?? 8
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func enter() async {
    guard free == 0 else {
      free -= 1
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  func leave() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}

extension Trait where Self == IssueHandlingTrait {
  /// A test that fails shows what its programs said.
  package static var showsLogs: Self {
    .compactMapIssues { issue in
      // Once, though the suite and the test have this trait both.
      guard let scene = Scene.current, !issue.comments.contains(where: { $0.rawValue.hasPrefix("--- ") }) else {
        return issue
      }
      var issue = issue
      issue.comments.append("\(scene.logs)")
      return issue
    }
  }
}
