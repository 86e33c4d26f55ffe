import Testing

@testable import LimpetText

@Suite struct DecimalsTests {
  @Test(
    "decimals are those of the shortest text",
    arguments: [
      (0, 0), (3, 0), (0.25, 2), (-1.5, 1), (5e-07, 7), (5.96e-07, 9), (1e20, 0), (1.5e16, 0), (0.1, 1), (1e-5, 5),
    ] as [(Double, Int)])
  func decimals(number: Double, count: Int) {
    #expect(number.decimals == count)
  }

  @Test("what is not finite has none, and is rounded to itself")
  func infinite() {
    #expect(Double.infinity.decimals == nil && Double.nan.decimals == nil)
    #expect(Double.infinity.rounded(decimals: 2) == .infinity)
  }

  @Test(
    "rounding gives the nearest decimal",
    arguments: [
      (26.850000000000023, 2, 26.85), (1234.5, 0, 1235), (-0.04, 1, 0), (0.1 + 0.2, 1, 0.3), (1e15, 3, 1e15),
      (2.5, 20, 2.5),
    ] as [(Double, Int, Double)])
  func rounding(number: Double, decimals: Int, rounded: Double) {
    #expect(number.rounded(decimals: decimals) == rounded)
  }
}
