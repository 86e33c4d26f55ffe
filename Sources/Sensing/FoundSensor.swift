import LimpetPlatform
import LimpetText
import Measuring

/// A sensor that a board has, as `limpet scan` lists it.
public struct FoundSensor: Sendable, Hashable {
  /// A name for its readings: unique among all that were found, and the same after the next boot.
  public var name: String
  public var kind: SensorKind
  /// The factor from the value to `unit`, if `kind` does not apply it itself.
  public var scale = 1.0
  public var unit: String?
  /// Reading it has no side effect; false: a scan lists it without reading it.
  public var isReadByScan = true

  /// Names to choose from, the shortest first; a longer one is taken where several want the same.
  fileprivate let names: [String]

  init(_ kind: SensorKind, named names: [[String]], scale: Double = 1, unit: String? = nil) {
    self.kind = kind
    self.scale = scale
    self.unit = unit
    self.names = names.map { Self.name(of: $0) }
    name = self.names.first ?? ""
  }

  /// Letters and digits of the words, and `_` and `-` between them.
  private static func name(of words: [String]) -> String {
    var name = ""
    for character in words.joined(separator: "_").lowercased() {
      if character.isASCII, character.isLetter || character.isNumber || character == "-" {
        name.append(character)
      } else if name.last != "_" {
        name.append("_")
      }
    }
    while name.last == "_" { name.removeLast() }
    return String(name.drop { $0 == "_" }.prefix(60))
  }
}

extension FoundSensor {
  /// Every sensor below a root, in the order of their types. What cannot be listed is left out.
  public static func all(in root: FileRoot) -> [FoundSensor] {
    let found = SensorType.allCases.flatMap { type in
      type.driver.sensors(root).sorted { naturallyPrecedes("\($0.kind)", "\($1.kind)") }
    }
    return named(found)
  }

  /// Reads each once, beside each other, and waits for all; one that hangs is given up after `timeout`.
  public static func read(
    _ sensors: [FoundSensor], in root: FileRoot, timeout: Duration = .seconds(3)
  ) -> [Result<Measurement, SensorError>] {
    let conversions = W1Conversions()
    let jobs = sensors.filter(\.isReadByScan).map {
      ReadJob(id: $0.name, source: $0.kind.source(in: root, thermometers: conversions), timeout: timeout)
    }
    let all = BlockingReader.readOnce(jobs)
    return sensors.map { sensor in
      guard sensor.isReadByScan else { return .failure(.leftAlone) }
      return all[sensor.name] ?? .failure(.stopped)
    }
  }

  // MARK: Names

  /// Longer names where short ones are taken, and numbers where that does not help.
  private static func named(_ found: [FoundSensor]) -> [FoundSensor] {
    var found = found
    for level in 1..<4 {
      let counts = Dictionary(grouping: found, by: \.name).mapValues(\.count)
      for index in found.indices where counts[found[index].name] ?? 0 > 1 {
        found[index].name = found[index].names.dropFirst(level).first ?? found[index].name
      }
    }
    var taken: Set<String> = []
    for index in found.indices {
      let base = found[index].name
      var number = 1
      while !taken.insert(found[index].name).inserted {
        number += 1
        found[index].name = "\(base)_\(number)"
      }
    }
    return found
  }

  /// The last components of a path, where no other path ends in them; else all of it.
  static func shortEnd(of path: String, components: Int, among paths: [String]) -> String {
    let end = path.split(separator: "/").suffix(components).joined(separator: "/")
    return paths.count { $0.isPath(endingIn: end) } == 1 ? end : path
  }
}

extension SensorKind {
  /// Whether reading it has no side effect.
  package func mayBeRead(in root: FileRoot) -> Bool {
    guard case .one(.system, let settings) = self, let word = settings["value"].flatMap(SystemWord.init(rawValue:))
    else {
      return true
    }
    return !RaspberryPi(root: root).needsFlags(word)
  }
}

extension BlockingReader {
  /// Reads each once, beside each other, and waits for all; one that hangs is given up after its timeout.
  package static func readOnce(_ jobs: [ReadJob]) -> [String: Result<Measurement, SensorError>] {
    let results = ConditionLock<[String: Result<Measurement, SensorError>]>([:])
    let reader = BlockingReader { batch in
      // The first result counts: a read that was given up may still come back.
      results.withLock { results in
        for result in batch where results[result.id] == nil { results[result.id] = result.outcome }
      }
      results.signal()
    }
    // There is one round only: no chip waits for another adapter's, no thermometer for another master's.
    for job in jobs { job.source.locate() }
    let refused = reader.submit(jobs)
    results.withLock { results in
      for result in refused { results[result.id] = result.outcome }
    }
    let all = results.wait { $0.count < Set(jobs.map(\.id)).count ? .wait : .ready($0) }
    reader.shutdown()
    return all
  }
}
