/// A press of a button, in the words of readings.
public enum Gesture: String, Sendable, CaseIterable {
  case single, double, long
}
