import Glibc
import LimpetPlatform

/// Which addresses of an I²C bus answer, asked as i2cdetect(8) does: by a quick write, or by reading a byte where a quick
/// write may do harm (0x30 to 0x37, 0x50 to 0x5f) or the adapter has none.
///
/// Only on request: a chip may take any transfer for a command.
package struct AddressProbe {
  package enum Answer: Sendable, Equatable {
    /// A chip answers, and no driver has it.
    case answers
    /// A driver has it, so it was not asked.
    case driven
  }

  /// By address, of those where something is.
  package private(set) var found: [(address: UInt8, answer: Answer)] = []
  /// Why the bus could not be probed, or not to its end.
  package private(set) var problem: String?

  /// Reserved addresses are left out [I2C-bus specification, 3.1.12].
  private static let addresses: ClosedRange<UInt8> = 0x08...0x77
  private static let fragile: [ClosedRange<UInt8>] = [0x30...0x37, 0x50...0x5F]

  // Of <linux/i2c-dev.h> and <linux/i2c.h>.
  private static let chooseAddress: UInt = 0x0703
  private static let functions: UInt = 0x0705
  private static let transfer: UInt = 0x0720
  private static let hasQuick: UInt = 0x0001_0000
  private static let hasReadByte: UInt = 0x0002_0000

  /// i2c_smbus_ioctl_data.
  private struct Transfer {
    var isRead: UInt8
    var command: UInt8 = 0
    /// I2C_SMBUS_QUICK, or I2C_SMBUS_BYTE.
    var size: UInt32
    var data: UnsafeMutablePointer<UInt16>?
  }

  /// The buses of a machine: numbers of `/dev/i2c-N`.
  package static func buses(in root: FileRoot) -> [Int] {
    ((try? root.entries(of: "/dev")) ?? []).compactMap { name in
      name.hasPrefix("i2c-") ? Int(name.dropFirst(4)) : nil
    }.sorted()
  }

  /// Blocks for as long as the transfers take.
  package init(bus: Int, root: FileRoot) {
    let path = "/dev/i2c-\(bus)"
    let file: String
    do { file = try root.location(of: path) } catch {
      problem = "\(path): \(error)"
      return
    }
    let descriptor = open(file, O_RDWR | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      problem = "\(path) cannot be opened: \(String(cString: strerror(errno)))"
      return
    }
    defer { close(descriptor) }
    var functions: UInt = 0
    guard ioctl(descriptor, Self.functions, &functions) >= 0 else {
      problem = "\(path) is not an I²C bus: \(String(cString: strerror(errno)))"
      return
    }
    look(descriptor, functions, path)
  }

  private mutating func look(_ descriptor: CInt, _ functions: UInt, _ path: String) {
    for address in Self.addresses {
      guard ioctl(descriptor, Self.chooseAddress, CInt(address)) >= 0 else {
        if errno == EBUSY { found.append((address, .driven)) }
        continue
      }
      let isFragile = Self.fragile.contains { $0.contains(address) }
      let reads = isFragile || functions & Self.hasQuick == 0
      // The adapter offers neither transfer.
      if reads, functions & Self.hasReadByte == 0 { continue }
      let code = Self.ask(descriptor, reads: reads)
      if code == 0 { found.append((address, .answers)) }
      // A bus that is stuck takes its time at each address.
      if code == ETIMEDOUT || code == EAGAIN {
        problem =
          "\(path) does not answer (\(String(cString: strerror(code)))): is a line held low, or without a pull-up?"
        return
      }
    }
  }

  /// - Returns: 0 or an errno.
  private static func ask(_ descriptor: CInt, reads: Bool) -> CInt {
    var word: UInt16 = 0
    return withUnsafeMutablePointer(to: &word) { data in
      var request = Transfer(isRead: reads ? 1 : 0, size: reads ? 1 : 0, data: reads ? data : nil)
      return ioctl(descriptor, transfer, &request) >= 0 ? 0 : errno
    }
  }
}
