/// Why the agent is told to stop, as far as anybody says so: the `reason` of its farewell.
package enum StopReason: String, Sendable, Hashable, CaseIterable {
  case shutdown, reboot, upgrade
}
