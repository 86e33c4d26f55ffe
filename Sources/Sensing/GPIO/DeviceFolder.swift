import Glibc
import LimpetPlatform

/// Notices when GPIO chips come and go in /dev, or become accessible (inotify(7)).
struct DeviceFolder: ~Copyable {
  /// Readable when something happened; -1 where the kernel gave none.
  let descriptor: CInt

  init(root: FileRoot) {
    descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
    guard descriptor >= 0, let path = try? root.location(of: "/dev") else { return }
    // Attributes too: udev gives the file to its group a moment after the kernel made it.
    let events = UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_ATTRIB) | UInt32(IN_MOVED_TO)
    inotify_add_watch(descriptor, path, events)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Takes the events; true: some were of a GPIO chip.
  func concernsChips() -> Bool {
    var found = false
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: MemoryLayout<inotify_event>.alignment) { buffer in
      while true {
        let length = read(descriptor, buffer.baseAddress, buffer.count)
        guard length > 0 else { return }
        var rest = UnsafeRawBufferPointer(buffer)[..<length]
        while rest.count >= MemoryLayout<inotify_event>.size {
          let event = rest.loadUnaligned(as: inotify_event.self)
          let end = MemoryLayout<inotify_event>.size + Int(event.len)
          guard end <= rest.count else { break }
          let name = rest.dropFirst(MemoryLayout<inotify_event>.size).prefix(Int(event.len))
          found = found || event.mask & UInt32(IN_Q_OVERFLOW) != 0 || name.starts(with: "gpiochip".utf8)
          rest = rest.dropFirst(end)
        }
      }
    }
    return found
  }
}
