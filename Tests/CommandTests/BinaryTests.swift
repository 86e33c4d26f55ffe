import Foundation
import LimpetInstants
import TestScene
import Testing

@Suite("The program that is built", .showsLogs)
struct BinaryTests {
  /// Why a program carries all of Foundation; empty where it does not.
  ///
  /// Linked dynamically it shows in the libraries it asks for. Linked statically there are ICU's data, some 30 MB, and
  /// the symbols of either.
  private func marks(ofFoundationIn program: String, _ scene: Scene) async throws -> [String] {
    let dynamic = try await scene.run("readelf-d", ["readelf", "--dynamic", "--wide", program])
    try #require(dynamic.ending == .exited(0))
    let libraries = ["libFoundation.so", "libFoundationInternationalization.so", "lib_FoundationICU.so"]
    var reasons = dynamic.outputLines.filter { line in
      line.contains("(NEEDED)") && libraries.contains { line.contains("[\($0)]") }
    }
    let symbols = try await scene.run("readelf-s", ["readelf", "--symbols", "--wide", program])
    try #require(symbols.ending == .exited(0))
    // The mangled prefixes of the modules Foundation and FoundationInternationalization; ICU's functions; its data.
    let marks = [" $s10Foundation", " $s29FoundationInternationalization", " ucal_open", " icudt"]
    for mark in marks {
      let found = symbols.outputLines.filter { $0.contains(mark) && !$0.contains(" UND ") }
      if let first = found.first { reasons.append("\(found.count) symbols like \(first)") }
    }
    let isStatic = !dynamic.outputLines.contains { $0.contains("[libswiftCore.so]") }
    // What is loaded: 27 MB without Foundation, 74 MB with it. The file also holds the symbols, where it is not stripped.
    let segments = try await scene.run("readelf-l", ["readelf", "--segments", "--wide", program])
    let loaded = segments.outputLines.filter { $0.contains(" LOAD ") }.reduce(0) { sum, line in
      sum + (Int(line.split(separator: " ")[4].dropFirst(2), radix: 16) ?? 0)
    }
    try #require(loaded > 0)
    if isStatic && loaded > 50_000_000 { reasons.append("\(loaded) bytes to load") }
    return reasons
  }

  @Test("limpet does not link all of Foundation")
  func foundation() async throws {
    try await withScene { scene in
      let marks = try await marks(ofFoundationIn: Scene.program, scene)
      #expect(marks == [])
    }
  }

  @Test("the manuals and the reference file are no part of limpet: Documents makes them, on the host")
  func documents() async throws {
    try await withScene { scene in
      let symbols = try await scene.run("readelf-s", ["readelf", "--symbols", "--wide", Scene.program])
      try #require(symbols.outputLines.contains { $0.contains(" $s13Configuration") })
      #expect(symbols.outputLines.first { $0.contains(" $s9Documents") } == nil)
    }
  }

  private static let released = ProcessInfo.processInfo.environment["LIMPET_BINARY"]

  @Test("nor does the release in LIMPET_BINARY", .enabled(if: released != nil))
  func release() async throws {
    try await withScene { scene in
      let program = try #require(Self.released)
      let marks = try await marks(ofFoundationIn: program, scene)
      #expect(marks == [])
      let version = try await scene.run("version", [program, "--version"])
      #expect(version.ending == .exited(0))
    }
  }

  @Test(
    "the release with 10 sensors at 10 s: under 24 MB, no more than 2 wake-ups a second",
    .enabled(if: released != nil))
  func idle() async throws {
    try await withScene { scene in
      let program = try #require(Self.released)
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.sensors = (1...10).map { "{name: s\($0), type: system, value: load1, interval: 10s}" }
      let agent = try scene.agent(settings, program: program)
      try await subscriber.readings("s10", atLeast: 1)
      let (started, before) = (ContinuousClock.now, try agent.wakeUps)
      try await subscriber.readings("s10", atLeast: 3, within: .seconds(40))
      let seconds = (ContinuousClock.now - started) / .seconds(1)
      let wakeUps = try Double(agent.wakeUps - before) / seconds
      #expect(wakeUps <= 2)
      #expect(try agent.residentBytes < 24_000_000)
    }
  }

  @Test("the check itself finds Foundation in a program that has it: this one")
  func counterpart() async throws {
    try await withScene { scene in
      let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      let marks = try await marks(ofFoundationIn: tests, scene)
      #expect(!marks.isEmpty)
    }
  }
}
