import Foundation
import TestScene
import Testing

/// The guest of `Tests/Hardware/vm`, with what `Tests/Hardware/run` built for it.
enum Rig {
  /// Elsewhere there is no kernel whose lines may be moved.
  static let isGuest = programs != nil

  /// The folder of `pulse` and the other C programs.
  static let programs = ProcessInfo.processInfo.environment["LIMPET_RIG"]

  /// The agent that is tested: the release in LIMPET_BINARY, or the one that was built with these tests.
  static let limpet = ProcessInfo.processInfo.environment["LIMPET_BINARY"] ?? Scene.program

  /// The same in the guest's memory: it starts sooner than over the guest's way to this machine's files.
  static let copy: String = {
    let path = FileManager.default.temporaryDirectory.path + "/limpet-\(getpid())"
    guard (try? FileManager.default.copyItem(atPath: limpet, toPath: path)) != nil else { return limpet }
    return path
  }()

  static func program(_ name: String) throws -> String { try #require(programs) + "/" + name }
}

/// Tests that go on beside others: what they move of the kernel is their own.
@Suite(.enabled(if: Rig.isGuest), .showsLogs) enum Together {}

/// Tests that measure, or upset the kernel: one after the other, with nothing beside them.
@Suite(.enabled(if: Rig.isGuest), .showsLogs, .serialized) enum Alone {}
