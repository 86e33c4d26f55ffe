import Foundation
import Testing

/// A reading of an input, as its JSON says.
struct LineReading: Decodable, Sendable {
  enum Value: Decodable, Sendable, Equatable {
    case level(Bool)
    case number(Double)
    case word(String)

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let level = try? container.decode(Bool.self) {
        self = .level(level)
      } else if let number = try? container.decode(Double.self) {
        self = .number(number)
      } else {
        self = .word(try container.decode(String.self))
      }
    }
  }

  let time: String
  let value: Value?
  let edge: String?
  let seq: Int
  let quality: String?
  let error: String?
  let lost: Int?
  let suspect: Bool?
  let unit: String?
  let rate: Double?
  let generation: Generation?

  /// Whatever it is written as.
  struct Generation: Decodable, Sendable, Equatable {
    let text: String

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      text = try (try? container.decode(String.self)) ?? String(container.decode(Int.self))
    }
  }

  init(json: String) throws { self = try JSONDecoder().decode(LineReading.self, from: Data(json.utf8)) }

  var level: Bool? { if case .level(let level) = value { level } else { nil } }
  var total: Double? { if case .number(let total) = value { total } else { nil } }
  var word: String? { if case .word(let word) = value { word } else { nil } }
  var isBad: Bool { quality == "bad" && value == nil && error?.isEmpty == false }

  /// Seconds since 1970. A format style would drop the microseconds.
  var seconds: Double {
    get throws {
      let parts = try #require(time.wholeMatch(of: /(.*)\.([0-9]{6})Z/), "\(time) has 6 decimals")
      let whole = try Date.ISO8601FormatStyle().parse(parts.1 + "Z").timeIntervalSince1970
      return whole + Double(try #require(Int(parts.2))) / 1e6
    }
  }
}
