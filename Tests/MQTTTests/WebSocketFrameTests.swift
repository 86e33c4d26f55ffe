import NIOCore
import NIOEmbedded
import NIOWebSocket
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Frames as RFC 6455 has them, one at a time.
@Suite struct WebSocketFrameTests {
  private func channel(_ closing: @escaping (WebSocket.Closure) -> Void = { _ in }) throws -> EmbeddedChannel {
    let channel = EmbeddedChannel()
    try channel.pipeline.syncOperations.addHandler(WebSocketBytes(closing))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    return channel
  }

  private func sent(_ channel: EmbeddedChannel) throws -> [WebSocketFrame] {
    var frames: [WebSocketFrame] = []
    while let frame = try channel.readOutbound(as: WebSocketFrame.self) { frames.append(frame) }
    return frames
  }

  @Test("a turn of any size goes out in frames of at most 16 KiB, its bytes in their order [MQTT-6.0.0-2]")
  func cutsFrames() throws {
    let channel = try channel()
    let bytes = ByteBuffer(bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    try channel.writeOutbound(bytes)
    let frames = try sent(channel)
    #expect(frames.count == 7 && frames.allSatisfy { $0.data.readableBytes <= 16_384 })
    #expect(frames.allSatisfy { $0.fin && $0.opcode == .binary && $0.maskKey != nil })
    #expect(frames.flatMap { Array($0.data.readableBytesView) } == Array(bytes.readableBytesView))
  }

  static let faults: [(String, WebSocketFrame)] = [
    (
      "masked (§5.1)", WebSocketFrame(fin: true, opcode: .binary, maskKey: [1, 2, 3, 4], data: ByteBuffer(string: "a"))
    ),
    ("RSV1 (§5.2)", WebSocketFrame(fin: true, rsv1: true, opcode: .binary, data: ByteBuffer(string: "a"))),
    ("RSV2 (§5.2)", WebSocketFrame(fin: true, rsv2: true, opcode: .binary, data: ByteBuffer(string: "a"))),
    ("RSV3 (§5.2)", WebSocketFrame(fin: true, rsv3: true, opcode: .binary, data: ByteBuffer(string: "a"))),
    ("a continuation of nothing (§5.4)", WebSocketFrame(fin: true, opcode: .continuation, data: ByteBuffer())),
    ("text", WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: "a"))),
  ]

  @Test("a frame that a server may not send ends the connection, with code 1002 [MQTT-6.0.0-1]", arguments: faults)
  func refuses(what: String, frame: WebSocketFrame) throws {
    let channel = try channel()
    #expect(throws: WebSocket.Refusal.self, "\(what)") {
      try channel.writeInbound(frame)
      try channel.throwIfErrorCaught()
    }
    #expect(try channel.readInbound(as: ByteBuffer.self) == nil)
    var close = try #require(try sent(channel).first)
    #expect(close.opcode == .connectionClose)
    let code = close.data.readInteger(as: UInt16.self)
    #expect(code == 1002)
  }

  @Test("a message within a fragmented one ends the connection, a ping between two fragments does not (§5.4)")
  func fragments() throws {
    let channel = try channel()
    try channel.writeInbound(WebSocketFrame(fin: false, opcode: .binary, data: ByteBuffer(string: "a")))
    try channel.writeInbound(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(string: "p")))
    try channel.writeInbound(WebSocketFrame(fin: true, opcode: .continuation, data: ByteBuffer(string: "b")))
    var read = ""
    while let bytes = try channel.readInbound(as: ByteBuffer.self) { read += String(buffer: bytes) }
    #expect(read == "ab")
    #expect(try sent(channel).map(\.opcode) == [.pong])
    try channel.writeInbound(WebSocketFrame(fin: false, opcode: .binary, data: ByteBuffer(string: "a")))
    #expect(throws: WebSocket.Refusal.self) {
      try channel.writeInbound(WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(string: "c")))
      try channel.throwIfErrorCaught()
    }
  }

  @Test("what the server closes with is told, without control characters", arguments: [true, false])
  func tellsClosure(hasCode: Bool) throws {
    let told = Mutex<String?>(nil)
    let channel = try channel { closure in told.withLock { $0 = closure.description } }
    var data = ByteBuffer()
    if hasCode {
      data.writeInteger(UInt16(1008))
      data.writeString("too\u{7}large")
    }
    try channel.writeInbound(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
    let expected =
      hasCode ? "the WebSocket was closed with code 1008: toolarge" : "the WebSocket was closed with no code"
    #expect(told.withLock { $0 } == expected)
    #expect(try sent(channel).map(\.opcode) == [.connectionClose])
    #expect(!channel.isActive)
  }

  @Test("the output is closed when the Close frame has left, not before")
  func closesOutput() throws {
    let channel = try channel()
    let isDone = Mutex(false)
    channel.close(mode: .output).whenSuccess { isDone.withLock { $0 = true } }
    #expect(try sent(channel).map(\.opcode) == [.connectionClose])
    channel.embeddedEventLoop.run()
    #expect(isDone.withLock { $0 })
  }
}
