import Glibc
import TestScene
import Testing

/// A file whose reads hang in the kernel, as those of a driver that waits for its device: a FUSE mount of one file, whose
/// requests nobody answers. Needs root and /dev/fuse.
enum HangingFile {
  static let isPossible = geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0

  /// Puts one at a path where a file is. It ends with the scene.
  static func mount(on path: String, _ scene: Scene) throws {
    let descriptor = open("/dev/fuse", O_RDWR | O_CLOEXEC)
    try #require(descriptor >= 0, "errno \(errno)")
    let options = "fd=\(descriptor),rootmode=100444,user_id=0,group_id=0"
    let answer = Glibc.mount("limpet-test", path, "fuse", 0, options)
    let code = errno
    scene.atEnd {
      umount2(path, CInt(MNT_DETACH))
      // What hangs is told that nobody will answer.
      close(descriptor)
    }
    try #require(answer == 0, "errno \(code)")
  }
}
