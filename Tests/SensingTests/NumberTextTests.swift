import Testing

@testable import LimpetText
@testable import Measuring
@testable import Sensing

@Suite struct NumberTextTests {
  @Test(
    "decimal numbers are read, integers exactly",
    arguments: [
      ("0", .integer(0)), ("-40000", .integer(-40000)), ("+7", .integer(7)), (" 42\n", .integer(42)),
      ("9223372036854775807", .integer(.max)), ("9007199254740993", .integer(9_007_199_254_740_993)),
      ("18446744073709551615", .number(18_446_744_073_709_551_616)), ("1.5", .number(1.5)), (".5", .number(0.5)),
      ("5.", .number(5)), ("-1e3", .number(-1000)), ("2.5E-1", .number(0.25)), ("1e-400", .number(0)),
    ] as [(String, Value)])
  func numbers(text: String, value: Value) throws {
    #expect(try number(in: text) == value)
  }

  @Test(
    "everything else is refused, each for its own reason",
    arguments: [
      ("", .empty), ("\n", .empty), ("1 2", .severalWords), ("85 C", .severalWords), ("nan", .notANumber),
      ("-NaN", .notANumber), ("inf", .infinite), ("-Infinity", .infinite), ("1e999", .tooLarge), ("-1e999", .tooLarge),
      (String(repeating: "9", count: 400), .tooLarge), ("18446744073709551616", .tooLarge),
      ("-99999999999999999999", .tooLarge), ("on", .text), ("0x1f", .text), ("0x1p3", .text), ("1,5", .text),
      ("12abc", .text), ("-", .text), (".", .text), ("1e", .text), ("1e+", .text), ("--1", .text), ("1_000", .text),
      ("nan(1)", .text), ("٣", .text),
    ] as [(String, NumberFlaw)])
  func refusals(text: String, flaw: NumberFlaw) {
    #expect(throws: flaw) { try number(in: text) }
  }

  @Test("thousandths print as they are")
  func thousandths() {
    for raw in Int64(-2000)...120_000 {
      guard case .number(let value) = Value.divided(raw, by: 1000) else {
        Issue.record("\(raw) is no number")
        return
      }
      // Read back from the shortest text, it is the kernel's integer again, so nothing was added by the division.
      let text = "\(value)"
      let fraction = text.split(separator: ".").dropFirst().first ?? ""
      #expect(fraction.count <= 3 && Double(text) == value && (value * 1000).rounded() == Double(raw))
    }
    #expect("\(Value.divided(47774, by: 1000))" == "47.774")
    #expect(Value.divided(1234, by: 1) == .integer(1234))
  }

  @Test("foreign text in a message is short and cannot control the terminal")
  func printableText() {
    #expect(printable("a\u{1B}[2Jb\n") == "a\\u{1b}[2Jb\\u{a}")
    #expect(printable("°C ü") == "°C ü")
    #expect(printable(String(repeating: "x", count: 50), limit: 3) == "xxx...")
  }
}
