import LimpetInstants
import NIOCore
import Testing

@testable import Core

@Suite struct OutputCommandTests {
  @Test(
    "words in any case, numbers and JSON are commands",
    arguments: [
      ("on", Command(.on)), ("True", Command(.on)), ("OFF", Command(.off)), ("false", Command(.off)),
      ("toggle", Command(.toggle)), ("37.5", Command(.number(37.5))), (#"{"value":true}"#, Command(.on)),
      (#" {"value":"off"} "#, Command(.off)),
      (#"{"value":40,"for":"1.5h"}"#, Command(.number(40), for: .seconds(5400))),
      (#"{"value":40,"for":"1m30s"}"#, Command(.number(40), for: .seconds(90))),
      (#"{"value":"on","for":"1w"}"#, Command(.on, for: .seconds(604_800))),
      (
        #"{"value":"on","time":"2023-11-14T22:13:20Z","id":"a1"}"#,
        Command(.on, time: Timestamp(microseconds: 1_700_000_000_000_000), id: "a1")
      ),
    ])
  func reads(text: String, command: Command) throws {
    #expect(try Command(ByteBuffer(string: text)) == command)
  }

  @Test(
    "anything else is none, and the flaw says why",
    arguments: [
      ("open", "not a command"), (#"{"value":"on","fro":"10s"}"#, "\"fro\""), (#"{"for":"10s"}"#, "no value"),
      (#"{"value":"on","for":10}"#, "not a duration"), (#"{"value":"on","for":"-1s"}"#, "not a duration"),
      (#"{"value":"on","for":"10"}"#, "write 10s"), (#"{"value":"on","for":"0s"}"#, "more than 0s"),
      (#"{"value":"on","for":"53w"}"#, "365d"),
      (#"{"value":"on","time":"yesterday"}"#, "time is not a time"), (#"{"value":"on","value":"off"}"#, "twice"),
      (#"{"value":[1]}"#, "neither"), (#"{"value":"on""#, "not JSON"), ("nan", "not a command"),
      ("1e999", "not a command"),
      (#"{"value":"on","id":""}"#, "id"), (String(repeating: "1", count: 1025), "1024"),
    ])
  func refuses(text: String, says words: String) {
    do {
      _ = try Command(ByteBuffer(string: text))
      Issue.record("\(text) was taken")
    } catch {
      #expect(error.text.contains(words), "\(error.text)")
    }
  }

  @Test("an empty payload asks for nothing")
  func empty() throws { #expect(try Command(ByteBuffer()) == nil) }
}
