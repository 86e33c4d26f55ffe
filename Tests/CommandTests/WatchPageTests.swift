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

  @Test(
    "the password is the first line of its file: one that is empty is refused, and one that others may read is said")
  func passwordFile() async throws {
    try await withScene { scene in
      for text in ["\nsecond\n", "", "\n"] {
        let child = try await watch(scene, "--http-password-file", try scene.write(text, to: "password"))
        #expect(child.ending == .exited(64), "\(text)")
        #expect(child.errorLines.joined().contains("first line"), "\(child.errorLines)")
      }
      let path = try scene.write("first\nsecond\n", to: "password")
      func start(_ mode: Int, _ name: String) throws -> Child {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return try scene.spawn(
          name,
          [
            Scene.program, "watch", "--url", "mqtt://127.0.0.1:1", "--http", "127.0.0.1:\(try freePort())",
            "--http-password-file", path,
          ])
      }
      let open = try start(0o644, "open")
      try await until("it warns") { open.errorLines.contains { $0.contains(path) && $0.contains("chmod o-r") } }
      let closed = try start(0o600, "closed")
      try await until("it listens") { closed.errorLines.contains { $0.contains("http://127.0.0.1") } }
      #expect(!closed.errorLines.contains { $0.contains("chmod") })
    }
  }

  @Test("a list of more devices than can be followed is refused, and no part of it is left out silently")
  func tooMany() async throws {
    try await withScene { scene in
      let names = (0...100_000).map { "board-\($0)\n" }.joined()
      let child = try await watch(scene, "--expect-file", try scene.write(names, to: "expected"))
      #expect(child.ending == .exited(64))
      #expect(child.errorLines.joined().contains("has 100001 devices"), "\(child.errorLines)")
      let huge = String(repeating: String(repeating: "x", count: 1023) + "\n", count: 33 << 10)
      let other = try await watch(scene, "--expect-file", try scene.write(huge, to: "huge"))
      #expect(other.ending == .exited(64))
      #expect(other.errorLines.joined().contains("is larger than 32 MB"), "\(other.errorLines)")
    }
  }
}
