import Glibc
import LimpetPlatform
import LimpetText
import Measuring
import Synchronization

/// What this process drives, in a file: after a death `limpet outputs --safe` puts it into its safe state. It never reads
/// the configuration, which may be another one by then.
///
/// A file of one line for each output, words `key=value` between tabs, behind one that says whose it is (``RecordOwner``);
/// it is replaced as a whole, so a reader has the old one or the new.
final class OutputRecord: Sendable {
  struct Entry: Sendable, Hashable {
    /// Named so that it is found again.
    var request: OutputRequest
    var safe: OutputEnd
    /// What ``OutputEnd/former`` restores.
    var former: String?
  }

  private struct State {
    var entries: [Int: Entry] = [:]
    /// What was not made safe, and is driven by nobody now: of a process that died, and of outputs that were let go of.
    var left: [Entry]
    var failure: ReadError?

    mutating func forgetLeft(_ request: OutputRequest) { left.removeAll { $0.request.isSame(as: request) } }
  }

  /// nil: it is only kept in memory.
  private let path: String?
  private let owner: RecordOwner?
  private let state: Mutex<State>

  /// - Parameter owner: whose it is; nil: nobody's that could be asked.
  init(path: String?, owner: RecordOwner? = nil) {
    self.path = path
    self.owner = owner
    state = Mutex(State(left: path.flatMap { try? Self.read($0) } ?? []))
    // What a dead process left is this one's to look after.
    if owner != nil { state.withLock { if !$0.left.isEmpty { write(&$0) } } }
  }

  init(earlier: [Entry]) {
    path = nil
    owner = nil
    state = Mutex(State(left: earlier))
  }

  /// Call it before the output is requested.
  ///
  /// - Returns: what ``OutputEnd/former`` restores.
  func put(_ found: some FoundOutput, _ safe: OutputEnd, at place: Int) -> String? {
    let request = found.request
    let known = state.withLock { state in
      let own = state.entries[place].flatMap { $0.request.isSame(as: request) ? $0 : nil }
      return own ?? state.left.first { $0.request.isSame(as: request) }
    }
    // Read without the lock: it may take a bus that hangs, and other outputs must not wait for that. What was not known
    // when it was taken first is what this process has made of it by now.
    let former = known == nil ? found.former : known?.former
    let entry = Entry(request: request, safe: safe, former: former)
    state.withLock { state in
      guard state.entries[place] != entry || state.failure != nil else { return }
      Self.leave(place, unless: request, &state)
      state.forgetLeft(request)
      state.entries[place] = entry
      write(&state)
    }
    return former
  }

  /// It is in its safe state, or somebody else's.
  func remove(_ place: Int) {
    state.withLock { state in
      guard let entry = state.entries.removeValue(forKey: place) else { return }
      state.forgetLeft(entry.request)
      write(&state)
    }
  }

  /// How it is left is another way from now on.
  func secure(_ place: Int, _ safe: OutputEnd) {
    state.withLock { state in
      guard let entry = state.entries[place], entry.safe != safe else { return }
      state.entries[place]?.safe = safe
      write(&state)
    }
  }

  /// Nobody drives what was there any more, and it is not safe: it stays, and its place is free for another one.
  func leave(_ place: Int) { state.withLock { Self.leave(place, unless: nil, &$0) } }

  private static func leave(_ place: Int, unless request: OutputRequest?, _ state: inout State) {
    guard let entry = state.entries[place], request.map(entry.request.isSame) != true else { return }
    state.entries[place] = nil
    state.forgetLeft(entry.request)
    state.left.append(entry)
  }

  /// Why the file is not as it should be.
  var failure: ReadError? { state.withLock { $0.failure } }

  private func write(_ state: inout State) {
    guard let path else { return }
    let entries = state.entries.sorted { $0.key < $1.key }.map(\.value) + state.left
    do throws(ReadError) {
      try Self.write(entries, path, owner: owner)
      state.failure = nil
    } catch {
      state.failure = error
    }
  }

  // MARK: The file

  static func read(_ path: String) throws(ReadError) -> [Entry] {
    String(decoding: try FileRoot().bytes(of: path), as: UTF8.self).split(separator: "\n").compactMap(Entry.init(line:))
  }

  /// Whose it is; nil: it does not say.
  static func owner(_ path: String) throws(ReadError) -> RecordOwner? {
    String(decoding: try FileRoot().bytes(of: path), as: UTF8.self).split(separator: "\n").lazy
      .compactMap(RecordOwner.init(line:)).first
  }

  /// Without any entry there is no file.
  static func write(_ entries: [Entry], _ path: String, owner: RecordOwner? = nil) throws(ReadError) {
    guard !entries.isEmpty else {
      guard unlink(path) == 0 || errno == ENOENT else { throw ReadError(.write, path, .errno(errno)) }
      return
    }
    let new = path + ".new"
    let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw ReadError(.write, new, .errno(errno)) }
    let lines = (owner.map { [$0.line] } ?? []) + entries.map(\.line)
    let bytes = Array(lines.map { $0 + "\n" }.joined().utf8)
    let count = Glibc.write(descriptor, bytes, bytes.count)
    let failure = count < 0 ? errno : ENOSPC
    close(descriptor)
    guard count == bytes.count else { throw ReadError(.write, new, .errno(failure)) }
    guard rename(new, path) == 0 else { throw ReadError(.write, path, .errno(errno)) }
  }
}

