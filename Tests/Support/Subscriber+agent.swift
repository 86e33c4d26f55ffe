import Foundation
import Testing

/// What an agent publishes.
extension Subscriber {
  /// The readings of one name.
  package func readings(_ name: String, of device: String = "board") throws -> [Reading] {
    try records(of: "limpet/\(device)/\(name)").map { try Reading(json: $0.payload) }
  }

  /// Waits for so many readings of a name.
  @discardableResult
  package func readings(
    _ name: String, atLeast count: Int, of device: String = "board", within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [Reading] {
    try await eventually("\(count) readings of \(name)", within: limit, sourceLocation: sourceLocation) {
      let readings = try readings(name, of: device)
      return readings.count >= count ? readings : nil
    }
  }

  /// Waits until the device's status is said to be `text`, in news after the first `skipping`.
  @discardableResult
  package func status(
    _ text: String, of device: String = "board", skipping: Int = 0, within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Record {
    try await eventually("status \(text)", within: limit, sourceLocation: sourceLocation) {
      news(of: "limpet/\(device)/status").dropFirst(skipping).first { $0.payload == text }
    }
  }

  /// Waits for a presence message of an event, in news after the first `skipping`.
  package func presence(
    _ event: String, of device: String = "board", skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Presence {
    try await eventually("presence \(event)", sourceLocation: sourceLocation) {
      try news(of: "limpet/\(device)/presence").dropFirst(skipping).map { try Presence(json: $0.payload) }
        .first { $0.event == event }
    }
  }
}

/// A reading's JSON.
package struct Reading: Decodable, Sendable, Equatable {
  package let time: String
  package let value: Double?
  package let unit: String?
  package let quality: String?
  package let error: String?
  package let seq: Int
  package let restarted: Bool?

  package init(json: String) throws { self = try JSONDecoder().decode(Reading.self, from: Data(json.utf8)) }

  package var date: Date {
    get throws { try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(time) }
  }
}

/// The presence topic's JSON.
package struct Presence: Decodable, Sendable {
  package let event: String
  package let reason: String
  package let epoch: Int
  package let instance: String
  package let since: String
  package let version: String
  package let sessionPresent: Bool
  package let detectWithin: Double
  /// Seconds; nil: nobody asks.
  package let goneFor: Int?

  package init(json: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(Presence.self, from: Data(json.utf8))
  }
}
