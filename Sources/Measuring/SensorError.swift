import LimpetText

/// Why a sensor gave no value. The description is for the person at a terminal: what was tried, on what, what happened,
/// what to do.
public enum SensorError: Error, Sendable, Hashable {
  /// A file of the sensor could not be read.
  case unreadable(ReadError)
  /// A file that should hold one number holds something else.
  case notOneNumber(path: String, content: String, flaw: NumberFlaw)
  /// Nothing in a file matches the pattern.
  case noMatch(pattern: String, path: String, content: String)
  /// A text that should be a value is too long.
  case textTooLong(path: String, bytes: Int)
  /// The sensor answered without a value; the text says why.
  case noValue(String, path: String)
  /// A file of the kernel lacks a field, for example `MemAvailable`.
  case missingField(String, path: String)
  /// Nothing has the configured name; `existing` are the existing names, of things of the kind `what`: `hwmon chip`.
  case noSuchName(String, what: String, place: String, existing: [String])
  /// The configured name stands for several things; `candidates` distinguish them, `instead` says how to name one.
  case ambiguous(String, what: String, candidates: [String], instead: String)
  /// The place that was found by name has another name now; the next read looks for it again.
  case moved(String, path: String)
  /// The driver says that the sensor itself is broken or not connected (`<channel>_fault` is 1).
  case fault(path: String)

  /// The read takes longer than its job allows. If the kernel returns after all, the job gives its value then.
  case timedOut(after: Duration)
  /// An earlier read of the same sensor waits or has not returned yet, so no further one was started.
  case stillRunning(for: Duration)
  /// Reads of this bus hang and have used up the threads; nothing of it is read until one of them returns.
  case busSuspended(Bus)
  /// Reads of these buses hang on every thread, so nothing else can be read either.
  case noThreadLeft(hanging: [Bus])
  /// The kernel gave no thread to read on (pthread_create(3)).
  case noThread(errno: CInt)
  /// A scan does not read it: on a Raspberry Pi, reading it makes the kernel write a warning into its log.
  case leftAlone
  /// The reader was shut down.
  case stopped

  /// The place where the sensor was found before is empty now or holds another device: search again.
  package var meansGone: Bool {
    switch self {
    case .unreadable(let error): error.isAbsence
    case .moved: true
    default: false
    }
  }
}

extension SensorError {
  /// Another read may give a value at once: the sensor was asked and had none.
  package var isWorthRetrying: Bool {
    switch self {
    case .timedOut, .stillRunning, .busSuspended, .noThreadLeft, .noThread, .leftAlone, .stopped: false
    default: true
    }
  }
}

extension SensorError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreadable(let error):
      "\(error)"
    case .notOneNumber(let path, let content, let flaw):
      "\(printable(path, limit: 256)) \(flaw.sentence(about: printable(content)))"
    case .noMatch(let pattern, let path, let content):
      "\(printable(path, limit: 256)) contains \"\(printable(content))\", and nothing in it matches "
        + "\"\(printable(pattern, limit: 256))\""
    case .textTooLong(let path, let bytes):
      "\(printable(path, limit: 256)) contains \(bytes) bytes of text; pick a part of it with match:"
    case .noValue(let reason, let path):
      "\(printable(path, limit: 256)): \(reason)"
    case .missingField(let field, let path):
      "\(path) has no \(field); this kernel does not offer it"
    case .noSuchName(let name, let what, let place, let existing):
      existing.isEmpty
        ? "no \(what) is named \"\(printable(name))\": there is none at all in \(place); is the driver loaded?"
        : "no \(what) is named \"\(printable(name))\" in \(place); there are: \(Self.list(existing))"
    case .ambiguous(let name, let what, let candidates, let instead):
      "more than one \(what) is named \"\(printable(name))\": \(Self.list(candidates)); "
        + instead
    case .moved(let name, let path):
      "\(path) belonged to \"\(printable(name))\" before, and belongs to another device now; limpet looks for it again"
    case .fault(let path):
      "fault reported by the sensor (\(path)); check its wiring"
    case .timedOut(let duration):
      "the read did not return within \(duration); its thread waits for the kernel"
    // Without the duration: the same fault has the same words each time, so it is logged once.
    case .stillRunning:
      "not read again: the last read has not returned"
    case .busSuspended(let bus):
      "not read: reads of \(bus) hang in the kernel, so limpet leaves that bus alone until one returns; check the device"
    case .noThreadLeft(let buses):
      "not read: every thread for blocking reads hangs in the kernel, in \(Self.list(buses.map(\.name)))"
    case .noThread(let code):
      "not read: no thread could be started (\(ReadError.text(of: code))); raise TasksMax= or free memory"
    case .leftAlone:
      "a scan does not read it: each read makes the kernel log a warning"
    case .stopped:
      "not read: the reader was shut down"
    }
  }

  /// Long lists help nobody at a terminal.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(12).map { printable($0, limit: 120) }.joined(separator: ", ")
    return names.count > 12 ? "\(shown) and \(names.count - 12) more" : shown
  }
}

/// Runs code that reads files for a sensor.
package func reading<R>(_ body: () throws(ReadError) -> R) throws(SensorError) -> R {
  do {
    return try body()
  } catch {
    throw .unreadable(error)
  }
}