extension OutputRecord.Entry {
  fileprivate var line: String {
    var words: [(String, String)] = []
    switch request {
    case .gpio(let output):
      words = [("type", "gpio"), ("bias", output.bias.rawValue), ("drive", output.drive.rawValue)]
      words.append(("active_low", "\(output.isActiveLow)"))
      if let chip = output.chip { words.append(("chip", chip)) }
      if let device = output.device { words.append(("device", device)) }
      switch output.line {
      case .offset(let offset): words.append(("offset", "\(offset)"))
      case .name(let name): words.append(("line", name))
      }
    case .pwm(let output):
      words = [
        ("type", "pwm"), ("device", output.device), ("channel", "\(output.channel)"),
        ("frequency", "\(output.frequency)"), ("inverted", "\(output.isInverted)"),
      ]
    case .led(let name): words = [("type", "led"), ("name", name)]
    case .backlight(let name): words = [("type", "backlight"), ("name", name)]
    case .fan(let output):
      words = [("type", "fan"), ("channel", output.channel)]
      if let chip = output.chip { words.append(("chip", chip)) }
      if let device = output.device { words.append(("device", device)) }
    }
    switch safe {
    case .level(let level): words.append(("safe", "\(level.percent)"))
    case .untouched: words.append(("safe", "keep"))
    case .former: words.append(("safe", "former"))
    }
    if let former { words.append(("former", former)) }
    return RecordLine.text(words)
  }

  /// nil: it is none.
  fileprivate init?(line: Substring) {
    let words = RecordLine.words(line)
    guard let request = Self.request(words) else { return nil }
    switch words["safe"] {
    case "keep": safe = .untouched
    case "former": safe = .former
    case let text?:
      guard let percent = Double(text), (0...100).contains(percent) else { return nil }
      safe = .level(OutputLevel(percent: percent))
    case nil: return nil
    }
    self.request = request
    former = words["former"]
  }

  private static func request(_ words: [String: String]) -> OutputRequest? {
    switch words["type"] {
    case "gpio":
      let line =
        words["offset"].flatMap { UInt32($0) }.map { GPIOInput.Line.offset($0) } ?? words["line"].map { .name($0) }
      guard let line, let bias = words["bias"].flatMap({ GPIOInput.Bias(rawValue: $0) }),
        let drive = words["drive"].flatMap({ GPIOOutput.Drive(rawValue: $0) }),
        let isActiveLow = words["active_low"].flatMap({ Bool($0) })
      else { return nil }
      return .gpio(
        GPIOOutput(
          chip: words["chip"], device: words["device"], line: line, bias: bias, isActiveLow: isActiveLow, drive: drive))
    case "pwm":
      guard let device = words["device"], let channel = words["channel"].flatMap({ Int($0) }),
        let frequency = words["frequency"].flatMap({ Double($0) }), frequency > 0,
        let isInverted = words["inverted"].flatMap({ Bool($0) })
      else { return nil }
      return .pwm(PWMOutput(device: device, channel: channel, frequency: frequency, isInverted: isInverted))
    case "led": return words["name"].map { .led($0) }
    case "backlight": return words["name"].map { .backlight($0) }
    case "fan":
      return words["channel"].map { .fan(FanOutput(chip: words["chip"], device: words["device"], channel: $0)) }
    default: return nil
    }
  }
}

extension RecordOwner {
  fileprivate var line: String {
    RecordLine.text([("process", "\(process)"), ("start", "\(start)"), ("socket", socket)])
  }

  /// nil: it is none.
  fileprivate init?(line: Substring) {
    let words = RecordLine.words(line)
    guard let process = words["process"].flatMap({ Int($0) }), process > 0,
      let start = words["start"].flatMap({ UInt64($0) }), let socket = words["socket"]
    else { return nil }
    self.init(process: process, start: start, socket: socket)
  }
}

/// Words `key=value` between tabs.
private enum RecordLine {
  static func text(_ words: [(String, String)]) -> String {
    words.map { "\($0)=\(escaped($1))" }.joined(separator: "\t")
  }

  static func words(_ line: Substring) -> [String: String] {
    let pairs = line.split(separator: "\t").compactMap { word -> (String, String)? in
      guard let sign = word.firstIndex(of: "=") else { return nil }
      return (String(word[..<sign]), unescaped(word[word.index(after: sign)...]))
    }
    return Dictionary(pairs) { first, _ in first }
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "%": escaped += "%25"
      case "\t": escaped += "%09"
      case "\n": escaped += "%0A"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private static func unescaped(_ text: Substring) -> String {
    var parts = text.split(separator: "%", omittingEmptySubsequences: false)
    var plain = String(parts.removeFirst())
    for part in parts {
      let code = UInt8(part.prefix(2), radix: 16).map { String(UnicodeScalar($0)) }
      plain += (code ?? "%" + part.prefix(2)) + part.dropFirst(2)
    }
    return plain
  }
}

extension OutputRequest {
  /// The same thing, whatever is asked of it.
  fileprivate func isSame(as other: OutputRequest) -> Bool {
    switch (self, other) {
    case (.gpio(let one), .gpio(let two)): one.chip == two.chip && one.device == two.device && one.line == two.line
    case (.pwm(let one), .pwm(let two)): one.device == two.device && one.channel == two.channel
    case (.fan(let one), .fan(let two)): one.device == two.device && one.channel == two.channel
    default: self == other
    }
  }
}
