/// Reads any attribute that holds one number; what it means, and its unit, the configuration says.
struct FileSource: SensorSource {
  let path: String
  let root: FileRoot

  /// The folder: the attributes of one device lie in one, and a hanging network mount does not stop the others.
  var bus: Bus {
    let folder = path.lastIndex(of: "/").map { path[..<$0] } ?? ""
    return Bus("file \(folder.isEmpty ? "/" : folder)")
  }

  func read() throws(SensorError) -> Measurement {
    try Measurement(value: root.number(of: path))
  }
}
