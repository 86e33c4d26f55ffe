import Testing

@testable import Agent
@testable import Core

struct StopReasonTests {
  @Test("systemd's jobs are read by their units")
  func jobs() {
    let text = """
      1234 reboot.target                   start running
      1300 systemd-reboot.service          start waiting
      1301 limpet.service                  stop  running
      """
    #expect(StopReason.jobs(in: text) == ["reboot.target", "systemd-reboot.service", "limpet.service"])
    #expect(StopReason.jobs(in: "No jobs running.\n") == [])
    #expect(StopReason.jobs(in: "") == [])
  }
}
