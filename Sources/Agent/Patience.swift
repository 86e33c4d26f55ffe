import LimpetInstants
import LimpetPlatform
import LimpetText
import NIOCore

/// Nobody waits for it any longer; the thread that it has goes on until the kernel returns.
struct TookTooLong: Error, CustomStringConvertible {
  let limit: Duration
  var description: String { "no answer within \(limit.inWords)" }
}

/// Blocking work on a thread of its own, for which its caller waits no longer than this.
///
/// - Parameter thread: its name, of at most 15 bytes.
/// - Throws: what it throws, `BlockingWork.NoThread`, or `TookTooLong`.
func blocking<Value: Sendable>(
  _ thread: String, within limit: Duration, on eventLoop: any EventLoop, isolation: isolated any Actor = #isolation,
  _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
  let answer = Awaited<Result<Value, any Error>>()
  // On the caller's actor: a task of nobody's would run on libdispatch's pool.
  Task {
    _ = isolation
    do {
      answer.give(.success(try await BlockingWork.run(thread, body)))
    } catch {
      answer.give(.failure(error))
    }
  }
  let patience = eventLoop.scheduleTask(in: TimeAmount(limit)) { answer.give(.failure(TookTooLong(limit: limit))) }
  defer { patience.cancel() }
  return try await answer.value.get()
}
