import LimpetText
import YAML

/// A reading by its `name` key.
struct NamedReading {
  var name: String
  var written: Written
  /// Of its entity in Home Assistant, where it is given.
  var uniqueID: UniqueID?

  struct UniqueID {
    let text: String
    let written: Written
  }
}

/// The rules over all readings: every name and every topic has one owner.
struct ReadingRules {
  let device: Configuration.Identifier
  let topic: Field<TopicTemplate>
  let presence: Field<TopicTemplate>
  /// The topic of the health reading is taken.
  let publishesHealth: Bool
  let log: DiagnosticLog

  /// - Parameter readings: inputs and sensors, in any order; if two collide, the later one in the file is reported.
  func check(_ readings: [NamedReading]) {
    if !presence.isWrong, expand(presence.value, nil) == expand(.description, nil), let written = presence.written {
      log.error(
        written.value, written.path,
        "\(TopicTemplate.description) describes the last birth or stop; write another topic")
    }
    var places: [String: Position] = [:]
    var topics: [String: NamedReading] = [:]
    for reading in readings.sorted(by: { $0.written.key < $1.written.key }) {
      let (key, path) = (reading.written.key, reading.written.path)
      if let place = places[reading.name] {
        let line = log.line(place, seenFrom: key)
        log.error(key, path, "\(quoted(reading.name)) is already the name of a reading on \(line); write another")
        continue
      }
      places[reading.name] = key
      guard !topic.isWrong else { continue }
      let expanded = expand(topic.value, reading.name)
      if let other = topics.updateValue(reading, forKey: expanded) {
        log.error(
          key, path,
          "its topic \(quoted(expanded)) is already that of \(quoted(other.name)) on "
            + "\(log.line(other.written.key, seenFrom: key)); put {name} into topic")
      } else {
        checkPresence(reading, expanded)
      }
    }
  }

  private func checkPresence(_ reading: NamedReading, _ expanded: String) {
    let (key, path) = (reading.written.key, reading.written.path)
    if !presence.isWrong, expanded == expand(presence.value, nil) {
      // The later of the two keys, as with every conflict.
      let later = [reading.written, presence.written].compactMap { $0 }.max { $0.key < $1.key }
      log.error(
        later?.key ?? key, later?.path ?? path,
        "\(quoted(reading.name)) has the topic \(quoted(expanded)), which is the presence topic; write another")
    } else if expanded == expand(.description, nil) {
      log.error(
        key, path,
        "\(quoted(reading.name)) has the topic \(quoted(expanded)), which describes the presence; write another name"
      )
    } else if expanded == expand(.probe, nil) {
      log.error(
        key, path,
        "\(quoted(reading.name)) has the topic \(quoted(expanded)), which `limpet probe` uses; write another name")
    } else if publishesHealth, expanded == expand(.health, nil) {
      log.error(
        key, path,
        "\(quoted(reading.name)) has the topic \(quoted(expanded)), where the health reading goes; write another "
          + "name, or health: {interval: 0s}")
    }
  }

  private func expand(_ template: TopicTemplate, _ name: String?) -> String {
    guard case .given(let id) = device else { return template.expanded(device: nil, name: name) }
    return template.expanded(device: id, name: name)
  }
}
