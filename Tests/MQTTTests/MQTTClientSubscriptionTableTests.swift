import NIOCore
import Testing

@testable import MQTT
@testable import MQTTCore

@Suite("The table of subscriptions")
struct MQTTClientSubscriptionTableTests {
  private var table = SubscriptionTable()
  private var token: Session.Token = 0

  private func filter(_ text: String) throws -> Subscription { Subscription(try TopicFilter(text)) }

  private func message(_ topic: String, identifiers: [UInt32] = []) throws -> Message {
    var message = Message(topic: try TopicName(topic), payload: ByteBuffer())
    if let identifier = identifiers.first { message.properties.subscriptionIdentifier = identifier }
    return message
  }

  /// Sends what is due; the tokens that answers are to carry.
  private mutating func send() -> [(SubscriptionTable.Request, Session.Token)] {
    table.requests().map { request in
      token += 1
      table.asked(request, token)
      return (request, token)
    }
  }

  @Test("a subscription is asked for once on a connection, and not again while its session lasts [behaviour 37]")
  mutating func asksOnce() throws {
    let a = try table.add([try filter("a")])
    let sent = send()
    #expect(sent.map(\.0) == [.subscribe(a, [try filter("a")])])
    #expect(table.requests().isEmpty)
    check(table.answered(sent[0].1, [.grantedQoS1]) == .subscribed(a, [.grantedQoS1]))
    table.lost()
    check(table.connected(sessionPresent: true).isEmpty)
    #expect(table.requests().isEmpty)
    table.lost()
    check(table.connected(sessionPresent: false).isEmpty)
    check(send().count == 1)
    #expect(table.requests().isEmpty)
  }

  @Test(
    "one without an answer is asked for again, once, session or not [behaviour 38] [behaviour 39]",
    arguments: [true, false])
  mutating func asksAgain(sessionPresent: Bool) throws {
    let a = try table.add([try filter("a")])
    let first = send()[0].1
    table.lost()
    _ = table.connected(sessionPresent: sessionPresent)
    let again = send()
    #expect(again.map(\.0) == [.subscribe(a, [try filter("a")])])
    check(table.answered(first, [.success]) == nil)
    #expect(table.requests().isEmpty)
  }

  @Test("what the server refused is not asked for again; the others are, as they were [behaviour 36] [behaviour 37]")
  mutating func forgetsRefused() throws {
    var b = try filter("b")
    b.retainHandling = .doNotSend
    b.retainAsPublished = true
    let subscription = try table.add([try filter("a"), b])
    let sent = send()[0].1
    check(
      table.answered(sent, [.notAuthorized, .grantedQoS1]) == .subscribed(subscription, [.notAuthorized, .grantedQoS1]))
    table.lost()
    _ = table.connected(sessionPresent: false)
    check(send().map(\.0) == [.subscribe(subscription, [b])])
    check(table.answered(token, [.notAuthorized]) == .refused(subscription, [.notAuthorized]))
    #expect(table.count == 0)
  }

  @Test("what was given back while away is told to a server that kept the session, before it is taken again")
  mutating func givesBack() throws {
    let a = try table.add([try filter("a")])
    check(table.answered(send()[0].1, [.success]) != nil)
    table.lost()
    check(table.remove(a))
    let again = try table.add([try filter("a")])
    check(table.connected(sessionPresent: true).isEmpty)
    let sent = send()
    #expect(sent.map(\.0) == [.unsubscribe(a, [TopicFilter("a")]), .subscribe(again, [try filter("a")])])
    check(table.answered(sent[0].1, [.success]) == .unsubscribed(a, [.success]))
    #expect(table.requests().isEmpty)
  }

  @Test("what was given back ends with the session; what was never asked for needs no word")
  mutating func endsWithSession() throws {
    let a = try table.add([try filter("a")])
    _ = send()
    table.lost()
    check(table.remove(a))
    let b = try table.add([try filter("b")])
    check(!table.remove(b))
    check(table.connected(sessionPresent: false) == [a])
    #expect(table.requests().isEmpty)
  }

  private mutating func isRefused(_ subscriptions: [Subscription]) -> Bool {
    do { _ = try table.add(subscriptions) } catch { return true }
    return false
  }

  @Test("a filter has one subscription, and no local is not for shared ones")
  mutating func refusesLocally() throws {
    _ = try table.add([try filter("a")])
    check(isRefused([]))
    check(isRefused([try filter("b"), try filter("a")]))
    check(isRefused([try filter("c"), try filter("c")]))
    var shared = try filter("$share/g/d")
    shared.noLocal = true
    check(isRefused([shared]))
    #expect(table.count == 1)
  }

  @Test("a message goes to the subscriptions it names, or else to those that match [behaviour 65]")
  mutating func routes() throws {
    let plus = try table.add([try filter("a/+")])
    let all = try table.add([try filter("#")])
    let shared = try table.add([try filter("$share/g/a/b")])
    #expect(table.receivers(of: try message("a/b")) == [plus, all, shared])
    #expect(table.receivers(of: try message("b")) == [all])
    #expect(table.receivers(of: try message("a/b", identifiers: [plus])) == [plus])
    #expect(table.receivers(of: try message("b", identifiers: [99])) == [all])
  }
}

/// What is checked may change what it asks.
private func check(_ condition: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(condition, sourceLocation: sourceLocation)
}
