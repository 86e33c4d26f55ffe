internal import Glibc
import LimpetPlatform

/// Why the service was started, where who started it says so: the `reason` of the first birth.
enum StartReason: String {
  /// limpet-confirm has installed the version before again.
  case rollback

  /// Reads the word, and removes it: it is for one start.
  ///
  /// - Parameter runtimeFolder: the service's, which is memory; `start-reason` in it is the word.
  static func take(runtimeFolder: String?) -> StartReason? {
    guard let path = runtimeFolder.map({ $0 + "/start-reason" }), let text = try? FileRoot().text(of: path) else {
      return nil
    }
    unlink(path)
    return StartReason(rawValue: text)
  }
}
