import LimpetText
import Testing

@testable import Fleet

@Suite("Rates, and connections that end") struct ChurnTests {
  @Test(
    "a rate is a number in a time",
    arguments: [("2/s", 2), ("6/m", 0.1), ("1/10s", 0.1), ("0.5/s", 0.5), ("0", 0), ("1/500ms", 2), ("90/h", 0.025)])
  func rate(_ text: String, _ perSecond: Double) throws { #expect(try Rate(argument: text).perSecond == perSecond) }

  @Test(
    "what is no rate is told with what to write",
    arguments: [
      ("2", "\"2\" is not a rate; write 2/s, 6/m or 1/10s, or 0 for none"),
      ("-1/s", "\"-1/s\" is not a rate; write 2/s, 6/m or 1/10s, or 0 for none"),
      ("1/0s", "\"1/0s\" has no unit of time; write 2/s, 6/m or 1/10s"),
      ("1/2x", "\"2x\" is not a duration; write a number and a unit (us ms s m h d w), such as 30s or 1h30m"),
    ])
  func wrongRate(_ text: String, _ message: String) {
    #expect { try Rate(argument: text) } throws: { "\($0)" == message }
  }

  @Test("each kind has a rate")
  func kinds() throws {
    let churn = try Churn(argument: "crash=2/s,half-open=1/10s")
    #expect(churn.rates == [.crash: Rate(perSecond: 2), .halfOpen: Rate(perSecond: 0.1)])
  }

  @Test(
    "what is no kind is told with the one that was meant",
    arguments: [
      ("crahs=1/s", "\"crahs\" is not a way for a connection to end; did you mean crash?"),
      ("crash", "\"crash\" has no rate; write crash=1/s, stop=6/m or half-open=1/10s"),
      ("stop=1/s,stop=2/s", "stop appears twice; remove one"),
    ])
  func wrongKind(_ text: String, _ message: String) {
    #expect { try Churn(argument: text) } throws: { "\($0)" == message }
  }

  @Test("ends are even in time, and what was missed is not made up for all at once")
  func plan() throws {
    var plan = ChurnPlan(try Churn(argument: "crash=2/s,stop=1/s"))
    #expect(plan.due(after: .milliseconds(400)).isEmpty)
    #expect(plan.due(after: .milliseconds(500)) == [.crash])
    #expect(plan.due(after: .seconds(1)) == [.crash, .stop])
    var count = 0
    for step in 1...100 { count += plan.due(after: .seconds(1) + .milliseconds(50 * step)).count }
    #expect(count == 15)
    #expect(plan.due(after: .seconds(100)).count <= 5)
  }
}
