import Glibc
import Testing

@testable import MQTTStore
@testable import Storage

@Suite("ThreadExecutor")
struct ThreadExecutorTests {
  private actor Worker {
    private let executor: ThreadExecutor
    private(set) var order: [Int] = []

    init(executor: ThreadExecutor) { self.executor = executor }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    var thread: UInt { UInt(pthread_self()) }

    var threadName: String {
      let file = open("/proc/thread-self/comm", O_RDONLY)
      defer { close(file) }
      var name = [UInt8](repeating: 0, count: 16)
      let count = max(0, read(file, &name, name.count))
      return String(decoding: name.prefix(count).filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    var blocksSignals: Bool {
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1
    }

    func note(_ number: Int) { order.append(number) }

    func hop() async -> Bool {
      let before = thread
      await Task.yield()
      return before == thread
    }
  }

  @Test("an actor's calls all run on one thread, which has the name it was given and takes no signals")
  func oneThread() async throws {
    let worker = Worker(executor: try ThreadExecutor(name: "limpet-test-long-name"))
    let first = await worker.thread
    await withTaskGroup(of: UInt.self) { group in
      for _ in 1...100 { group.addTask { await worker.thread } }
      for await thread in group { #expect(thread == first) }
    }
    #expect(await worker.threadName == "limpet-test-lon")
    #expect(await worker.blocksSignals)
    #expect(await worker.hop())
  }

  @Test("two executors are two threads")
  func twoThreads() async throws {
    let one = Worker(executor: try ThreadExecutor(name: "one"))
    let two = Worker(executor: try ThreadExecutor(name: "two"))
    #expect(await one.thread != two.thread)
  }

  @Test("calls made one after the other run in that order")
  func inOrder() async throws {
    let worker = Worker(executor: try ThreadExecutor(name: "order"))
    for number in 1...100 { await worker.note(number) }
    #expect(await worker.order == Array(1...100))
  }

  @Test("the thread ends when its executor is let go of")
  func ends() async throws {
    await confirmation { ended in
      await withCheckedContinuation { continuation in
        _ = try? ThreadExecutor(name: "idle") {
          ended()
          continuation.resume()
        }
      }
    }
  }

  @Test("the thread ends when the last job lets go of the actor, after that job", arguments: 1...20)
  func endsFromWithin(round: Int) async throws {
    let (results, continuation) = AsyncStream<String>.makeStream()
    var worker: Worker? = Worker(
      executor: try ThreadExecutor(name: "last") {
        continuation.yield("ended")
        continuation.finish()
      })
    Task { [worker] in
      await worker?.note(1)
      continuation.yield("worked")
    }
    worker = nil
    #expect(await Set(results) == ["worked", "ended"])
  }
}

extension Set where Element: Sendable {
  fileprivate init(_ stream: AsyncStream<Element>) async {
    self = []
    for await element in stream { insert(element) }
  }
}
