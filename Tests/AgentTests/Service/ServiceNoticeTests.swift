import Testing

@testable import Agent

@Suite("Notices to systemd")
struct ServiceNoticeTests {
  @Test(
    "a notice is what sd_notify(3) says",
    arguments: [
      (ServiceNotice.ready, "READY=1"), (.stopping, "STOPPING=1"), (.alive, "WATCHDOG=1"),
      (.reloading(at: .microseconds(1_234_567)), "RELOADING=1\nMONOTONIC_USEC=1234567"),
      (.extendTimeout(.seconds(15)), "EXTEND_TIMEOUT_USEC=15000000"),
      (.status("connected"), "STATUS=connected"),
      // A line feed would begin another notice.
      (.status("the server said\nREADY=1"), "STATUS=the server said READY=1"),
    ])
  func text(_ notice: ServiceNotice, _ text: String) { #expect(notice.text == text) }

  @Test("a reload is told apart from the one before by the monotonic clock")
  func reloading() {
    let first = ServiceNotice.reloadingNow
    #expect(first.text.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
    guard case .reloading(let before) = first, case .reloading(let after) = ServiceNotice.reloadingNow else {
      Issue.record("no reload")
      return
    }
    #expect(before <= after && before > .zero)
  }
}
