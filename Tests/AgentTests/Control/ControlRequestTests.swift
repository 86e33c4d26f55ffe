import Logging
import NIOCore
import Testing

@testable import Control

struct ControlRequestTests {
  @Test(
    "requests",
    arguments: [
      (#"{"command":"status"}"#, ControlRequest.status(.json)),
      (#"{"command":"status","format":"json"}"#, .status(.json)),
      (#"{"command":"status","format":"text"}"#, .status(.text(columns: 80))),
      (
        #" { "columns" : 100, "format":"text", "command":"status", "later":[1,{"a":2}] } "#,
        .status(.text(columns: 100))
      ),
      (#"{"command":"status","format":"text","columns":1}"#, .status(.text(columns: 40))),
      (#"{"command":"status","format":"text","columns":100000}"#, .status(.text(columns: 500))),
      (#"{"command":"reload"}"#, .reload), (#"{"command":"abort"}"#, .abort),
      (#"{"command":"log-level"}"#, .logLevel(nil)), (#"{"command":"log-level","level":"debug"}"#, .logLevel(.debug)),
    ])
  func requests(_ line: String, _ request: ControlRequest) throws {
    #expect(try ControlRequest(Array(line.utf8)) == request)
  }

  @Test(
    "what is no request is told why",
    arguments: [
      ("", ControlError.notAnObject), ("status", .notAnObject), (#"{"command":"status""#, .notAnObject),
      ("{}", .noCommand), (#"{"command":1}"#, .noCommand), (#"{"command":"stop"}"#, .unknownCommand("stop")),
      (#"{"command":"status","format":"xml"}"#, .wrongValue("format", expected: #""json" or "text""#)),
    ])
  func errors(_ line: String, _ error: ControlError) {
    #expect(throws: error) { try ControlRequest(Array(line.utf8)) }
  }

  @Test("a level that is none is told all there are")
  func level() {
    let error = #expect(throws: ControlError.self) {
      try ControlRequest(Array(#"{"command":"log-level","level":"loud"}"#.utf8))
    }
    #expect(error.map { "\($0)" }?.contains("notice") == true)
  }

  @Test("everybody may look, nobody else may change anything")
  func rights() {
    for request in [ControlRequest.status(.json), .logLevel(nil)] { #expect(request.isForEverybody) }
    for request in [ControlRequest.reload, .abort, .logLevel(.info)] { #expect(!request.isForEverybody) }
  }
}

struct LineBufferTests {
  private func taken(_ buffer: inout LineBuffer) throws -> String? { try buffer.next().map { String(buffer: $0) } }

  @Test("lines come out whole, however they came in")
  func lines() throws {
    var buffer = LineBuffer()
    for piece in ["ab", "c\nde", "\n\n", "f"] { #expect(buffer.append(ByteBuffer(string: piece)) == true) }
    #expect(try taken(&buffer) == "abc")
    #expect(try taken(&buffer) == "de")
    #expect(try taken(&buffer) == "")
    #expect(try taken(&buffer) == nil)
    #expect(buffer.append(ByteBuffer(string: "\n")) == true)
    #expect(try taken(&buffer) == "f")
  }

  @Test("a line of the limit is taken, a longer one is not, with or without its end")
  func limit() throws {
    let longest = String(repeating: "x", count: LineBuffer.limit)
    for (text, fits) in [(longest + "\n", true), (longest + "x\n", false), (longest, true), (longest + "x", false)] {
      var buffer = LineBuffer()
      #expect(buffer.append(ByteBuffer(string: text)) == true)
      if fits {
        #expect(try taken(&buffer) == (text.hasSuffix("\n") ? longest : nil))
      } else {
        #expect(throws: ControlError.lineTooLong) { try buffer.next() }
      }
    }
  }

  @Test("what waits is bounded")
  func waiting() {
    var buffer = LineBuffer()
    let piece = ByteBuffer(string: String(repeating: "x\n", count: LineBuffer.waitingLimit / 2))
    #expect(buffer.append(piece) == true)
    #expect(buffer.append(ByteBuffer(string: "x")) == false)
  }
}
