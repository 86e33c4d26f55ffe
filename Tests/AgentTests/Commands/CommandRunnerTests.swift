import Foundation
import Synchronization
import TestScene
import Testing

@testable import Fleet

@Suite("Commands that run on changes", .showsLogs, .timed)
struct CommandRunnerTests {
  private final class Complaints: Sendable {
    let texts = Mutex<[String]>([])
    var all: [String] { texts.withLock { $0 } }
    func add(_ text: String) { texts.withLock { $0.append(text) } }
  }

  private func lines(_ path: String) -> [String] {
    ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
  }

  @Test("one after the other for a device, in their order, and at once for several")
  func order() async throws {
    try await withScene { scene in
      let file = scene.folder + "/ran"
      let complaints = Complaints()
      let runner = CommandRunner(
        "echo >>\(file) $LIMPET_DEVICE $N; until [ -e \(scene.folder)/$LIMPET_DEVICE ]; do sleep 0.01; done",
        isQuiet: true
      ) { complaints.add($0) }
      for device in ["a", "b"] {
        for number in 1...3 {
          runner.run(
            CommandRunner.Job(device: device, variables: [("LIMPET_DEVICE", device), ("N", "\(number)")]))
        }
      }
      try await until("both have begun") { Set(lines(file)) == ["a 1", "b 1"] }
      try scene.write("", to: "b")
      try await until("b goes on without a") { lines(file).filter { $0.hasPrefix("b") } == ["b 1", "b 2", "b 3"] }
      #expect(lines(file).filter { $0.hasPrefix("a") } == ["a 1"])
      try scene.write("", to: "a")
      try await until("all of it has run") { runner.isIdle }
      #expect(lines(file).filter { $0.hasPrefix("a") } == ["a 1", "a 2", "a 3"])
      #expect(complaints.all.isEmpty)
    }
  }

  @Test("what a change says is text to the shell, whatever is in it")
  func quoting() async throws {
    try await withScene { scene in
      let file = scene.folder + "/ran"
      let text = "$(touch \(scene.folder)/evil) `id` '; echo \" \\ *"
      let runner = CommandRunner("printf '%s\\n' \"$TEXT\" > \(file)", isQuiet: true) { _ in }
      runner.run(CommandRunner.Job(device: "a", variables: [("TEXT", text)]))
      try await until("it has run") { runner.isIdle && !lines(file).isEmpty }
      #expect(lines(file) == [text])
      #expect(!FileManager.default.fileExists(atPath: scene.folder + "/evil"))
    }
  }

  @Test("a command that fails, dies or hangs is told, and the next one runs")
  func failures() async throws {
    try await withScene { _ in
      let complaints = Complaints()
      let runner = CommandRunner("eval \"$DO\"", timeLimit: .milliseconds(300), isQuiet: true) { complaints.add($0) }
      for work in ["exit 3", "kill -9 $$", "sleep 1000", "true"] {
        runner.run(CommandRunner.Job(device: "a", variables: [("DO", work)]))
      }
      try await until("all of it has run") { runner.isIdle }
      #expect(
        complaints.all == [
          "the command for a ended with status 3", "the command for a was ended by signal 9",
          "the command for a ran for 300 ms, so limpet watch ended it",
        ])
    }
  }

  @Test("no more than 8 at once, no more than 1,000 waiting")
  func bounds() async throws {
    try await withScene { scene in
      let file = scene.folder + "/ran"
      let complaints = Complaints()
      let runner = CommandRunner(
        "echo >>\(file) $$; until [ -e \(scene.folder)/go ]; do sleep 0.01; done; exit 0", isQuiet: true
      ) { complaints.add($0) }
      for number in 0..<1018 { runner.run(CommandRunner.Job(device: "\(number)", variables: [])) }
      try await until("8 run") { lines(file).count == CommandRunner.atOnce }
      #expect(
        complaints.all == [
          "limpet watch did not run 1 commands, since 1000 wait already",
          "limpet watch did not run 10 commands, since 1000 wait already",
        ])
      try scene.write("", to: "go")
      try await until("the rest runs", within: .seconds(60)) { runner.isIdle }
      #expect(lines(file).count == 1008)
    }
  }
}
