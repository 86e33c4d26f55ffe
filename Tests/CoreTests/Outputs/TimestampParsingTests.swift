import LimpetInstants
import Testing

@Suite struct TimestampParsingTests {
  @Test(
    "times are read as RFC 3339 has them",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("2023-11-14T22:13:20.5Z", 1_700_000_000_500_000),
      ("2023-11-14T23:13:20+01:00", 1_700_000_000_000_000), ("2024-02-29T12:00:00.1234567Z", 1_709_208_000_123_456),
      ("1969-12-31t23:59:59z", -1_000_000),
    ] as [(String, Int64)])
  func reads(text: String, microseconds: Int64) {
    #expect(Timestamp(parsing: text)?.microseconds == microseconds)
  }

  @Test(
    "anything else is none",
    arguments: [
      "", "2023-11-14", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:13:20",
      "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20Zx", "2023-00-10T00:00:00Z",
    ])
  func refuses(text: String) { #expect(Timestamp(parsing: text) == nil) }

  @Test("what is written is read back")
  func roundTrip() {
    for microseconds in stride(
      from: Int64(-60_000_000_000_000_000), to: 250_000_000_000_000_000, by: 7_777_777_777_777_777)
    {
      let time = Timestamp(microseconds: microseconds)
      #expect(Timestamp(parsing: time.text(.microseconds)) == time)
    }
  }
}
