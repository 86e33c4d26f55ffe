import Testing

@testable import Core

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
}
