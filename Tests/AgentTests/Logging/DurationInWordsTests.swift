import Testing

@testable import LimpetText

struct DurationInWordsTests {
  @Test(
    "a duration in the largest unit of which there are two",
    arguments: [
      (.zero, "0 ms"), (.milliseconds(1), "1 ms"), (.milliseconds(850), "850 ms"), (.milliseconds(999), "999 ms"),
      (.seconds(1), "1 s"), (.milliseconds(1500), "1.5 s"), (.seconds(30), "30 s"), (.seconds(90), "90 s"),
      (.seconds(119), "119 s"), (.seconds(120), "2 min"), (.seconds(150), "2.5 min"), (.seconds(7199), "120 min"),
      (.seconds(7200), "2 h"), (.seconds(9 * 3600), "9 h"), (.seconds(47 * 3600), "47 h"),
      (.seconds(48 * 3600), "2 d"), (.seconds(7 * 86_400), "7 d"), (.seconds(365 * 86_400), "365 d"),
      (.seconds(-30 * 86_400), "-2592000000 ms"),
    ] as [(Duration, String)])
  func units(duration: Duration, words: String) {
    #expect(duration.inWords == words)
  }

  @Test(
    "rounded to a tenth below ten, to a whole above",
    arguments: [
      (.milliseconds(1249), "1.2 s"), (.milliseconds(1250), "1.3 s"), (.milliseconds(9940), "9.9 s"),
      (.milliseconds(9960), "10 s"), (.milliseconds(10_400), "10 s"), (.milliseconds(10_600), "11 s"),
      (.microseconds(1400), "1 ms"), (.microseconds(1600), "2 ms"), (.seconds(200), "3.3 min"),
    ] as [(Duration, String)])
  func rounding(duration: Duration, words: String) {
    #expect(duration.inWords == words)
  }
}
