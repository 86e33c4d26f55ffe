import JSON
import NIOCore

/// How far somebody is in reading all devices. It has their names, which readers share, and makes the text of each device
/// when its turn comes: of a large fleet that is 30 MB, and readers that are slow would each have a moment of their own.
struct FleetListing {
  private let names: [String]
  private var place = 0
  /// What comes before the devices, until it is told.
  private var head: ByteBuffer?
  private var isFirst = true
  private var isOver = false

  /// - Parameters:
  ///   - object: what is said beside the devices.
  ///   - names: of the devices, in order.
  init(_ object: consuming JSONObject, _ names: [String]) {
    self.names = names
    var head = object.finish()
    // The object is still open.
    head.moveWriterIndex(to: head.writerIndex - 1)
    head.writeString(",\"devices\":[")
    self.head = head
  }

  /// - Parameters:
  ///   - bytes: where there are more, the part has no more than one device beyond them.
  ///   - device: a device as JSON; nil: it is gone.
  mutating func next(atLeast bytes: Int, _ device: (String) -> ByteBuffer?) -> ByteBuffer? {
    guard !isOver else { return nil }
    var part = head.take() ?? ByteBuffer()
    while place < names.count, part.readableBytes < bytes {
      defer { place += 1 }
      guard let json = device(names[place]) else { continue }
      if !isFirst { part.writeString(",") }
      isFirst = false
      part.writeImmutableBuffer(json)
    }
    guard place == names.count else { return part }
    part.writeString("]}")
    isOver = true
    return part
  }
}
