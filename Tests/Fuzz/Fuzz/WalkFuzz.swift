import Glibc
import NIOCore

@testable import MQTTCore

/// A session and a server as the specification has it, over connections, processes and writes to the disk that end
/// whenever the input says so. What must hold: QoS 1 arrives at least once, QoS 2 exactly once unless the server lost its
/// session, in order, no identifier is used twice at a time, and at the end nothing is left.
enum WalkFuzz {
  static func run(_ bytes: UnsafeRawBufferPointer) {
    var input = ByteBuffer(bytes: bytes)
    guard let kind = input.readInteger(as: UInt8.self) else { return }
    guard kind & 4 == 0 else { return limits(WalkGenerator(bytes: input)) }
    var walk = SessionWalk(WalkGenerator(bytes: input), kind & 1 == 0 ? .v5 : .v311, isStored: kind & 2 != 0)
    while !walk.isOver { walk.step() }
    walk.finish()
    judge(walk.faults)
  }

  /// The same with servers that take less from one connection to the next, expiry, and messages that no packet carries.
  private static func limits(_ generator: WalkGenerator) {
    var walk = LimitsWalk(generator)
    while !walk.isOver { walk.step() }
    walk.finish()
    judge(walk.faults)
  }

  /// A link between several servers, with a store, messages that expire or that no packet carries, and processes that die.
  static func servers(_ bytes: UnsafeRawBufferPointer) {
    var walk = ServersWalk(WalkGenerator(bytes: ByteBuffer(bytes: bytes)))
    while !walk.isOver { walk.step() }
    walk.finish()
    judge(walk.faults)
  }

  /// In words, since a release build's crash has none.
  private static func judge(_ faults: Set<String>) {
    guard !faults.isEmpty else { return }
    print("faults:", faults.sorted())
    fflush(nil)
    preconditionFailure()
  }
}
