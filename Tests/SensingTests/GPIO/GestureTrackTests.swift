import Testing

@testable import Measuring
@testable import Sensing

/// In milliseconds; nanoseconds are only for the kernel.
@Suite struct GestureTrackTests {
  private static let ms: Int64 = 1_000_000

  /// What levels that change at these times are worth, from a button that is not pressed, with how long each had to wait.
  private func gestures(
    _ times: [Int64], double: Int = 400, long: Int = 800, isPressed: Bool = false
  ) -> [String] {
    var track = GestureTrack(
      GPIOInput.GestureTimes(double: .milliseconds(double), long: .milliseconds(long)), isPressed: isPressed)
    var told: [String] = []
    func tell(_ change: GestureTrack.Change, at time: Int64) {
      told.append("\(change.gesture) of \(change.time / Self.ms) at \(time / Self.ms)")
    }
    var level = isPressed
    for time in times.map({ $0 * Self.ms }) {
      if let deadline = track.deadline, deadline <= time, let change = track.elapsed(at: deadline) {
        tell(change, at: deadline)
      }
      level.toggle()
      for change in track.take(isPressed: level, at: time) { tell(change, at: time) }
    }
    if let deadline = track.deadline, let change = track.elapsed(at: deadline) { tell(change, at: deadline) }
    return told
  }

  static let cases: [(what: String, times: [Int64], told: [String])] = [
    ("a press is single when no second has come in time", [100, 200], ["single of 100 at 600"]),
    ("a second press in time makes it double, at once", [100, 200, 500, 600], ["double of 100 at 500"]),
    (
      "a second press that comes too late is another single", [100, 200, 600, 700],
      ["single of 100 at 600", "single of 600 at 1100"]
    ),
    ("a long press is told while it lasts, once", [100, 5000], ["long of 100 at 900"]),
    ("a press that ends just before that is single", [100, 899], ["single of 100 at 1299"]),
    ("a third press begins anew", [100, 150, 200, 250, 300, 350], ["double of 100 at 200", "single of 300 at 750"]),
    (
      "the second press of a double may last", [100, 150, 200, 3000, 3100, 3200],
      ["double of 100 at 200", "single of 3100 at 3600"]
    ),
  ]

  @Test("what is done with a button", arguments: cases)
  func gesture(_ example: (what: String, times: [Int64], told: [String])) {
    #expect(gestures(example.times) == example.told, "\(example.what)")
  }

  @Test("without doubles a press is single as soon as it ends")
  func withoutDouble() {
    #expect(gestures([100, 200, 250, 300], double: 0) == ["single of 100 at 200", "single of 250 at 300"])
  }

  @Test("a button that is pressed at the start tells nothing of that press")
  func pressedAtStart() {
    #expect(gestures([100, 200, 300], isPressed: true) == ["single of 200 at 700"])
  }

  @Test("a loss of edges ends what goes on")
  func lost() {
    var track = GestureTrack(GPIOInput.GestureTimes(), isPressed: false)
    #expect(track.take(isPressed: true, at: 100).isEmpty)
    track.lose()
    #expect(track.deadline == nil && track.take(isPressed: false, at: 200).isEmpty && track.deadline == nil)
  }
}
