import Testing

@testable import Configuration

/// A declared key by its path, and how to write a value for it into a file.
struct DeclaredKey: CustomTestStringConvertible, Sendable {
  let path: String
  let declaration: Declaration

  var testDescription: String { path }

  /// A whole configuration with this key set.
  func file(_ value: String) -> String {
    let words = path.split(separator: ".").map(String.init)
    switch (words.count, words.first) {
    case (1, _): return minimalConfiguration + "\(path): \(value)\n"
    case (2, "broker"): return minimalConfiguration + "  \(words[1]): \(value)\n"
    case (3, "broker"): return "broker:\n  url: mqtts://h\n  \(words[1]): {\(words[2]): \(value)}\n"
    default: return minimalConfiguration + "\(words[0]): {\(words[1]): \(value)}\n"
    }
  }

  static let all: [DeclaredKey] = {
    var keys: [DeclaredKey] = []
    func collect(_ declarations: [Declaration], _ prefix: String) {
      for declaration in declarations {
        switch declaration.content {
        case .section(let inner): collect(inner, "\(prefix)\(declaration.name).")
        case .scalar: keys.append(DeclaredKey(path: prefix + declaration.name, declaration: declaration))
        case .scalars, .texts, .entries: break
        }
      }
    }
    collect(Configuration.declarations, "")
    return keys
  }()
}

struct DeclarationTests {
  @Test("the tree has every key of every section, each with a sentence of help")
  func tree() {
    #expect(DeclaredKey.all.count == 42)
    #expect(DeclaredKey.all.allSatisfy { $0.declaration.help.hasSuffix(".") })
  }

  @Test("a default that is written down changes nothing", arguments: DeclaredKey.all)
  func writtenDefault(key: DeclaredKey) throws {
    guard case .standard(let text) = key.declaration.need else { return }
    var written = try #require(loadConfiguration(key.file("'\(text)'")).configuration)
    written.presence.isLeaseWritten = false
    let isTLS = key.path.split(separator: ".").count == 3
    #expect(written == loadConfiguration(isTLS ? "broker:\n  url: mqtts://h\n" : minimalConfiguration).configuration)
  }

  @Test("every declared key is read: a list in its place is an error at its path", arguments: DeclaredKey.all)
  func isRead(key: DeclaredKey) {
    let paths = loadConfiguration(key.file("[x]")).diagnostics.filter { $0.severity == .error }.map(\.path)
    #expect(paths == [key.path])
  }

  @Test("every key of entries is read", arguments: InputKeys.all.map(\.name))
  func inputKeys(name: String) {
    let others = ["name: a", "line: 4", "mode: counter"].filter { !$0.hasPrefix("\(name):") }
    let result = loadConfiguration(
      minimalConfiguration + "inputs: [{\((others + ["\(name): [x]"]).joined(separator: ", "))}]\n")
    #expect(result.diagnostics.filter { $0.severity == .error }.map(\.path) == ["inputs[0].\(name)"])
  }

  @Test("every key of every sensor type is read", arguments: SensorType.allCases)
  func sensorKeys(type: SensorType) {
    for key in SensorKeys.common + SensorKeys.keys(of: type) {
      let typed = key.name == "type" ? "" : "type: \(type.rawValue), "
      let result = loadConfiguration(minimalConfiguration + "sensors: [{\(typed)\(key.name): [x]}]\n")
      // A list of one word is right where a list may stand.
      let complaint =
        switch key.content {
        case .section: "a list stands where keys are expected"
        case .texts: "write 1 to 256 texts and what they stand for"
        case .scalars: ""
        case .scalar, .entries: "a list stands where a single value is expected"
        }
      #expect(
        complaint.isEmpty
          || result.diagnostics.contains {
            $0.path == "sensors[0].\(key.name)" && $0.message.hasPrefix(complaint)
          })
    }
  }
}
