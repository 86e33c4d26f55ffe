import LimpetInstants
import Testing

@testable import LimpetPlatform
@testable import LimpetText
@testable import Measuring
@testable import Readings

struct ConditioningTests {
  private func content(_ value: Value, _ conditioning: Conditioning, doubt: Doubt? = nil) -> Reading.Content {
    conditioning.content(of: Measurement(value: value, doubt: doubt, time: .now))
  }

  @Test("without keys a value stays what it is")
  func untouched() {
    for value in [Value.integer(7), .number(0.1), .text("Full"), .flag(true)] {
      #expect(content(value, Conditioning()) == .good(value))
    }
    let doubt = Doubt(.alarm, "temp1_max_alarm")
    #expect(content(.integer(7), Conditioning(), doubt: doubt) == .doubtful(.integer(7), doubt))
  }

  @Test("texts are mapped, and numbers as they are printed; what the map lacks is bad")
  func map() {
    let conditioning = Conditioning(map: ["open": .integer(1), "0": .text("shut"), "1.5": .flag(true)])
    #expect(content(.text("open"), conditioning) == .good(.integer(1)))
    #expect(content(.integer(0), conditioning) == .good(.text("shut")))
    #expect(content(.number(1.5), conditioning) == .good(.flag(true)))
    #expect(content(.text("ajar"), conditioning) == .bad("\"ajar\" is not in map"))
  }

  @Test("what is mapped is calibrated, then held against the range")
  func order() {
    let conditioning = Conditioning(
      map: ["low": .integer(10), "high": .integer(90)], scale: 0.1, offset: 1, range: .init(min: 2, max: 9))
    #expect(content(.text("low"), conditioning) == .good(.number(2)))
    #expect(content(.text("high"), conditioning) == .bad("10 is outside of range, 2 to 9"))
  }

  @Test(
    "a value outside of its range is none; the bounds belong to it",
    arguments: [
      (-40, -40, 85, nil), (85, -40, 85, nil), (85.01, -40, 85, "85.01 is outside of range, -40 to 85"),
      (-41, -40, nil, "-41 is outside of range, from -40"), (1e9, -40, nil, nil),
      (6, nil, 5, "6 is outside of range, up to 5"),
    ] as [(Double, Double?, Double?, String?)])
  func range(number: Double, min: Double?, max: Double?, complaint: String?) {
    let conditioning = Conditioning(range: .init(min: min, max: max))
    #expect(content(.number(number), conditioning) == complaint.map { .bad($0) } ?? .good(.number(number)))
  }

  @Test("texts have no range")
  func textRange() {
    #expect(content(.text("Full"), Conditioning(range: .init(min: 0, max: 1))) == .good(.text("Full")))
  }

  @Test("a value that its calibration makes infinite is bad")
  func infinite() {
    #expect(
      content(.number(1e300), Conditioning(scale: 1e300))
        == .bad("scale and offset make the value too large for a number"))
  }

  @Test(
    "rounding is to digits behind the point, of each channel too",
    arguments: [
      (.good(.number(21.4567)), 1, .good(.number(21.5))), (.good(.number(21.4567)), 0, .good(.number(21))),
      (.good(.integer(12345)), 1, .good(.integer(12345))), (.good(.text("x")), 1, .good(.text("x"))),
      (.bad("no"), 1, .bad("no")),
      (
        .doubtful(.number(1.26), Doubt(.alarm, "a")), 1,
        .doubtful(.number(1.3), Doubt(.alarm, "a"))
      ),
      (
        .good(.channels([ChannelValue("a", .number(1.26), unit: "V"), ChannelValue("b", nil)])), 1,
        .good(.channels([ChannelValue("a", .number(1.3), unit: "V"), ChannelValue("b", nil)]))
      ),
    ] as [(Reading.Content, Int, Reading.Content)])
  func rounding(content: Reading.Content, decimals: Int, expected: Reading.Content) {
    #expect(content.rounded(decimals: decimals) == expected)
  }
}
