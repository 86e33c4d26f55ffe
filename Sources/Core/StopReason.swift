/// Why the agent is stopped, as far as that is known: the `reason` of its farewell.
package enum StopReason: String, Sendable, Hashable, CaseIterable {
  case shutdown, reboot, upgrade
}
