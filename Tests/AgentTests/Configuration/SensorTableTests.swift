import LimpetPlatform
import Sensing
import Testing

@testable import Configuration
@testable import Measuring

/// What holds for every row of the table of sensor types, and so for the next one too.
struct SensorTableTests {
  private func sensors(_ entries: [String]) -> [SensorConfiguration] {
    let result = loadConfiguration(minimalConfiguration + "sensors: [\(entries.joined(separator: ", "))]\n")
    #expect(printed(result) == [])
    return result.configuration?.sensors ?? []
  }

  /// Each value by itself.
  private func kinds(of type: SensorType) -> [SensorKind] {
    sensors(type.entry.samples + type.entry.examples).flatMap { sensor in
      if case .channels(let members) = sensor.source { members.map(\.kind) } else { [sensor.source] }
    }
  }

  @Test("a type has examples, and they are right and of that type", arguments: SensorType.allCases)
  func examples(type: SensorType) {
    let kinds = kinds(of: type)
    #expect(!kinds.isEmpty)
    for kind in kinds {
      if case .one(let other, _) = kind { #expect(other == type) } else { Issue.record("\(kind)") }
    }
  }

  @Test("what scan writes of a sensor is read as that sensor", arguments: SensorType.allCases)
  func roundTrip(type: SensorType) {
    for kind in kinds(of: type) {
      let keys = kind.written.map { "\($0.key): '\($0.value)'" }.joined(separator: ", ")
      #expect(sensors(["{name: a, \(keys)}"]).map(\.source) == [kind])
    }
  }

  @Test("a type has a source that needs no more than its keys", arguments: SensorType.allCases)
  func source(type: SensorType) {
    for kind in kinds(of: type) {
      // A root without anything: what is named is not there, and says so.
      #expect(throws: SensorError.self) { try kind.source(in: FileRoot("/nonexistent")).read() }
      #expect(kind.details(in: FileRoot("/nonexistent")).isEmpty)
    }
  }

  @Test("of each value there is a title, and a unit for numbers only", arguments: SensorType.allCases)
  func description(type: SensorType) {
    for kind in kinds(of: type) {
      #expect(!kind.description.isEmpty)
      #expect(kind.unit == nil || kind.shape == .number)
    }
  }

  @Test("a key of a selection is one of the type's keys", arguments: SensorType.allCases)
  func selection(type: SensorType) {
    let names = type.entry.keys.map(\.name)
    #expect(Set(names).count == names.count)
    guard let selection = type.entry.selection else { return }
    #expect(!selection.keys.isEmpty && selection.keys.allSatisfy(names.contains))
    #expect(selection.keys.count == 1 || !selection.conflict.isEmpty)
    #expect(!names.contains(selection.several.name))
  }
}
