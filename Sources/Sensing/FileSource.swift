import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring

/// Reads any file: one number or a text, from the whole file or from the match of a pattern; the configuration says
/// what it means.
struct FileSource: SensorSource {
  let path: String
  var content = FileContent()
  let root: FileRoot

  /// The folder: the attributes of one device lie in one, and a hanging network mount does not stop the others.
  var bus: Bus {
    let folder = path.lastIndex(of: "/").map { path[..<$0] } ?? ""
    return Bus("file \(folder.isEmpty ? "/" : folder)")
  }

  func read() throws(SensorError) -> Measurement {
    var text = try reading { () throws(ReadError) -> String in
      guard content.match != nil else { return try root.text(of: path) }
      return try root.textAtBeginning(of: path)
    }
    let time = BootClock.now
    if let match = content.match {
      guard let found = match.firstMatch(in: text) else {
        throw .noMatch(pattern: match.text, path: path, content: text)
      }
      text = found
    }
    guard !content.isText else {
      guard !text.isEmpty else { throw .noValue("is empty, a text was expected", path: path) }
      guard text.utf8.count <= Self.textLimit else { throw .textTooLong(path: path, bytes: text.utf8.count) }
      return Measurement(value: .text(text), time: time)
    }
    if let number = Self.hexadecimal(text) { return Measurement(value: number, time: time) }
    return try Measurement(value: number(in: text, of: path), time: time)
  }

  /// `0x1f`, as drivers print registers; nil: it is no such number.
  private static func hexadecimal(_ text: String) -> Value? {
    let isNegative = text.hasPrefix("-")
    let digits = isNegative ? text.dropFirst() : text[...]
    guard digits.lowercased().hasPrefix("0x"), digits.utf8.count > 2,
      digits.dropFirst(2).allSatisfy({ $0.isASCII && $0.isHexDigit }),
      let number = Int64((isNegative ? "-" : "") + digits.dropFirst(2), radix: 16)
    else { return nil }
    return .integer(number)
  }

  /// Bytes of a text that is a value.
  static let textLimit = 1024
}

extension SensorDriver {
  /// A scan does not search for files: there would be too many.
  static let file = SensorDriver(source: { settings, root, _ in
    FileSource(path: settings.text("path"), content: FileContent(settings), root: root)
  })
}
