import Foundation
import TestScene
import Testing

@Suite("limpet outputs --safe", .showsLogs, .timed)
struct SafeOutputsTests {
  @Test("without a record there is nothing to do; without --safe it says what to write")
  func nothing() async throws {
    try await withScene { scene in
      let outcome = try await scene.limpet("outputs", "--safe", "--directory", scene.folder)
      #expect(outcome.ending == .exited(0))
      #expect(outcome.output == ["nothing to do: no output was left behind"])
      #expect(try await scene.limpet("outputs").ending == .exited(64))
    }
  }

  @Test("where the process that the record names lives, it is asked, and nothing is driven when it does not answer")
  func living() async throws {
    try await withScene { scene in
      let stat = try String(contentsOfFile: "/proc/self/stat", encoding: .utf8)
      let start = try #require(stat.split(separator: ")").last?.split(separator: " ").dropFirst(19).first)
      func record(_ start: some StringProtocol) throws -> String {
        try scene.write(
          "process=\(getpid())\tstart=\(start)\tsocket=\(scene.folder)/none.sock\n"
            + "type=led\tname=limpet-no-such-led\tsafe=keep\n", to: "outputs")
      }
      let file = try record(start)
      let outcome = try await scene.limpet("outputs", "--safe", "--directory", scene.folder)
      #expect(outcome.ending == .exited(1))
      #expect(outcome.output == [])
      #expect(
        outcome.errors == [
          "limpet outputs: process \(getpid()) drives the outputs of \(file), and does not answer at "
            + "\(scene.folder)/none.sock; stop it first, or two would drive them"
        ])
      _ = try record("1")
      let dead = try await scene.limpet("outputs", "--safe", "--directory", scene.folder)
      #expect(dead.ending == .exited(0))
      #expect(dead.output == ["LED limpet-no-such-led: left as it is (stop: keep)"])
    }
  }

  @Test("what cannot be made safe is told by the exit status, and stays in the record; keep is left alone")
  func missing() async throws {
    try await withScene { scene in
      let lost = "type=led\tname=limpet-no-such-led\tsafe=0.0\n"
      let file = try scene.write(
        lost + "type=gpio\tbias=up\tdrive=push-pull\tactive_low=false\tchip=none\toffset=3\tsafe=keep\n", to: "outputs")
      let outcome = try await scene.limpet("outputs", "--safe", "--directory", scene.folder)
      #expect(outcome.ending == .exited(1))
      #expect(outcome.output.count == 2)
      #expect(outcome.output.first?.hasPrefix("LED limpet-no-such-led: not put into its safe state: ") == true)
      #expect(outcome.output.last == "line 3 of none: left as it is (stop: keep)")
      #expect(try String(contentsOfFile: file, encoding: .utf8) == lost)
    }
  }
}
