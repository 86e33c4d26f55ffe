import JSON
import NIOCore
import Platform

/// Everything that `limpet scan` finds on a board.
public struct BoardScan {
  private let sensors: SensorScan
  private let gpio: GPIOScan

  /// Reads each sensor once; blocks for as long as that takes.
  public init(root: FileRoot) {
    sensors = SensorScan(root: root)
    gpio = GPIOScan(root: root)
  }

  /// What could not be looked at, and why.
  public var problems: [String] { gpio.problems }

  /// For people.
  public var text: String { sensors.text + "\n" + gpio.text }

  /// One object: `sensors` and `gpio`.
  public var json: String {
    var object = JSONObject()
    object.add("sensors", list: sensors.json)
    object.add("gpio", list: gpio.json)
    return String(buffer: object.finish())
  }

  /// Entries for a configuration.
  public var yaml: String { sensors.yaml + "\n" + gpio.yaml }
}
