import LimpetInstants
import NIOCore
import Testing

@testable import JSON
@testable import LimpetText

struct JSONObjectTests {
  private func written(_ fill: (inout JSONObject) -> Void) -> ByteBuffer {
    var object = JSONObject()
    fill(&object)
    return object.finish()
  }

  @Test("fields stand in the order in which they were added, without a space")
  func order() {
    let object = written {
      $0.add("time", "now")
      $0.addNull("value")
      $0.add("good", false)
      $0.add("restarted", true)
      $0.add("seq", 1042 as UInt64)
      $0.add("rate", 0.5)
    }
    #expect(
      String(buffer: object)
        == #"{"time":"now","value":null,"good":false,"restarted":true,"seq":1042,"rate":0.5}"#)
  }

  @Test("an object without fields")
  func empty() {
    #expect(String(buffer: written { _ in }) == "{}")
  }

  @Test(
    "what JSON escapes is escaped, everything else is UTF-8 as it was",
    arguments: [
      ("plain", "plain"), ("", ""), (#"say "hi""#, #"say \"hi\""#), (#"C:\temp"#, #"C:\\temp"#), ("a/b", "a/b"),
      ("one\ntwo\r\n", #"one\u000atwo\u000d\u000a"#), ("\t\u{8}\u{c}", #"\u0009\u0008\u000c"#),
      ("\u{0}\u{1}\u{1f}", #"\u0000\u0001\u001f"#), ("\u{7f}", "\u{7f}"), ("21 °C", "21 °C"), ("µm², 日本", "µm², 日本"),
      ("👩‍🚒\u{2028}", "👩‍🚒\u{2028}"), ("e\u{301}", "e\u{301}"), (#"\u0041"#, #"\\u0041"#),
    ])
  func texts(text: String, escaped: String) throws {
    let object = written { $0.add("text", text) }
    #expect(Array(object.readableBytesView) == Array("{\"text\":\"\(escaped)\"}".utf8))
    #expect(try JSONText(object) == .object([.init(name: "text", value: .text(text))]))
  }

  @Test("every character of ASCII comes back as it was")
  func ascii() throws {
    let text = String(
      String.UnicodeScalarView((0..<128).compactMap(Unicode.Scalar.init(_:) as (Int) -> Unicode.Scalar?)))
    #expect(text.unicodeScalars.count == 128)
    #expect(try JSONText(written { $0.add("text", text) })["text"] == .text(text))
  }

  @Test(
    "a number is written in the shortest form that reads as the same number, a whole one without a fraction",
    arguments: [
      (21.5, "21.5"), (3, "3"), (-3, "-3"), (0, "0"), (-0.0, "0"), (0.1, "0.1"), (0.1 + 0.2, "0.30000000000000004"),
      (47.774, "47.774"), (-273.15, "-273.15"), (1e-7, "1e-07"), (1e300, "1e+300"), (1e15, "1000000000000000"),
      (9_007_199_254_740_991, "9007199254740991"), (-9_007_199_254_740_991, "-9007199254740991"),
      (9_007_199_254_740_992, "9007199254740992.0"), (1e16, "1e+16"), (.leastNonzeroMagnitude, "5e-324"),
      (.greatestFiniteMagnitude, "1.7976931348623157e+308"), (-.leastNormalMagnitude, "-2.2250738585072014e-308"),
    ])
  func numbers(number: Double, text: String) throws {
    #expect(number.shortestDecimal == text)
    #expect(try JSONText(written { $0.add("value", number) })["value"] == .number(text))
    #expect(Double(text) == number)
  }

  @Test("any number is valid JSON and reads back as itself")
  func anyNumber() throws {
    var generator = SplitMix64(seed: 754)
    for _ in 0..<5000 {
      let number = Double(bitPattern: generator.next())
      guard number.isFinite else { continue }
      guard case .number(let text)? = try JSONText(written { $0.add("value", number) })["value"] else {
        Issue.record("\(number) is not written as a number")
        continue
      }
      #expect(Double(text) == number)
    }
  }

  @Test(
    "what is no number in JSON is null, never a word that breaks the whole object",
    arguments: [
      Double.infinity, -.infinity, .nan,
    ])
  func notFinite(number: Double) throws {
    #expect(try JSONText(written { $0.add("value", number) })["value"] == .null)
  }

  @Test("integers are exact beyond what a Double can hold")
  func integers() {
    let object = written {
      $0.add("most", UInt64.max)
      $0.add("value", .integer(.max))
      $0.add("least", .integer(.min))
      $0.add("odd", .integer(9_007_199_254_740_993))
    }
    #expect(
      String(buffer: object) == #"{"most":18446744073709551615,"value":9223372036854775807,"#
        + #""least":-9223372036854775808,"odd":9007199254740993}"#)
  }

  @Test("a value is written as what it is")
  func values() {
    let object = written {
      $0.add("number", .number(21.5))
      $0.add("whole", .number(21))
      $0.add("integer", .integer(21))
      $0.add("text", .text("21"))
      $0.add("flag", .flag(true))
    }
    #expect(String(buffer: object) == #"{"number":21.5,"whole":21,"integer":21,"text":"21","flag":true}"#)
  }
}

/// The reader of the tests itself: what it takes is JSON.
struct JSONTextTests {
  @Test(
    "what is no JSON is refused",
    arguments: [
      "", "{", "{}}", "{}\n", #"{"a":}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a" 1}"#, #"{a:1}"#, #"{"a":inf}"#,
      #"{"a":nan}"#, #"{"a":01}"#, #"{"a":1.}"#, #"{"a":.5}"#, #"{"a":+1}"#, #"{"a":1e}"#, #"{"a":-}"#,
      "{\"a\":\"\n\"}", #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":"}"#, #"{"a":True}"#,
    ])
  func refused(text: String) {
    #expect(throws: JSONText.Flaw.self) { try JSONText(Array(text.utf8)) }
  }
}
