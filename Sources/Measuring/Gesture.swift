/// What was done with a button, in the words that readings have.
public enum Gesture: String, Sendable, CaseIterable {
  case single, double, long
}
