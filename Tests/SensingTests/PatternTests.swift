import Testing

@testable import LimpetText

@Suite struct PatternTests {
  @Test("a pattern that could take long or much memory is refused")
  func bounds() {
    func flaw(_ text: String) -> Pattern.Flaw? {
      do throws(Pattern.Flaw) {
        _ = try Pattern(text)
        return nil
      } catch { return error }
    }
    #expect(flaw(String(repeating: "a", count: 256)) == nil)
    #expect(flaw(String(repeating: "a", count: 257)) == .tooLong)
    #expect(flaw(#"(a)\1"#) == .backReference)
    #expect(flaw(#"(a)\\1"#) == nil)
    #expect(flaw("((a{10}){10}){10}") == nil)
    #expect(flaw("((a{10}){10}){11}") == .tooManyRepetitions)
    #expect(flaw("a{2,1001}") == .tooManyRepetitions)
    #expect(flaw("a{99999999999999999999}") == .tooManyRepetitions || flaw("a{99999999999999999999}") != nil)
    #expect(flaw("(a") == .syntax("Unmatched ( or \\("))
    #expect(flaw("[a") != nil && flaw("*") != nil)
  }

  @Test("the first match counts, a group that took no part gives none, and NUL ends nothing")
  func matching() throws {
    #expect(try Pattern("b+").firstMatch(in: "abbab") == "bb")
    #expect(try Pattern("(x)|b").firstMatch(in: "b") == nil)
    #expect(try Pattern("c(.)").firstMatch(in: "a\u{0}cd") == "d")
    #expect(try Pattern("°([A-Z])").firstMatch(in: "21 °C") == "C")
    #expect(try Pattern("a").firstMatch(in: "") == nil)
    #expect(try Pattern("^$").firstMatch(in: "") == "")
  }

  @Test("64 KiB without a match take no time to speak of", .timeLimit(.minutes(1)))
  func long() throws {
    let text = String(repeating: "a", count: 65_000)
    #expect(try Pattern("(a*)*b").firstMatch(in: text) == nil)
    #expect(try Pattern("(((a|b)*c)*d)*e").firstMatch(in: text) == nil)
    #expect(try Pattern("(a|aa)+").firstMatch(in: text)?.utf8.count ?? 0 > 0)
    #expect(try Pattern("b").firstMatch(in: String(text.prefix(16_383)) + "b") == "b")
    #expect(try Pattern("b").firstMatch(in: String(text.prefix(16_384)) + "b") == nil)
  }
}
