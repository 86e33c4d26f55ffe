import Glibc
import LimpetPlatform
import LimpetText
import Measuring

/// Early signs of a board's end, and why it started: its file systems, its eMMC, its clock's battery, what its tasks
/// wait for.
struct BoardHealth {
  let root: FileRoot

  private static let watchdog = "/sys/class/watchdog/watchdog0/bootstatus"
  /// WDIOF_CARDRESET (linux/watchdog.h).
  private static let cardReset: Int64 = 0x20
  private static let battery = "/sys/class/rtc/rtc0/battery_voltage"
  private static let frequency = "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq"
  private static let ext4 = "/sys/fs/ext4"
  /// ST_RDONLY of statvfs(3), which is a macro that Swift does not see.
  private static let readOnly: UInt = 1

  func value(_ word: SystemWord, of subject: String) throws(SensorError) -> Value {
    switch word {
    case .inodesFree: try inodes(subject)
    case .readOnly:
      .flag(UInt(try SystemSource.fileSystem(of: subject, in: root).f_flag) & Self.readOnly != 0)
    case .fileSystemErrors: .integer(try root.integer(of: "\(Self.ext4)/\(subject)/errors_count"))
    case .spareBlocks: try spareBlocks(subject)
    case .processorPressure: try pressure("cpu")
    case .memoryPressure: try pressure("memory")
    case .diskPressure: try pressure("io")
    case .processorFrequency: .divided(try root.integer(of: Self.frequency), by: 1000)
    case .watchdogReset: .flag(try root.integer(of: Self.watchdog) & Self.cardReset != 0)
    case .clockBattery: .divided(try root.integer(of: Self.battery), by: 1_000_000)
    case .linkSpeed: try linkSpeed(subject)
    default: preconditionFailure("\(word.rawValue) is not a value of a board's health")
    }
  }

  private func inodes(_ path: String) throws(SensorError) -> Value {
    let status = try SystemSource.fileSystem(of: path, in: root)
    // btrfs and vfat make them as they are needed.
    guard status.f_files > 0 else { throw .noValue("a file system without a limit of files", path: path) }
    return .integer(Int64(clamping: status.f_favail))
  }

  /// `0x01`: of an eMMC that reports it.
  private func spareBlocks(_ device: String) throws(SensorError) -> Value {
    let path = "\(SystemSource.blockFolder)/\(device)/device/pre_eol_info"
    let text = try reading { () throws(ReadError) in try root.text(of: path) }
    let states = SystemWord.spareBlockStates
    guard text.hasPrefix("0x"), let number = Int(text.dropFirst(2), radix: 16), (1...states.count).contains(number)
    else {
      throw .noValue("the device does not report its spare blocks: \(printable(text))", path: path)
    }
    return .text(states[number - 1])
  }

  /// `some avg10=0.12 avg60=0.05 avg300=0.01 total=123456`.
  private func pressure(_ resource: String) throws(SensorError) -> Value {
    let path = "/proc/pressure/\(resource)"
    let text = try reading { () throws(ReadError) in try root.text(of: path) }
    let line = text.split(separator: "\n").first { $0.hasPrefix("some ") }
    let word = line?.split(separator: " ").first { $0.hasPrefix("avg10=") }
    guard let word else { throw .missingField("some avg10", path: path) }
    return try number(in: word.dropFirst("avg10=".count), of: path)
  }

  /// In Mbit/s; the kernel says -1, or EINVAL, where nothing is connected.
  private func linkSpeed(_ interface: String) throws(SensorError) -> Value {
    let path = "\(SystemSource.networkFolder)/\(interface)/speed"
    let speed = try root.integer(of: path)
    guard speed > 0 else { throw .noValue("the link of \(interface) is down, or has no speed", path: path) }
    return .integer(speed)
  }

  /// Those that this board has, for a scan.
  var values: [SystemValue] {
    var values: [SystemValue] = []
    for device in ((try? root.entries(of: Self.ext4)) ?? []) where root.exists("\(Self.ext4)/\(device)/errors_count") {
      values.append(SystemValue(.fileSystemErrors, of: device))
    }
    for device in (try? root.entries(of: SystemSource.blockFolder)) ?? []
    where root.exists("\(SystemSource.blockFolder)/\(device)/device/pre_eol_info") {
      values.append(SystemValue(.spareBlocks, of: device))
    }
    let others: [(String, SystemWord)] = [(Self.watchdog, .watchdogReset), (Self.battery, .clockBattery)]
    return values + others.filter { root.exists($0.0) }.map { SystemValue($0.1) }
  }
}
