import MQTTCore
import Testing

@testable import Core

struct RequestTests {
  @Test("every request has a token of its own, and is made from it again")
  func tokens() {
    let requests: [Request] = [
      .birthStatus, .birthPresence, .stopPresence, .stopStatus, .subscription, .health, .announcement, .homeAssistant,
      .unwatching, .owedStatus, .clearing, .commands, .fence, .answer, .heartbeats, .reading(16), .reading(1 << 62),
      .retained(stream: 0),
      .retained(stream: 65_535),
    ]
    for request in requests { #expect(Request(request.token) == request) }
    #expect(Set(requests.map(\.token)).count == requests.count)
  }

  @Test("tokens of readings are the ids of rows: what is below them is nobody's, or a request of the agent's own")
  func ranges() {
    #expect(Request.firstReading == 16)
    #expect(Request(0) == nil)
    #expect(Request(15) == .heartbeats)
    #expect(Request(16) == .reading(16))
    #expect(Request((1 << 63) - 1) == .reading((1 << 63) - 1))
    #expect(Request(1 << 63) == .retained(stream: 0))
  }
}
