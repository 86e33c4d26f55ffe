import Foundation
import TestScene
import Testing

@testable import Fleet

@Suite("What watch writes to somebody who reads slowly, or not at all") struct WatchOutputTests {
  private let line = String(repeating: "x", count: 249) + "\n"

  @Test("a whole fleet at one moment is written to a file and to a pipe, however little a pipe takes at one time")
  func wholeFleet() async throws {
    try await withScene { scene in
      let path = try scene.write("", to: "out")
      let file = open(path, O_WRONLY | O_APPEND)
      defer { close(file) }
      var output = WatchOutput(descriptor: file)
      for _ in 0..<4 { for _ in 0..<Watch.deviceLimit { output.add(line.utf8) } }
      output.drain(within: .seconds(30))
      #expect(output.takeLost() == 0)
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
      #expect(size == 4 * Watch.deviceLimit * 250)

      let pipe = Pipe()
      var other = WatchOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
      for _ in 0..<Watch.deviceLimit { other.add(line.utf8) }
      #expect(other.takeLost() == 0)
    }
  }

  @Test("what nobody reads is bounded, and what is left out is counted")
  func nobody() {
    let pipe = Pipe()
    var output = WatchOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    let room = WatchOutput.limit / 250
    for _ in 0..<(room + 1000) { output.add(line.utf8) }
    // Of what a pipe takes there is no rule: 64 KiB as a rule.
    #expect((1..<1000).contains(output.takeLost()))
    #expect(output.takeLost() == 0)
  }
}
