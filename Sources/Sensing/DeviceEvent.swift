internal import CLimpetLinux
import Glibc

/// The kernel's message about a device that comes, goes or changes: a uevent (lib/kobject_uevent.c), which is
/// `add@/devices/…` and then `KEY=VALUE` for each of its properties, all ended by NULs.
public struct DeviceEvent: Sendable, Equatable {
  private let properties: [String: String]

  /// nil: no event of the kernel, such as udev's, which begin with `libudev`.
  init?(_ message: some Collection<UInt8>) {
    let fields = message.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    guard let head = fields.first, head.contains("@") else { return nil }
    let pairs = fields.dropFirst().compactMap { field -> (String, String)? in
      guard let sign = field.firstIndex(of: "=") else { return nil }
      return (String(field[..<sign]), String(field[field.index(after: sign)...]))
    }
    properties = Dictionary(pairs) { first, _ in first }
    guard properties["ACTION"] != nil else { return nil }
  }

  subscript(key: String) -> String? { properties[key] }

  var subsystem: String? { properties["SUBSYSTEM"] }

  /// The device is there now, or not any more.
  var isComingOrGoing: Bool { ["add", "remove", "bind", "unbind", "move"].contains(properties["ACTION"]) }
}

/// Receives uevents from the kernel: a netlink(7) socket, which needs no privilege.
struct DeviceEvents: ~Copyable {
  /// Readable when there are some; -1: nobody wants any, or the kernel gave no socket.
  let descriptor: CInt

  /// An event is one message, of at most 2 KiB and its head.
  private static let messageSize = 8192

  init(isWanted: Bool) {
    guard isWanted else {
      descriptor = -1
      return
    }
    let type = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    descriptor = socket(AF_NETLINK, type, NETLINK_KOBJECT_UEVENT)
    guard descriptor >= 0 else { return }
    var address = sockaddr_nl()
    address.nl_family = sa_family_t(AF_NETLINK)
    // The kernel's own group.
    address.nl_groups = 1
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
      }
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Takes the events that wait; nil: some were lost, since nobody read them in time.
  func take() -> [DeviceEvent]? {
    var events: [DeviceEvent] = []
    var isComplete = true
    withUnsafeTemporaryAllocation(byteCount: Self.messageSize, alignment: 1) { buffer in
      while true {
        let length = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if length > 0 {
          if let event = DeviceEvent(buffer[..<length]) { events.append(event) }
        } else if length < 0, errno == ENOBUFS {
          isComplete = false
        } else if length == 0 || errno != EINTR {
          return
        }
      }
    }
    return isComplete ? events : nil
  }
}
