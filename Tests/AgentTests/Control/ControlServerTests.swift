import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import Agent
@testable import Control
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Measuring

/// On a thread of its own, since it blocks.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}

@Suite("the control socket", .timed)
struct ControlServerTests {
  private let folder = FileManager.default.temporaryDirectory.path + "/limpet-control-" + UUID().uuidString.prefix(8)
  private var path: String { folder + "/limpet.sock" }
  private let logger = Logger(label: "control") { _ in SwiftLogNoOpLogHandler() }

  init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

  /// - Parameter trusts: whether a client may do everything.
  private func withServer(
    patience: Duration = .seconds(10), trusts: @escaping @Sendable (uid_t) -> Bool = { _ in true },
    answer: @escaping ControlServer.Answer = { _, _ in ControlReply.success { $0.add("number", UInt64(1)) } },
    _ body: (ControlServer) async throws -> Void
  ) async throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let server = ControlServer(
      eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger, patience: patience, trusts: trusts,
      answer: answer)
    await server.start(path)
    do { try await body(server) } catch {
      await server.stop()
      throw error
    }
    await server.stop()
    #expect(!FileManager.default.fileExists(atPath: path), "the socket is taken away")
  }

  @Test("an answer for each request, in order, also for those that came at once")
  func answers() async throws {
    let answer: ControlServer.Answer = { _, request in ControlReply.success { $0.add("request", "\(request)") } }
    try await withServer(answer: answer) { _ in
      let path = path
      let lines = try await onThread {
        let client = try RawClient(path)
        client.write("{\"command\":\"status\"}\n{\"command\":\"log-level\"}\nnonsense\n{\"command\":\"abort\"}\n")
        return (0..<4).map { _ in client.line() }
      }
      #expect(lines[0]?.contains("status") == true)
      #expect(lines[1]?.contains("logLevel") == true)
      #expect(lines[2]?.hasPrefix(#"{"ok":false,"error":"the line is not a JSON object"#) == true)
      #expect(lines[3]?.contains("abort") == true)
    }
  }

  @Test("who closes its side after a request gets the answer")
  func halfClosed() async throws {
    try await withServer { _ in
      let path = path
      let lines = try await onThread {
        let client = try RawClient(path)
        client.write("{\"command\":\"status\"}\n")
        client.finish()
        return [client.line(), client.line()]
      }
      #expect(lines == [#"{"ok":true,"number":1}"#, nil])
    }
  }

  @Test("a stranger may look, and nothing else")
  func rights() async throws {
    let trusted: @Sendable (uid_t) -> Bool = { _ in false }
    try await withServer(trusts: trusted) { server in
      let path = path
      let lines = try await onThread {
        let client = try RawClient(path)
        client.write("{\"command\":\"status\"}\n{\"command\":\"reload\"}\n{\"command\":\"abort\"}\n")
        return (0..<3).map { _ in client.line() }
      }
      #expect(lines[0] == #"{"ok":true,"number":1}"#)
      for line in lines[1...] { #expect(line?.contains("only root") == true) }
      #expect(await server.counts.refusals == 2)
    }
  }

  @Test("a line that is too long is refused and its sender cut off")
  func longLine() async throws {
    try await withServer { _ in
      let path = path
      let lines = try await onThread {
        let client = try RawClient(path)
        client.write(String(repeating: "x", count: 5000))
        return [client.line(), client.line()]
      }
      #expect(lines[0]?.contains("longer than 4096 bytes") == true)
      #expect(lines[1] == nil)
    }
  }

  @Test("strangers cannot take every place: who is trusted still gets one")
  func places() async throws {
    let trusts = Mutex(false)
    let trusted: @Sendable (uid_t) -> Bool = { _ in trusts.withLock { $0 } }
    // Who says nothing stays, however long the test takes.
    try await withServer(patience: .seconds(3600), trusts: trusted) { server in
      let path = path
      let strangers = try await onThread { try (0..<ControlServer.strangerLimit).map { _ in try RawClient(path) } }
      try await until("every place is taken") { await server.counts.connections == ControlServer.strangerLimit }
      let refused = try await onThread { try RawClient(path).line() }
      #expect(refused?.contains("too many connections") == true)
      trusts.withLock { $0 = true }
      let answer = try await onThread {
        let client = try RawClient(path)
        client.write("{\"command\":\"abort\"}\n")
        return client.line()
      }
      #expect(answer == #"{"ok":true,"number":1}"#)
      withExtendedLifetime(strangers) {}
    }
  }

  @Test("who says nothing, never ends its line, or does not read is cut off; others are answered meanwhile")
  func stalls() async throws {
    let long = String(repeating: "x", count: 4_000_000)
    let answer: ControlServer.Answer = { _, request in
      ControlReply.success { $0.add("text", request == .abort ? long : "short") }
    }
    try await withServer(patience: .seconds(3), answer: answer) { server in
      let path = path
      let results = try await onThread {
        let silent = try RawClient(path)
        let slow = try RawClient(path)
        let deaf = try RawClient(path)
        deaf.write("{\"command\":\"abort\"}\n")
        let healthy = try RawClient(path)
        var answers: [String?] = []
        // As long as the others have patience for, and longer.
        for _ in 0..<200 {
          slow.write("{")
          healthy.write("{\"command\":\"status\"}\n")
          answers.append(healthy.line())
          usleep(20_000)
        }
        return (silent.line(), slow.line(), answers, deaf)
      }
      #expect(results.0 == nil)
      #expect(results.1 == nil)
      #expect(results.2 == Array(repeating: #"{"ok":true,"text":"short"}"#, count: 200))
      try await until("three were cut off") { await server.counts.stalls == 3 }
      #expect(await server.counts.connections <= 1)
    }
  }

  @Test("a flood of requests is carried out at a bounded rate, and does not hold up another client")
  func flood() async throws {
    try await withServer { server in
      let path = path
      let start = BootClock.now
      let (answered, other) = try await onThread {
        let floods = try (0..<4).map { _ in try RawClient(path) }
        for flood in floods { flood.write(String(repeating: "{\"command\":\"status\"}\n", count: 100)) }
        let client = try RawClient(path)
        let asked = BootClock.now
        client.write("{\"command\":\"status\"}\n")
        _ = client.line()
        let other = asked.duration(to: .now)
        return (floods.map { flood in (0..<100).map { _ in flood.line() }.count { $0 != nil } }, other)
      }
      #expect(answered == [100, 100, 100, 100])
      let all = start.duration(to: .now)
      #expect(all >= .milliseconds(5) * 400)
      // Behind the flood it would have taken as long as all of it.
      #expect(other < all * 0.75)
      #expect(await server.counts.requests == 401)
    }
  }

  @Test("a socket that a process left behind is replaced; one that is in use, or no socket at all, is left alone")
  func stale() async throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let left = try ControlSocket.bind(path)
    #expect(throws: ControlSocket.Failure.self) { try ControlSocket.bind(path) }
    close(left.descriptor)
    // A program that another test starts just now has it too, until its exec(2).
    let earlier = try await eventually("nobody listens there") { try? ControlSocket.bind(path) }
    unlink(path)
    let next = try ControlSocket.bind(path)
    earlier.remove()
    close(earlier.descriptor)
    #expect(FileManager.default.fileExists(atPath: path), "it is another's by now")
    next.remove()
    close(next.descriptor)
    #expect(!FileManager.default.fileExists(atPath: path))
    try Data("text".utf8).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: ControlSocket.Failure.self) { try ControlSocket.bind(path) }
    #expect(error.map { "\($0)" }?.contains("not a socket") == true)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "text")
  }
}
