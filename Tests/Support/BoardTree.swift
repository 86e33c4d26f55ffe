import Foundation

/// A folder that the agent takes for a board's root: /sys, /proc and /etc as far as a test fills them.
package struct BoardTree: Sendable {
  package let path: String

  /// With a load, an uptime and memory, and nothing else.
  package init(_ scene: Scene, _ name: String = "root") throws {
    path = scene.folder + "/" + name
    try write("0.25 0.50 0.75 1/200 4321\n", to: "/proc/loadavg")
    try write("12345.67 40000.00\n", to: "/proc/uptime")
    try write("MemTotal:        3884000 kB\nMemAvailable:    2097152 kB\n", to: "/proc/meminfo")
  }

  package func write(_ text: String, to file: String) throws {
    try replaceFile(path + file, with: text)
  }

  /// A symbolic link, as it stands.
  package func link(_ file: String, to target: String) throws {
    try makeFolder(String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]))
    try FileManager.default.createSymbolicLink(atPath: path + file, withDestinationPath: target)
  }

  package func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: path + file) }

  package func makeFolder(_ file: String) throws {
    try FileManager.default.createDirectory(atPath: path + file, withIntermediateDirectories: true)
  }

  /// - Parameter temperature: millidegrees.
  package func thermalZone(_ number: Int, type: String, temperature: Int) throws {
    try write(type + "\n", to: "/sys/class/thermal/thermal_zone\(number)/type")
    try write("\(temperature)\n", to: "/sys/class/thermal/thermal_zone\(number)/temp")
  }

  /// - Parameter attributes: file names and what they hold, without the line feed.
  package func hwmon(_ number: Int, name: String, _ attributes: [String: String]) throws {
    try write(name + "\n", to: "/sys/class/hwmon/hwmon\(number)/name")
    for (file, text) in attributes { try write(text + "\n", to: "/sys/class/hwmon/hwmon\(number)/\(file)") }
  }
}
