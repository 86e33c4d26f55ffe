import Foundation
import TestScene
import Testing

@Suite("limpet watch --http", .showsLogs, .timed)
struct WatchPageTests {
  private func watch(_ scene: Scene, _ arguments: String...) async throws -> Child {
    try await scene.run(
      "watch\(scene.nextCommand())",
      [Scene.program, "watch", "--url", "mqtt://127.0.0.1:1", "--http", "127.0.0.1:\(try freePort())"] + arguments)
  }

  @Test("a history that is something else is left alone, and what to do is said")
  func foreignHistory() async throws {
    try await withScene { scene in
      let text = String(repeating: "no database\n", count: 100)
      let path = try scene.write(text, to: "nd.db")
      let child = try await watch(scene, "--history", path)
      #expect(child.ending == .exited(1))
      let said = child.errorLines.joined()
      #expect(said.contains("--history") && said.contains(path) && said.contains("ove the file away"), "\(said)")
      #expect(said.contains("cannot open the history in "), "\(said)")
      #expect(!said.contains("keeps it aside") && !said.contains("begins a new one"), "\(said)")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
      let nowhere = try await watch(scene, "--history", scene.folder + "/none/history.db")
      #expect(nowhere.ending == .exited(1))
      #expect(nowhere.errorLines.joined().contains("another file"), "\(nowhere.errorLines)")
    }
  }
}
