import Glibc
import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring
import Synchronization

/// Drives outputs, and knows no rule: on one thread those of the board itself, which cannot hang long, and on one more for
/// each chip behind I²C, SPI or USB.
///
/// An output that cannot be had, or is lost, is looked for again: soon, then every 5 s, and when devices come. It comes
/// back with the level that it was first asked for, not with what it had: what that should be then is for who knows rules,
/// and a drive that is asked for while it is away says it.
public final class OutputDriver: Sendable {
  public struct Taken: Sendable {
    /// In order.
    public var reports: [OutputReport]
    /// Everything is let go of, and nothing follows.
    public var isFinished: Bool
  }

  /// As `ps -L` shows it.
  public static let threadName = "limpet-outputs"

  private let desk: OutputDesk
  private let record: OutputRecord

  /// - Parameters:
  ///   - record: path of the file that `limpet outputs --safe` reads, written before each request; nil: none is written.
  ///   - socket: the path of this process's control socket, for the record.
  ///   - deliver: called on a thread of the driver's when there is something to take where there was nothing: hop to an
  ///     event loop in it, and do not block.
  public convenience init(
    root: FileRoot, record: String?, socket: String? = nil, deliver: @escaping @Sendable () -> Void
  ) {
    self.init(
      root: root, record: OutputRecord(path: record, owner: socket.flatMap { RecordOwner.current(socket: $0) }),
      find: OutputThread.finder(root: root), deliver: deliver)
  }

  init(
    root: FileRoot, record: OutputRecord, find: @escaping OutputThread.Finder, deliver: @escaping @Sendable () -> Void
  ) {
    let desk = OutputDesk(deliver: deliver)
    (self.desk, self.record) = (desk, record)
    threadFailure = DetachedThread.start(Self.threadName) {
      var thread = OutputThread(root: root, desk: desk, record: record, find: find)
      thread.run()
    }
    if threadFailure != 0 { desk.finish() }
  }

  /// Why there is no thread, an errno; 0: there is one.
  private let threadFailure: CInt

  /// Requests an output with this level in the request itself, again when devices come and every 5 s until it is held or
  /// released. Does not block, like the others.
  ///
  /// - Parameters:
  ///   - place: which one it is from now on. A place that was let go of is free once it has reported `released`; what is
  ///     asked of it before waits until then.
  ///   - adopts: a line that is an output already is requested as it is, read, and then set with that level; a PWM channel
  ///     that is on, a light without a trigger and a fan that is driven by hand likewise.
  ///   - safe: how `limpet outputs --safe` leaves it.
  ///   - mustStay: one that `safe` leaves on, or as it is, is not taken where it is not known to stay so: its chip may have
  ///     come after the configuration was checked.
  public func hold(
    _ place: Int, _ request: OutputRequest, _ level: OutputLevel, adopts: Bool, safe: OutputEnd, mustStay: Bool = false
  ) {
    guard threadFailure == 0 else {
      let failure = OutputError.noThread(errno: threadFailure)
      return desk.add(OutputReport(output: place, content: .failed("\(failure)"), time: .now))
    }
    desk.hold(OutputSeat(place, request, level, adopts: adopts, safe: safe, mustStay: mustStay))
  }

  /// Drives an output that is held, and reports what is read back under `number`; of one that is not: the level of its next
  /// request. A drive that a newer one, a release or a failure has overtaken is not reported; one that is asked for before
  /// `take` has returned a failure was decided without knowing it, and is dropped.
  public func drive(_ place: Int, _ level: OutputLevel, number: UInt64) { desk.drive(place, level, number: number) }

  /// Has `limpet outputs --safe` leave an output otherwise from now on.
  public func secure(_ place: Int, _ safe: OutputEnd) { desk.secure(place, safe) }

  /// Lets go of an output. Where it cannot be left so, that is reported as a failure before `released`, and the record
  /// keeps it.
  public func release(_ place: Int, _ end: OutputEnd) { desk.release(place, end) }

  /// Finishes when everything that was asked for is done. What is held then is let go of untouched, and stays in the record.
  /// A chip that hangs can keep it from finishing.
  public func stop() { desk.stop() }

  /// Takes the reports that wait.
  public func take() -> Taken { desk.take() }

  /// How often the thread was awake that finds outputs, and drives those of the board itself: at least once in 5 s.
  public var turns: Int { desk.turns.load(ordering: .relaxed) }

  /// Why the record is not as it should be: `limpet outputs --safe` would not know of an output.
  public var recordFailure: ReadError? { record.failure }
}
