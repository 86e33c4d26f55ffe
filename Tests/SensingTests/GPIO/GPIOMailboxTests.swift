import Synchronization
import Testing

@testable import LimpetPlatform
@testable import Sensing

/// What the thread that watches lines leaves for who takes it.
@Suite struct GPIOMailboxTests {
  private let calls = Calls()
  private let report = GPIOReport(input: 0, content: .level(true), time: .now)

  private final class Calls: Sendable {
    let count = Atomic(0)
  }

  private func mailbox(announces: Bool = true) -> GPIOMailbox {
    GPIOMailbox(inputs: 1, announces: announces) { [calls] in calls.count.add(1, ordering: .relaxed) }
  }

  private var told: Int { calls.count.load(ordering: .relaxed) }

  @Test("who takes reports is told of the first, not of those that join it")
  func first() {
    let mailbox = mailbox()
    mailbox.add([report])
    mailbox.add([report])
    #expect(told == 1)
    #expect(mailbox.take().reports.count == 2)
    mailbox.add([report])
    #expect(told == 2)
  }

  @Test("who was told before the reports were made is not told again when they are")
  func announced() {
    let mailbox = mailbox()
    mailbox.announce()
    mailbox.announce()
    #expect(told == 1)
    mailbox.add([report])
    mailbox.add([report])
    #expect(told == 1)
    #expect(mailbox.take().reports.count == 2)
  }

  @Test("who came before the reports were made is told once more")
  func tooEarly() {
    let mailbox = mailbox()
    mailbox.announce()
    #expect(mailbox.take().reports.isEmpty)
    mailbox.add([report])
    #expect(told == 2)
    #expect(mailbox.take().reports.count == 1)
  }

  @Test("reports that wait are not announced: somebody is on the way")
  func waiting() {
    let mailbox = mailbox()
    mailbox.add([report])
    mailbox.announce()
    #expect(told == 1)
  }

  @Test("on a single processor nothing is announced")
  func alone() {
    let mailbox = mailbox(announces: false)
    mailbox.announce()
    #expect(told == 0)
    mailbox.add([report])
    #expect(told == 1)
  }
}
