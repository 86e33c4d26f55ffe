import Foundation
import Testing

/// What `limpet status --json` prints, as far as tests look at it.
package struct ControlStatus: Decodable, Sendable {
  package struct Connection: Decodable, Sendable {
    package struct Failure: Decodable, Sendable {
      package let time: String
      package let error: String
    }

    package let state: String
    package let server: String?
    package let version: String?
    package let sessionPresent: Bool?
    package let keepalive: Int?
    package let since: String
    package let nextTry: String?
    package let lastError: Failure?
  }

  package struct Presence: Decodable, Sendable {
    package let topic: String
    package let epoch: Int
    package let selfHeal: String
    package let conflict: String?
  }

  package struct Buffer: Decodable, Sendable {
    package let readings: Int
    package let bytes: Int
    package let limitBytes: Int
    package let underWay: Int
    package let stored: Int
  }

  package struct Row: Decodable, Sendable {
    package let name: String
    package let topic: String
    package let time: String?
    package let value: Double?
    package let quality: String
    package let error: String?
    package let seq: Int?
  }

  package let version: String
  package let device: String
  package let pid: Int
  package let logLevel: String
  package let connection: Connection
  package let presence: Presence
  package let buffer: Buffer
  package let readings: [Row]

  package init(json: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(ControlStatus.self, from: Data(json.utf8))
  }
}

/// The numbers of `limpet status --json` by their names; those that are apart by a label as sums.
package func figures(inStatus json: String) throws -> [String: Double] {
  let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
  let figures = try #require(object["figures"] as? [String: Any])
  return figures.mapValues { value in
    if let number = value as? Double { return number }
    return (value as? [String: Double])?.values.reduce(0, +) ?? .nan
  }
}
