import Dispatch
import NIOCore
import NIOPosix
import Testing

@testable import Agent

/// Blocking work that nobody waits for any longer.
struct PatienceTests {
  private actor Caller {
    let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func result(within limit: Duration, _ body: @escaping @Sendable () throws -> Int) async -> Result<Int, any Error> {
      do { return .success(try await blocking("test", within: limit, on: eventLoop, body)) } catch {
        return .failure(error)
      }
    }
  }

  private struct Failure: Error {}

  @Test("what answers in time is the answer, a value or an error; what hangs is left to its thread")
  func limits() async throws {
    let caller = Caller(MultiThreadedEventLoopGroup.singleton.next())
    #expect(try await caller.result(within: .seconds(60)) { 7 }.get() == 7)
    await #expect(throws: Failure.self) { try await caller.result(within: .seconds(60)) { throw Failure() }.get() }
    let answers = DispatchSemaphore(value: 0)
    let result = await caller.result(within: .milliseconds(20)) {
      answers.wait()
      return 8
    }
    answers.signal()
    #expect(throws: TookTooLong.self) { try result.get() }
  }
}
