import Foundation
import Synchronization
import Testing

/// A program that a test started.
package final class Child: Sendable {
  package enum Ending: Sendable, Equatable {
    case exited(Int32)
    case killed(by: Int32)
  }

  package let pid: pid_t
  /// Files.
  package let standardOutput: String
  package let standardError: String
  private let ended = Mutex<Ending?>(nil)

  /// - Parameter output: where its output goes, without `.out` and `.err`.
  package init(_ arguments: [String], environment: [String: String], output: String) throws {
    standardOutput = output + ".out"
    standardError = output + ".err"
    var variables = ProcessInfo.processInfo.environment
    for name in ["CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY", "JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC"] {
      variables[name] = nil
    }
    variables.merge(environment) { $1 }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, standardOutput, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, standardError, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    // Sockets of other tests, which it would hold open: their peers would never see them close.
    for descriptor in 3..<Int32(512) { posix_spawn_file_actions_addclose(&actions, descriptor) }

    // The threads of tests block signals, which a program would inherit.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    let words = arguments.map { strdup($0) } + [nil]
    let environment = variables.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in words + environment { free(text) } }
    var pid = pid_t()
    let failure = posix_spawnp(&pid, arguments[0], &actions, &attributes, words, environment)
    guard failure == 0 else { throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .EINVAL) }
    self.pid = pid
  }

  /// How it ended; nil while it runs.
  package var ending: Ending? {
    ended.withLock { ended in
      guard ended == nil else { return ended }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      ended = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(by: status & 0x7F)
      return ended
    }
  }

  /// Nothing happens when it has ended.
  package func signal(_ number: Int32) {
    guard ending == nil else { return }
    Foundation.kill(pid, number)
  }

  @discardableResult
  package func end(
    within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Ending {
    try await eventually("the program ends", within: limit, sourceLocation: sourceLocation) { ending }
  }

  /// Waits for the end of a program that was killed.
  package func reap() async {
    while ending == nil { try? await pause(for: .milliseconds(2)) }
  }

  /// The whole lines it wrote.
  package var outputLines: [String] { Self.lines(of: standardOutput) }
  package var errorLines: [String] { Self.lines(of: standardError) }

  private static func lines(of path: String) -> [String] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }
}

/// A TCP port of 127.0.0.1 where nobody listens, out of the range that the kernel gives to outgoing connections: it can
/// be left and taken again.
package func freePort() throws -> Int {
  for _ in 0..<1000 {
    let port = Int.random(in: 20_000..<32_000)
    guard handedOut.withLock({ $0.insert(port).inserted }) else { continue }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if bound == 0 { return port }
  }
  throw POSIXError(.EADDRINUSE)
}

private let handedOut = Mutex<Set<Int>>([])
