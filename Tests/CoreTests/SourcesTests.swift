import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What no source of the core may name: clocks, randomness of the system, event loops, threads and files.
struct SourcesTests {
  private static let folder = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/Sources/Core"

  private static let forbidden = [
    "Clock.now", "Instant.now", " .now", "(.now", "SystemRandomNumberGenerator", "import NIOPosix", "import Glibc",
    "import Foundation", "import Platform",
    "import Dispatch", "import Logging", "import MQTT\n", "import Configuration", "Task {", "Task<", "Task.", " async",
    "await ", "actor ", "DispatchQueue", "SuspendingClock", "ContinuousClock", "@unchecked", "nonisolated(unsafe)",
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
