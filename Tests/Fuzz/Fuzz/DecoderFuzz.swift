import NIOCore

@testable import MQTTCore

/// Bytes from anywhere, cut anywhere. Input: a byte for version and cuts, a byte that the cuts depend on, the stream.
enum DecoderFuzz {
  static func run(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 2 else { return }
    let version: ProtocolVersion = input[0] & 1 == 0 ? .v5 : .v311
    let stream = ByteBuffer(bytes: input[2...])
    let whole = decode(stream, version) { stream.readableBytes }
    var state = UInt32(input[1])
    let inPieces = decode(stream, version) {
      if input[0] & 2 == 0 { return 1 }
      state = state &* 1_664_525 &+ 1_013_904_223
      return Int(state >> 24) % 17 + 1
    }
    precondition(whole == inPieces, "cuts make a difference: \(whole), \(inPieces)")
    for (packet, version) in zip(whole.packets, whole.versions) { check(packet, version) }
  }

  private struct Result: Equatable {
    var packets: [Packet] = []
    var versions: [ProtocolVersion] = []
    var error: PacketError?
  }

  private static func decode(_ stream: ByteBuffer, _ version: ProtocolVersion, piece: () -> Int) -> Result {
    var decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 20)
    var stream = stream
    var buffer = ByteBuffer()
    var result = Result()
    while stream.readableBytes > 0 {
      guard var next = stream.readSlice(length: min(piece(), stream.readableBytes)) else { break }
      buffer.writeBuffer(&next)
      do {
        while let packet = try decoder.next(from: &buffer) {
          result.packets.append(packet)
          result.versions.append(decoder.version)
        }
      } catch {
        result.error = error
        break
      }
    }
    return result
  }

  /// What was decoded can be encoded, and decodes to the same.
  private static func check(_ packet: Packet, _ version: ProtocolVersion) {
    var bytes = ByteBuffer()
    packet.encode(into: &bytes, version)
    if case .publish(let publish) = packet {
      precondition(publish.size(version) == bytes.readableBytes, "the size of \(packet) is wrong")
    }
    var decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 21)
    var rest = bytes
    do {
      guard let again = try decoder.next(from: &rest) else { preconditionFailure("\(packet) is not whole") }
      precondition(again == packet && rest.readableBytes == 0, "\(packet) became \(again)")
      var bytesAgain = ByteBuffer()
      again.encode(into: &bytesAgain, version)
      precondition(bytesAgain == bytes, "\(packet) has other bytes the second time")
    } catch { preconditionFailure("\(packet) does not decode again: \(error)") }
  }

  /// Inputs to begin with: each sample packet of both versions.
  static var seeds: [[UInt8]] {
    [(ProtocolVersion.v5, UInt8(0)), (.v311, 1)].flatMap { version, flag in
      PacketSamples.all(version).map { packet in
        var bytes = ByteBuffer(bytes: [flag, 0])
        packet.encode(into: &bytes, version)
        return Array(bytes.readableBytesView)
      }
    }
  }
}
