/// What tells this board from every other, as far as the system knows.
///
/// The text identifies hardware or installation and should not leave the machine as it is: machine-id(5) asks for a hash.
public struct BoardIdentity: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    /// The serial number in the device tree: stays when the SD card is written anew.
    case deviceTree
    /// machine-id(5): made at installation or at the first boot.
    case machineID
  }

  public let source: Source
  public let text: String

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
