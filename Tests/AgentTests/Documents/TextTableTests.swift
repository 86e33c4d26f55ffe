import Testing

@testable import LimpetText

struct TextTableTests {
  private let table = TextTable([["NAME", "VALUE", "SEQ"], ["door", "", "7"], ["cpu_temperature", "47.2 °C", ""]])

  @Test("columns are as wide as their longest cells, and no line ends with a space")
  func natural() {
    #expect(table.widths == [15, 7, 3])
    #expect(TextTable.width(of: table.widths) == 29)
    #expect(
      table.lines() == ["NAME             VALUE    SEQ", "door                      7", "cpu_temperature  47.2 °C"])
  }

  @Test("what is longer than its column is cut, or pushes the rest of its row away")
  func narrow() {
    #expect(table.lines([6, 5, 3]) == ["NAME    VALUE  SEQ", "door           7", "cpu_t…  47.2…"])
    #expect(
      table.lines([6, 5, 3], cutting: false)
        == ["NAME    VALUE  SEQ", "door           7", "cpu_temperature  47.2 °C"])
  }

  @Test("no rows are no lines, and an empty row is an empty one")
  func empty() {
    #expect(TextTable([]).lines() == [])
    #expect(TextTable([[], ["a"]]).lines() == ["", "a"])
  }

  @Test("numbers are aligned by what stands before them; what is too long stays")
  func aligned() {
    #expect("7".aligned(to: 3) == "  7")
    #expect("1f".aligned(to: 4, filling: "0") == "001f")
    #expect("12345".aligned(to: 4, filling: "0") == "12345")
  }
}
