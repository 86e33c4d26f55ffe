import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What no source of the core may name: clocks, randomness of the system, event loops, threads and files. And how large
/// types and files may be.
struct SourcesTests {
  private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
  private static let folder = root + "/Sources/Core"

  private static let forbidden = [
    "Clock.now", "Instant.now", " .now", "(.now", "SystemRandomNumberGenerator", "import NIOPosix", "import Glibc",
    "import Foundation", "import LimpetPlatform",
    "import Dispatch", "import Logging", "import MQTT\n", "import Configuration", "Task {", "Task<", "Task.", " async",
    "await ", "actor ", "DispatchQueue", "SuspendingClock", "ContinuousClock", "@unchecked", "nonisolated(unsafe)",
    "Mutex<", "import Synchronization", "pthread",
    "UnsafeMutable", "DispatchSemaphore",
  ]

  @Test("the sources of Core name no clock, no randomness but its own, no loop, thread or file")
  func names() throws {
    let files = Self.files(below: Self.folder)
    #expect(files.count > 20, "\(Self.folder)")
    for file in files {
      let text = try #require(Self.text(of: file), "\(file)")
      for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        let code = line.prefix { _ in true }.components(before: "//") + "\n"
        for word in Self.forbidden { #expect(!code.contains(word), "\(file): \(line)") }
        for call in ["random(", "randomElement(", "shuffle(", "shuffled("] where code.contains(call) {
          #expect(code.contains("using:"), "\(file): \(line)")
        }
      }
    }
  }

  @Test("no type of the core has more than 15 stored properties")
  func sizes() throws {
    var largest = 0
    for file in Self.files(below: Self.folder) {
      for (type, count) in Self.storedProperties(of: try #require(Self.text(of: file))) {
        #expect(count <= 15, "\(type) in \(file)")
        largest = max(largest, count)
      }
    }
    // It counts something.
    #expect(largest > 10)
  }

  @Test("no file has more than 400 lines")
  func lengths() throws {
    for folder in ["Sources", "Tests"] {
      for file in Self.files(below: "\(Self.root)/\(folder)") {
        let lines = try #require(Self.text(of: file)).utf8.count { $0 == UInt8(ascii: "\n") }
        #expect(lines <= 400, "\(file)")
      }
    }
  }

  /// By types, as the sources of this package are formatted: a line each, two spaces more for each level.
  private static func storedProperties(of text: String) -> [(type: String, count: Int)] {
    var types: [(type: String, indent: Int, count: Int)] = []
    var found: [(type: String, count: Int)] = []
    for line in text.split(separator: "\n") {
      let indent = line.prefix { $0 == " " }.count
      while let last = types.last, indent <= last.indent {
        found.append((last.type, last.count))
        types.removeLast()
      }
      let words = line.split(separator: " ").drop { word in
        word.hasPrefix("@") || ["public", "package", "private", "fileprivate", "final", "indirect"].contains(word)
          || word.hasPrefix("private(") || word.hasPrefix("package(") || word.hasPrefix("internal(")
      }
      guard let kind = words.first, words.count > 1 else { continue }
      if ["struct", "class", "actor", "enum"].contains(kind), line.hasSuffix("{") {
        types.append((words.dropFirst().joined(separator: " "), indent, 0))
      } else if kind == "extension" {
        types.append(("an extension", indent, 0))
      } else if ["var", "let"].contains(kind), let last = types.last, indent == last.indent + 2 {
        let declaration = line.prefix { $0 != "{" }
        let isStored =
          declaration.split(separator: " ").contains("=") || !line.contains("{") || line.hasSuffix("didSet {")
        if isStored { types[types.count - 1].count += 1 }
      }
    }
    return found + types.map { ($0.type, $0.count) }
  }

  private static func files(below folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var found: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard !name.hasPrefix(".") else { continue }
      let path = "\(folder)/\(name)"
      if name.hasSuffix(".swift") { found.append(path) } else { found += files(below: path) }
    }
    return found.sorted()
  }

  private static func text(of file: String) -> String? {
    guard let stream = fopen(file, "r") else { return nil }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 { bytes += buffer.prefix(count) }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension Substring {
  /// What stands in front of a text; all of it where it is not there.
  fileprivate func components(before mark: String) -> String {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(mark) { return String(self[..<index]) }
      index = self.index(after: index)
    }
    return String(self)
  }
}
