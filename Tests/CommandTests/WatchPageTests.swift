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

  /// Connects to a socket, sends a request, and reads nothing of the answer.
  private func request(_ target: String, at path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard connected == 0 else { throw POSIXError(.ECONNREFUSED) }
    let bytes = Array("GET \(target) HTTP/1.1\r\nHost: fleet.example\r\n\r\n".utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else { throw POSIXError(.EPIPE) }
    return descriptor
  }

  private func answer(_ target: String, at path: String) throws -> String {
    let descriptor = try request(target, at: path)
    return String(decoding: try FileHandle(fileDescriptor: descriptor).readToEnd() ?? Data(), as: UTF8.self)
  }

  /// Bytes of a process that no other shares.
  private func privateBytes(_ child: Child) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(child.pid)/smaps_rollup", encoding: .utf8)
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("Private_") }
    return lines.compactMap { Int($0.split(separator: " ")[1]) }.reduce(0, +) * 1024
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

  @Test(
    "64 readers that take nothing cost little memory, whatever changes between them",
    .enabled(if: !Selection.isSanitized))
  func slowReaders() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let names = (0..<20_000).map { String(repeating: "x", count: 220) + "-\($0)" }
      let path = scene.folder + "/page.sock"
      let child = try scene.spawn(
        "watch",
        [
          Scene.program, "watch", "--url", broker.url(), "--http", "unix:" + path, "--http-host", "fleet.example",
          "--expect-file", try scene.write(names.joined(separator: "\n") + "\n", to: "expected"),
        ])
      try await until("it listens") { child.errorLines.contains { $0.contains(path) } }
      #expect(try answer("/metrics?devices=0", at: path).contains("{state=\"missing\"} 20000\n"))
      let before = try privateBytes(child)
      var readers: [Int32] = []
      defer { for reader in readers { close(reader) } }
      for number in 0..<64 {
        try await scene.run(
          "publish\(number)",
          [
            "mosquitto_pub", "-h", "127.0.0.1", "-p", "\(broker.port)", "-t", "limpet/board/status", "-m",
            number % 2 == 0 ? "online" : "offline",
          ])
        readers.append(try request("/devices", at: path))
      }
      // Of each reader's answer there are 4.8 MB and more.
      var most = 0
      for reader in readers {
        var first = [UInt8](repeating: 0, count: 12)
        try await until("an answer begins", within: .seconds(60)) {
          recv(reader, &first, first.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 12
        }
        most = max(most, try privateBytes(child))
      }
      #expect(most - before < 64_000_000, "\((most - before) / 1_000_000) MB")
    }
  }
}
