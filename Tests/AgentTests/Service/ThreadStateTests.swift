import Testing

@testable import Agent

@Suite("States of threads")
struct ThreadStateTests {
  @Test(
    "proc_pid_stat(5): the state follows the name, whatever that has in it",
    arguments: [
      ("1234 (limpet-gpio) D 1 1234 0", Character("D")), ("1234 (limpet-gpio) S 1 1234 0", "S"),
      ("1234 (limpet) D 1 1234 0", nil), ("", nil), (")(", nil), ("1 (limpet-gpio)", nil),
    ])
  func state(_ stat: String, _ state: Character?) { #expect(ThreadState.state(of: "limpet-gpio", in: stat) == state) }

  @Test("brackets in a name are part of it")
  func brackets() { #expect(ThreadState.state(of: "a) D (b", in: "7 (a) D (b) R 1") == "R") }

  @Test("a thread of this process that runs is in no wait; nor is one that does not exist")
  func own() {
    #expect(ThreadState.isUninterruptible("limpet-gpio") == false)
    #expect(ThreadState.isUninterruptible("x", of: "0") == false)
  }
}
