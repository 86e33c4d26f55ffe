import Testing

@testable import Sensing

@Suite struct QuadratureTrackTests {
  /// Edges as text: `A` and `B` rise, `a` and `b` fall.
  private func track(_ edges: String, first: Bool = false, second: Bool = false) -> QuadratureTrack {
    var track = QuadratureTrack(first: first, second: second)
    for edge in edges { track.take(isRising: edge.isUppercase, isSecond: edge.lowercased() == "b") }
    return track
  }

  @Test(
    "a period is four quarters, forwards or backwards, wherever it begins",
    arguments: [
      ("ABab", 4), ("BAba", -4), ("ABabABab", 8), ("A", 1), ("B", -1), ("AB", 2), ("ABa", 3), ("ABba", 0),
    ])
  func periods(edges: String, position: Int64) {
    let track = track(edges)
    #expect(track.position == position && track.missed == 0)
  }

  @Test("from both high on it is the same")
  func fromHigh() {
    #expect(track("abAB", first: true, second: true).position == 4)
    #expect(track("baBA", first: true, second: true).position == -4)
  }

  @Test("a line that bounces comes to nothing")
  func bounces() { #expect(track("AaAaABbBbBab").position == 4) }

  @Test("two edges of one direction are one that was missed, and no step")
  func merged() {
    let track = track("AAB")
    #expect(track.position == 2 && track.missed == 1)
  }

  @Test("after a loss it goes on as soon as both lines have told")
  func lost() {
    var track = track("AB")
    track.lose(5)
    for (isRising, isSecond) in [(false, false), (true, false), (false, true), (false, false)] {
      track.take(isRising: isRising, isSecond: isSecond)
    }
    // 1 0, and then 0 0: a quarter backwards.
    #expect(track.position == 1 && track.missed == 5)
  }
}
