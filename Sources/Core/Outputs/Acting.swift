import LimpetInstants

/// What the agent does, beside what it says: its outputs, and the commands for them.
struct Acting: Sendable {
  var outputs: Outputs
  var commanding = Commanding()

  init(_ outputs: Outputs) { self.outputs = outputs }

  var deadline: BootClock.Instant? { earliest(outputs.deadline, commanding.deadline) }
}
