import NIOCore
import Testing

@testable import MQTTCore

/// Topic names and filters, MQTT 5.0 §4.7 and §4.8.2.
@Suite struct TopicTests {
  @Test(
    """
    a text that is empty, has U+0000 or a wildcard is no topic name [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] \
    [MQTT-3.3.2-2] [MQTT-3.1.3-11] [MQTT-4.7.1-1 v3.1.1]
    """,
    arguments: [
      ("", .empty), ("a/+", .wildcardInName), ("#", .wildcardInName), ("a+b", .wildcardInName),
      ("a\u{0}b", .containsNull), ("a/+\u{301}", .wildcardInName), ("#\u{301}", .wildcardInName),
    ] as [(String, TopicError)])
  func badNames(text: String, error: TopicError) {
    #expect(throws: error) { try TopicName(text) }
  }

  @Test("a topic has 65,535 bytes of UTF-8 at most [MQTT-4.7.3-3]")
  func longTopics() throws {
    let most = String(repeating: "é", count: 32_767) + "x"
    #expect(try TopicName(most).description == most)
    #expect(try TopicFilter(most).description == most)
    #expect(throws: TopicError.tooLong(bytes: 65_536)) { try TopicName(most + "x") }
    #expect(throws: TopicError.tooLong(bytes: 65_536)) { try TopicFilter(most + "x") }
  }

  @Test("spaces, single slashes and $ are allowed in names", arguments: ["/", "//", " ", "$SYS/x", "a b/c", "温度"])
  func names(text: String) throws {
    #expect(try TopicName(text).description == text)
  }

  @Test(
    "a filter is valid",
    arguments: ["#", "+", "/", "a/#", "+/+", "/+", "a/+/b", "+/tennis/#", "$SYS/#", "$share/g/a/+"])
  func filters(text: String) throws {
    #expect(try TopicFilter(text).description == text)
  }

  @Test(
    """
    a filter whose wildcards do not stand alone in a level is refused [MQTT-4.7.1-1] [MQTT-4.7.1-2] \
    [MQTT-4.7.1-2 v3.1.1] [MQTT-4.7.1-3 v3.1.1]
    """,
    arguments: [
      "sport/tennis#", "sport/tennis/#/ranking", "sport+", "+a", "##", "#/", "++", "a/b+/c", "+\u{301}", "#\u{301}",
      "a/+\u{200D}/b", "\u{600}+",
    ])
  func misplaced(text: String) {
    #expect(throws: TopicError.misplacedWildcard) { try TopicFilter(text) }
    #expect(throws: TopicError.misplacedWildcard) { try TopicFilter("$share/g/" + text) }
  }

  @Test(
    "an empty filter, or one with U+0000, is refused [MQTT-4.7.3-1] [MQTT-4.7.3-2]",
    arguments: [("", .empty), ("a\u{0}", .containsNull)] as [(String, TopicError)])
  func emptyFilters(text: String, error: TopicError) {
    #expect(throws: error) { try TopicFilter(text) }
  }

  @Test(
    "a shared subscription has a name without wildcards and a filter [MQTT-4.8.2-1] [MQTT-4.8.2-2]",
    arguments: ["$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a"])
  func badShares(text: String) {
    #expect(throws: TopicError.sharedSubscription) { try TopicFilter(text) }
  }

  @Test(
    "a shared subscription is told from one that only begins like it",
    arguments: [
      ("$share/g//", true), ("$share/\u{301}g/a", true), ("$shared/g/a", false), ("a/$share/g", false),
    ])
  func shared(text: String, expected: Bool) throws {
    #expect(try TopicFilter(text).isShared == expected)
  }

  static let matches: [(String, String, Bool)] = [
    ("sport/tennis/player1/#", "sport/tennis/player1", true),
    ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
    ("sport/#", "sport", true), ("#", "a/b", true), ("#", "/", true),
    ("sport/tennis/+", "sport/tennis/player1", true), ("sport/tennis/+", "sport/tennis/player1/ranking", false),
    ("sport/+", "sport", false), ("sport/+", "sport/", true),
    ("+/+", "/finance", true), ("/+", "/finance", true), ("+", "/finance", false),
    ("#", "$SYS/a", false), ("+/monitor/Clients", "$SYS/monitor/Clients", false),
    ("$SYS/#", "$SYS/a", true), ("$SYS/monitor/+", "$SYS/monitor/Clients", true), ("$SYS/#", "$SYS", true),
    ("ACCOUNTS", "Accounts", false), ("/a", "a", false), ("a/", "a", false), ("a", "a/", false), ("a//b", "a/b", false),
    ("a/+/b", "a//b", true), ("a/b", "a/b/c", false), ("a/b/c", "a/b", false),
    ("$share/g/a/+", "a/1", true), ("$share/g/#", "$SYS/a", false), ("$share/g/a", "b", false),
    ("caf\u{E9}", "cafe\u{301}", false), ("caf\u{E9}", "caf\u{E9}", true), ("+/x", "a/\u{301}x", false),
    ("+/\u{301}x", "a/\u{301}x", true), ("#", "$\u{301}SYS", false),
  ]

  @Test(
    "a filter matches as in §4.7.1 and §4.7.2, byte by byte [MQTT-4.7.2-1] [MQTT-4.7.3-4]", arguments: matches)
  func matching(filter: String, topic: String, expected: Bool) throws {
    #expect(try TopicFilter(filter).matches(TopicName(topic)) == expected)
  }

  @Test("two filters are the same when their bytes are, whatever Unicode takes for the same [MQTT-4.7.3-4]")
  func equality() {
    let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}") as (TopicFilter, TopicFilter)
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(composed == "caf\u{E9}")
    #expect(Set([composed, "caf\u{E9}"]).count == 1)
    #expect("caf\u{E9}" as TopicName != "cafe\u{301}")
  }
}
