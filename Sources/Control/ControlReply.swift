import JSON
import NIOCore

/// The answers on the control socket, one line each.
package enum ControlReply {
  /// `{"ok":true,...}` and its line end.
  package static func success(_ fill: (inout JSONObject) -> Void = { _ in }) -> ByteBuffer {
    var object = JSONObject()
    object.add("ok", true)
    fill(&object)
    return line(object)
  }

  /// `{"ok":false,"error":"..."}`, with more where a command has more to say.
  package static func failure(_ error: some CustomStringConvertible, _ fill: (inout JSONObject) -> Void = { _ in })
    -> ByteBuffer
  {
    var object = JSONObject()
    object.add("ok", false)
    object.add("error", error.description)
    fill(&object)
    return line(object)
  }

  private static func line(_ object: consuming JSONObject) -> ByteBuffer {
    var buffer = object.finish()
    buffer.writeInteger(UInt8(ascii: "\n"))
    return buffer
  }
}
