import LimpetPlatform
import Measuring

extension BoardIdentity {
  /// The first identity that can be one; nil when there is none.
  public static func read(in root: FileRoot = FileRoot()) -> BoardIdentity? {
    for path in ["/proc/device-tree/serial-number", "/sys/firmware/devicetree/base/serial-number"] {
      if let text = try? root.text(of: path), isSerialNumber(text) {
        return BoardIdentity(source: .deviceTree, text: text)
      }
    }
    if let text = try? root.text(of: "/etc/machine-id").lowercased(), isMachineID(text) {
      return BoardIdentity(source: .machineID, text: text)
    }
    return nil
  }

  /// Boards that were never given a number have none, or all zeros, or all ones.
  private static func isSerialNumber(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
      && !text.allSatisfy { $0 == "0" } && !text.allSatisfy { $0 == "f" || $0 == "F" }
  }

  /// 32 hexadecimal digits, not all zero. Before the first boot is done, the file is empty or says `uninitialized`.
  private static func isMachineID(_ text: String) -> Bool {
    text.utf8.count == 32 && text.allSatisfy(\.isHexDigit) && text.utf8.allSatisfy { $0 < 0x80 }
      && !text.allSatisfy { $0 == "0" }
  }
}
