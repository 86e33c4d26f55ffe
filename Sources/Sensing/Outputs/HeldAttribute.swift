import Glibc
import LimpetPlatform
import LimpetText
import Measuring

/// A folder of sysfs as it was when an output was taken: a device that comes back has another one, of the same name.
struct DeviceFolderIdentity: Sendable, Equatable {
  private let device: UInt64
  private let number: UInt64

  /// nil: it is not there.
  init?(of path: String, in root: FileRoot) {
    var status = stat()
    guard let location = try? root.location(of: path), stat(location, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}

/// One attribute of sysfs that holds an output's level as a whole number from 0 to `most`.
struct LevelAttribute: Sendable {
  let root: FileRoot
  let path: String
  let most: Int64
  /// How much the value that is read back may differ: the device has coarser steps than its attribute.
  var step: Int64 = 0

  /// Any level above off is at least 1, or it would be off.
  func raw(_ level: OutputLevel) -> Int64 {
    guard level.isOn else { return 0 }
    return min(max(Int64((level.percent / 100 * Double(most)).rounded()), 1), most)
  }

  func level(_ raw: Int64) -> OutputLevel {
    OutputLevel(percent: most > 0 ? min(max(Double(raw) / Double(most) * 100, 0), 100) : 0)
  }

  func write(_ level: OutputLevel) throws(OutputError) {
    try writing { () throws(ReadError) in try root.write("\(raw(level))", to: path) }
  }

  func read() throws(OutputError) -> Int64 { try root.number(path) }

  /// `level` itself, if the attribute has that value.
  func readBack(of level: OutputLevel) throws(OutputError) -> OutputLevel {
    let found = try read()
    let isSame = abs(found - raw(level)) <= step && (found > 0) == level.isOn
    return isSame ? level : self.level(found)
  }
}

extension FileRoot {
  /// A whole number that an attribute holds.
  func number(_ path: String) throws(OutputError) -> Int64 {
    try finding { () throws(SensorError) in try integer(of: path) }
  }
}
