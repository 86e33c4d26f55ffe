internal import Glibc
import YAML

/// Puts what a scan has found into a configuration that is there, as text: comments and order stay as they are.
///
/// What has an entry already is left out, and no name is given twice. Only sensors are added: what hangs on a line, and
/// what may be switched, a scan cannot know.
public struct ScanMerge {
  /// An entry that a scan proposes.
  package struct Proposal {
    package let name: String
    /// Beside the name; what it reads first.
    package let keys: [(String, String)]
    /// The part of `keys` that says what is read.
    package let source: [(String, String)]
    /// Its value now.
    package let shown: String
  }

  public struct Refusal: Error, CustomStringConvertible {
    public let description: String
  }

  /// The whole of the new text.
  public let text: [UInt8]
  /// Names of what was added.
  public let added: [String]
  /// How many had an entry already.
  public let known: Int

  /// - Parameter bytes: of a configuration without errors.
  package init(_ proposals: [Proposal], into bytes: [UInt8]) throws(Refusal) {
    let document = Document.parse(bytes)
    var entries: [Entry] = []
    if let root = document.root {
      guard case .mapping(let found) = root.value else { throw Refusal(description: "it is not a mapping of keys") }
      entries = found
    }
    var names = ScannedNames(taken: Self.names(in: entries))
    let sources = Self.sources(in: entries)
    var lines: [String] = []
    var added: [String] = []
    var known = 0
    for proposal in proposals {
      guard !sources.contains(where: { $0.has(proposal.source) }) else {
        known += 1
        continue
      }
      let name = names.name(of: proposal.name, or: "sensor")
      added.append(name)
      let keys = [("name", name)] + proposal.keys
      let entry = "- {" + keys.map { "\($0): \(yamlScalar($1))" }.joined(separator: ", ") + "}"
      lines.append("\(entry)  # \(proposal.shown)")
    }
    (self.added, self.known) = (added, known)
    text = lines.isEmpty ? bytes : try Self.insert(lines, at: entries.first { $0.key == "sensors" }, into: bytes)
  }

  // MARK: What is there

  private static func items(_ key: String, in entries: [Entry]) -> [[Entry]] {
    guard case .sequence(let items)? = entries.first(where: { $0.key == key })?.value.value else { return [] }
    return items.compactMap { if case .mapping(let entries) = $0.value { entries } else { nil } }
  }

  private static func names(in entries: [Entry]) -> Set<String> {
    let all = ["inputs", "sensors", "outputs"].flatMap { items($0, in: entries) }
    return Set(all.compactMap { item in item.first { $0.key == "name" }?.value.text })
  }

  private static func sources(in entries: [Entry]) -> [Source] {
    items("sensors", in: entries).map { item in
      var values: [String: Set<String>] = [:]
      for entry in item {
        // `channels: [temp1, humidity1]` reads each of them.
        let key = ["channels": "channel", "properties": "property"][entry.key] ?? entry.key
        if case .sequence(let members) = entry.value.value {
          values[key] = Set(members.compactMap(\.text))
        } else if let text = entry.value.text {
          values[key] = [text]
        }
      }
      return Source(values: values)
    }
  }

  private struct Source {
    let values: [String: Set<String>]

    func has(_ source: [(String, String)]) -> Bool {
      source.allSatisfy { values[$0]?.contains($1) ?? false }
    }
  }

  // MARK: Where it goes

  private static func insert(_ new: [String], at entry: Entry?, into bytes: [UInt8]) throws(Refusal) -> [UInt8] {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    guard let entry else {
      if lines.last?.isEmpty == true { lines.removeLast() }
      return joined(lines + (["sensors:"] + new.map { "  " + $0 } + [""]).map { Array($0.utf8) })
    }
    let key = entry.keyPosition.line - 1
    guard lines.indices.contains(key), entry.keyPosition.column == 1 else { throw shape(entry) }
    var indent = "  "
    switch entry.value.value {
    case .sequence(let items):
      guard let first = items.first, first.position.line > entry.keyPosition.line else { throw shape(entry) }
      let line = lines[first.position.line - 1]
      let spaces = line.prefix { $0 == UInt8(ascii: " ") }.count
      guard line.dropFirst(spaces).first == UInt8(ascii: "-") else { throw shape(entry) }
      indent = String(repeating: " ", count: spaces)
    case .scalar(let scalar) where scalar.isNull: break
    default: throw shape(entry)
    }
    // Up to the next key of the first level; comments and empty lines in front of that are its own.
    var end = key + 1
    while end < lines.count, !startsKey(lines[end]) { end += 1 }
    while end > key + 1, isVoid(lines[end - 1]) { end -= 1 }
    lines.insert(contentsOf: new.map { Array((indent + $0).utf8) }, at: end)
    return joined(lines)
  }

  private static func shape(_ entry: Entry) -> Refusal {
    Refusal(
      description:
        "sensors, on line \(entry.keyPosition.line), is not a list with one entry per line; write each below the "
        + "other, beginning with \"- \"")
  }

  private static func startsKey(_ line: [UInt8]) -> Bool {
    guard let first = line.first else { return false }
    return ![UInt8(ascii: " "), UInt8(ascii: "#"), UInt8(ascii: "-"), UInt8(ascii: "\r")].contains(first)
  }

  private static func isVoid(_ line: [UInt8]) -> Bool {
    let first = line.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\r") }
    return first == nil || first == UInt8(ascii: "#")
  }

  private static func joined(_ lines: [[UInt8]]) -> [UInt8] { Array(lines.joined(separator: [UInt8(ascii: "\n")])) }

  // MARK: On disk

  /// Puts the text in the file's place, by one that takes its name: its rights and its owner stay.
  public func replace(_ path: String) throws(Refusal) {
    // What a symbolic link names is replaced, not the link.
    let real = realpath(path, nil)
    defer { free(real) }
    let path = real.map { String(cString: $0) } ?? path
    var status = stat()
    guard stat(path, &status) == 0 else { throw Self.failure("read", path) }
    let new = path + ".new"
    let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, status.st_mode & 0o777)
    guard descriptor >= 0 else { throw Self.failure("write", new) }
    // Who is not its owner, and not root, cannot leave it its owner.
    guard fchown(descriptor, status.st_uid, status.st_gid) == 0, fchmod(descriptor, status.st_mode & 0o7777) == 0,
      Self.write(text, descriptor), fsync(descriptor) == 0
    else {
      let failure = Self.failure("write", new)
      close(descriptor)
      unlink(new)
      throw failure
    }
    close(descriptor)
    guard rename(new, path) == 0 else {
      let failure = Self.failure("replace", path)
      unlink(new)
      throw failure
    }
  }

  private static func write(_ bytes: [UInt8], _ descriptor: CInt) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func failure(_ attempt: String, _ path: String) -> Refusal {
    Refusal(description: "cannot \(attempt) \(path): \(String(cString: strerror(errno)))")
  }
}

extension Node {
  fileprivate var text: String? { if case .scalar(let scalar) = value { scalar.text } else { nil } }
}
