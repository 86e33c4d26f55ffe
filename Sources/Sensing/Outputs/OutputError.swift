import Glibc
import LimpetText
import Measuring

/// Why an output is not driven. The description is for the person at a terminal: what is wrong, where, what to do.
enum OutputError: Error, Sendable, Hashable {
  case line(GPIOError)
  /// Nothing is named so, or several are.
  case notFound(SensorError)
  case file(ReadError)
  case noSuchChannel(Int, chip: String, channels: Int)
  /// A driver of the kernel's, or another program, has the PWM channel.
  case occupied(String)
  /// Another output of this configuration is the same one.
  case taken(String)
  /// The chip was taken away.
  case gone(String)
  /// The kernel does not return from driving it.
  case unanswered(String)
  case noThread(errno: CInt)
  /// It is to stay on, or as it is, when limpet ends, and is not known to; why.
  case loose(String, why: String)
  /// Who drove a fan before could not be read when it was taken.
  case formerUnknown(String)

  /// Somebody else has it.
  var isOccupied: Bool {
    switch self {
    case .line(.busy), .occupied: true
    default: false
    }
  }
}

extension OutputError: CustomStringConvertible {
  var description: String {
    switch self {
    case .line(let error): "\(error)"
    case .notFound(let error): "\(error)"
    case .file(let error): Self.text(error)
    case .noSuchChannel(let channel, let chip, let channels):
      "\(printable(chip, limit: 256)) has no PWM channel \(channel): it has \(channels), from 0 on"
    case .occupied(let what): "\(what) is used by a driver of the kernel or another program; use another channel"
    case .taken(let what): "\(what) is driven by another output of this configuration; remove one of them"
    case .gone(let what): "\(what): the device is gone"
    case .unanswered(let what):
      "\(what): the kernel does not return from driving it; check the bus that its chip is on"
    case .formerUnknown(let path):
      "\(printable(path, limit: 256)): limpet does not know what drove this fan before, so it runs at full speed; write its "
        + "pwm_enable by hand, or restart the board"
    case .loose(let what, let why):
      "stop: on and stop: keep need a line that stays as it is; of \(what), \(why); write stop: off"
    case .noThread(let code):
      "outputs cannot be driven: no thread could be started (\(ReadError.text(of: code))); raise TasksMax= or free memory"
    }
  }

  /// Who may not write there has neither the package's udev rule nor its drop-in.
  private static func text(_ error: ReadError) -> String {
    let path = printable(error.path, limit: 256)
    return switch error.reason {
    case .errno(EACCES), .errno(EPERM):
      "cannot write \(path): limpet's user may not; the package's udev rule gives it to the group limpet"
    case .errno(EROFS):
      "cannot write \(path): the service sees /sys read-only; copy /usr/share/limpet/outputs.conf to "
        + "/etc/systemd/system/limpet.service.d/"
    case .errno(EINVAL): "cannot write \(path): the driver does not take this value (EINVAL)"
    default: "\(error)"
    }
  }
}

func writing<R>(_ body: () throws(ReadError) -> R) throws(OutputError) -> R {
  do { return try body() } catch { throw .file(error) }
}

func finding<R>(_ body: () throws(SensorError) -> R) throws(OutputError) -> R {
  do { return try body() } catch { throw .notFound(error) }
}
