import Testing

/// For tests that look at times.
///
/// All tests share a few threads, and one that computes keeps its thread for seconds; each priority has threads of its
/// own, which the system shares the processors among.
package struct Timed: TestTrait, SuiteTrait, TestScoping {
  package var isRecursive: Bool { true }

  package func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await withoutActuallyEscaping(function) { function in
      let task = Task(priority: .high) { try await function() }
      try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
    }
  }
}

extension Trait where Self == Timed {
  /// It is not held up by tests that only compute; not for those.
  package static var timed: Self { Self() }
}
