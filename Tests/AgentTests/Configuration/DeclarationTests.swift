import Testing

@testable import Configuration
@testable import Measuring

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
    #expect(DeclaredKey.all.count == 48)
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

  @Test("every declared key is read: what can be no value of it is an error at its path", arguments: KeyPlace.all)
  func isRead(place: KeyPlace) {
    let wrong =
      switch place.declaration.content {
      case .scalar, .section: "[[x]]"
      // A list of one word, or a mapping, is right where these may stand.
      case .scalars, .texts, .entries: "[{x: [x]}]"
      }
    let unread = place.frames.map { place.file(wrong, in: $0) }.first { file in
      !loadConfiguration(file).diagnostics.contains {
        $0.severity == .error && $0.path?.hasPrefix(place.path) ?? false
      }
    }
    #expect(unread == nil)
  }

  @Test("no declared key is without effect: some of its values make another configuration", arguments: KeyPlace.all)
  func hasEffect(place: KeyPlace) {
    // These hold keys, which are looked at themselves; a type is in effect where any key of its own is.
    switch place.declaration.content {
    case .section, .entries: return
    case .scalar, .scalars, .texts: if place.path.hasSuffix("[0].type") { return }
    }
    let hasEffect = place.frames.contains { frame in
      let files = ([nil] + place.candidates.map { $0 }).map { place.file($0, in: frame) }
      let configurations = files.compactMap { loadConfiguration($0).configuration }
      return configurations.contains { $0 != configurations.first }
    }
    #expect(hasEffect, "tried \(place.candidates) in \(place.frames.map { place.file("…", in: $0) })")
  }

  @Test("texts name a key as its declaration does, with its section")
  func paths() {
    #expect(Configuration.path(of: DeviceKeys.id) == "device.id")
    #expect(Configuration.path(of: BrokerKeys.clientID) == "broker.client_id")
    #expect(Configuration.path(of: BrokerKeys.cleanStart) == "broker.clean_start")
    #expect(Configuration.path(of: StorageKeys.path) == "storage.path")
    #expect(Configuration.path(of: StorageKeys.maxSize) == "storage.max_size")
    #expect(Configuration.path(of: MetricsKeys.listen) == "metrics.listen")
    #expect(Configuration.path(of: ConfigurationKeys.metricsFile) == "metrics_file")
    #expect(Configuration.path(of: ConfigurationKeys.control) == "control")
  }
}
