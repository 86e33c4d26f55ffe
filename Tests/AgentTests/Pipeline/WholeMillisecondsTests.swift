import Testing

@testable import LimpetInstants

struct WholeMillisecondsTests {
  @Test(
    "a duration as poll(2) takes it: rounded up, and never more or less than fits",
    arguments: [
      (.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1), 1), (.microseconds(1001), 2), (.seconds(60), 60_000),
      (.seconds(-1), 0), (.nanoseconds(-1), 0), (.seconds(2_147_482), 2_147_482_000),
      (.seconds(2_147_482) + .nanoseconds(999_999_999), 2_147_483_000), (.seconds(2_147_483), .max),
      (.seconds(30 * 86_400), .max), (.seconds(Int64.max), .max), (.seconds(Int64.min), 0),
    ] as [(Duration, Int32)])
  func wholeMilliseconds(duration: Duration, expected: Int32) {
    #expect(duration.wholeMilliseconds == expected)
  }
}
