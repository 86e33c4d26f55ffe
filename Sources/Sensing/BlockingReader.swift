import Measuring

/// Reads sensors on threads of its own, at most four, so that a driver that blocks delays nobody else.
///
/// The rules are those of ``ReadQueue``. Here are the threads: up to four readers, which block in `read()` and nowhere
/// else but in a wait without a timeout, and one that never reads and watches the clock while a read is under way. When
/// none is, no thread wakes up. All are started when they are first needed.
public final class BlockingReader: Sendable {
  /// What `limpet status` shows of the reader.
  public struct Status: Sendable, Equatable {
    public struct Hang: Sendable, Equatable {
      public var id: String
      public var bus: Bus
      public var duration: Duration
    }

    /// Reader threads, of at most 4.
    public var threads: Int
    public var hanging: [Hang]
    public var suspended: [Bus]
    /// Jobs accepted that no thread has begun.
    public var waiting: Int
    /// Reads that were reported as timed out, since the start.
    public var timeouts: UInt64
    /// Jobs refused or failed unread, since the start.
    public var refusals: UInt64

    package init(threads: Int, hanging: [Hang], suspended: [Bus], waiting: Int, timeouts: UInt64, refusals: UInt64) {
      self.threads = threads
      self.hanging = hanging
      self.suspended = suspended
      self.waiting = waiting
      self.timeouts = timeouts
      self.refusals = refusals
    }
  }

  private let threads: ReaderThreads

  /// - Parameters:
  ///   - busChanged: Called when a bus is suspended or resumed.
  ///   - deliver: Called with the results of a submission, together where its reads are fast.
  ///
  /// Both are called on the reader's threads, one call at a time and in the order in which things happened: hop to an
  /// event loop in them, and do not block.
  public init(
    busChanged: @escaping @Sendable (BusChange) -> Void = { _ in },
    deliver: @escaping @Sendable ([ReadResult]) -> Void
  ) {
    threads = ReaderThreads(busChanged: busChanged, deliver: deliver)
  }

  deinit {
    threads.stop()
  }

  /// Hands jobs over to be read; does not block.
  ///
  /// - Returns: The results known at once: jobs that are not read, because an earlier read of the same id has not
  ///   returned, their bus is suspended, or no thread is left. `deliver` is not called for these.
  public func submit(_ jobs: [ReadJob]) -> [ReadResult] {
    threads.submit(jobs)
  }

  public var status: Status {
    threads.status
  }

  /// Ends the threads, each as soon as it returns from its read; those that hang are left to the kernel. Reads begun are
  /// not reported any more.
  public func shutdown() {
    threads.stop()
  }
}
