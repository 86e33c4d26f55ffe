import JSON
import Testing

@Suite("JSON texts are read as RFC 8259 has them")
struct JSONValueTests {
  private func parse(_ text: String) -> JSONValue? { JSONValue(parsing: Array(text.utf8)) }

  @Test("each kind of value, with spaces around and escapes within")
  func values() throws {
    let read = try #require(
      parse(
        #" { "a" : "x\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é" , "n": -1.5e3 ,"t":true,"o":{"x":[1,"}"]},"e":"", "z":null } "#
      ))
    #expect(read["a"]?.text == "x\"\\/\u{8}\u{C}\n\r\té😀é")
    #expect(read["n"]?.compact == "-1500")
    #expect(read["t"]?.flag == true)
    #expect(read["o"]?.compact == #"{"x":[1,"}"]}"#)
    #expect(read["e"]?.text == "")
    if case .null? = read["z"] {} else { Issue.record("z is null") }
    #expect(read["x"] == nil)
    #expect(parse("{}") != nil)
    #expect(parse("[\"a\",\"b\"]")?.texts == ["a", "b"])
    #expect(parse("[\"a\",1]")?.texts == nil)
    #expect(parse("{\"a\":1,\"a\":2}")?["a"]?.integer == 2)
  }

  @Test("numbers: whole ones as they are, all others as the nearest Double")
  func numbers() {
    #expect(parse("9223372036854775807")?.integer == .max)
    #expect(parse("9223372036854775808")?.compact == "9.223372036854776e+18")
    #expect(parse("4294967296")?.integer == 4_294_967_296)
    #expect(parse("-0")?.integer == 0)
    #expect(parse("21.50")?.compact == "21.5")
    #expect(parse("1E-7")?.compact == "1e-07")
  }

  @Test(
    "what the grammar does not allow is nothing",
    arguments: [
      "", "{", "{]", "[}", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":\"x}", "{\"a\":\"\\", "{}x",
      "{\"a\":\"\\u12\"}", "{\"a\":\"\\uzzzz\"}", "{\"a\":{}", "{\"a\":\"\n\"}", "{\"a\":[}", "[1,]", "[,]",
      "01", "+1", "1.", ".5", "1e", "-", "nul", "truee", "tru", "'a'", "{a:1}", "[1 2]", "1e999", "NaN",
    ])
  func broken(_ text: String) { #expect(parse(text) == nil, "\(text)") }

  @Test("bytes that are no UTF-8 are nothing, and deep nesting ends nothing but the reading")
  func hostile() {
    #expect(JSONValue(parsing: [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D] as [UInt8]) == nil)
    func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
    #expect(parse(nested(JSONValue.depthLimit)) != nil)
    #expect(parse(nested(JSONValue.depthLimit + 1)) == nil)
    #expect(parse(nested(100_000)) == nil)
  }
}
