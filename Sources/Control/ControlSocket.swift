internal import Glibc
import LimpetPlatform
import LimpetText

/// The control socket's place in the file system: everybody may connect.
package enum ControlSocket {
  /// Why there is no control socket; the agent runs without it.
  package enum Failure: Error, CustomStringConvertible {
    case socket(String, SocketFile.Failure)
    case path(String, String)

    package var description: String {
      switch self {
      case .socket(let path, .inUse):
        "the control socket \(path) belongs to another limpet that is running; write another path for control"
      case .socket(let path, .noSocket):
        "\(path) exists and is not a socket; remove it, or write another path for control"
      case .socket(let path, .system(let attempt, let code)):
        "the control socket \(path) cannot be made (\(attempt): \(String(cString: strerror(code)))); "
          + "make its folder writable, or write another path for control"
      case .socket(let path, .tooLong):
        "\(quoted(path)) cannot be the path of the control socket: longer than a socket's path can be; "
          + "write a shorter one for control"
      case .path(let path, let reason): "\(quoted(path)) cannot be the path of the control socket: \(reason)"
      }
    }
  }

  /// Takes the path, also from a process that has left its socket there. It blocks.
  package static func bind(_ path: String) throws(Failure) -> SocketFile {
    do throws(SocketFile.Failure) { return try SocketFile.bind(path, mode: 0o666) } catch {
      throw .socket(path, error)
    }
  }
}
