import Testing

@testable import Configuration

struct InclusionTests {
  @Test("files that a pattern names add their entries and keys, in the order of their names")
  func joined() throws {
    let result = loadConfiguration(
      minimalConfiguration + "include: conf.d/*.yaml\nsensors: [{name: first, type: system, value: load1}]\n")
    #expect(printed(result) == [])
    let configuration = try #require(result.configuration)
    #expect(configuration.sensors.map(\.name) == ["first", "added", "more"])
    #expect(configuration.broker.username == "shed")
  }

  @Test("a pattern that matches nothing adds nothing, and a file that is named twice is read once")
  func nothing() {
    #expect(loadConfiguration(minimalConfiguration + "include: conf.d/none*.yaml\n").diagnostics == [])
    let twice = loadConfiguration(minimalConfiguration + "include: [conf.d/a.yaml, conf.d/?.yaml]\n")
    #expect(printed(twice) == [])
    #expect(twice.configuration?.sensors.map(\.name) == ["added", "more"])
  }

  @Test("what the first file lacks, an included one may have")
  func required() {
    let files = ConfigurationFiles { path, _ in
      path == "conf.d/b.yaml"
        ? .success(.init(bytes: Array("broker: {url: mqtt://h}\n".utf8), mode: 0o600)) : .failure(.init(code: 2))
    }
    let result = Configuration.load(
      bytes: Array("include: conf.d/b.yaml\nbroker:\n".utf8), path: "limpet.yaml", files: files)
    #expect(printed(result) == [])
    #expect(result.configuration?.broker.urls.count == 1)
  }

  @Test(
    "a pattern is matched as a shell does",
    arguments: [
      ("a.yaml", "*.yaml", true), ("a.yml", "*.yaml", false), ("abc", "a*c", true), ("ac", "a*c", true),
      ("abcc", "a*c", true), ("abcd", "a*c", false), ("ab", "a?", true), ("a", "a?", false), ("", "*", true),
      ("aXbXc", "a*X*c", true), ("aaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*c", false),
    ])
  func patterns(name: String, pattern: String, matches: Bool) {
    #expect(Inclusion.matches(name, pattern) == matches)
  }

  @Test("more files than anyone has are refused")
  func many() {
    let files = ConfigurationFiles(
      open: { _, _ in .success(.init(bytes: [], mode: 0o600)) }, list: { _ in .success((0..<100).map { "\($0).yaml" }) }
    )
    let result = Configuration.load(
      bytes: Array((minimalConfiguration + "include: '*.yaml'\n").utf8), path: "c", files: files)
    #expect(printed(result) == ["3:10: include: names more than 64 files; write fewer"])
  }
}
