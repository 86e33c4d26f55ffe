import JSON
import LimpetPlatform
import NIOCore

/// Everything that `limpet scan` finds on a board.
public struct BoardScan {
  private let sensors: SensorScan
  private let gpio: GPIOScan
  private let outputs: OutputScan
  private let wiring: WiringScan

  /// Reads each sensor once; blocks for as long as that takes.
  ///
  /// - Parameter probesI2C: the addresses of all I²C buses are asked whether something is there, which is never done unasked.
  public init(root: FileRoot, probesI2C: Bool = false) {
    sensors = SensorScan(root: root)
    gpio = GPIOScan(root: root)
    outputs = OutputScan(root: root)
    wiring = WiringScan(root: root, probesI2C: probesI2C)
  }

  /// What could not be looked at, and why.
  public var problems: [String] { gpio.problems + wiring.problems }

  /// For people.
  public var text: String { lines(sensors.text, gpio.text, wiring.text) }

  /// One object: `sensors`, `gpio` and `undriven`, chips without a driver.
  public var json: String {
    var object = JSONObject()
    object.add("sensors", list: sensors.json)
    object.add("gpio", list: gpio.json)
    object.add("undriven", list: wiring.json)
    return String(buffer: object.finish())
  }

  /// Entries for a configuration.
  public var yaml: String { lines(sensors.yaml, gpio.yaml, outputs.yaml, wiring.yaml) }

  /// The sensors as entries of a configuration that is there.
  ///
  /// - Parameter bytes: of a configuration without errors.
  public func merged(into bytes: [UInt8]) throws(ScanMerge.Refusal) -> ScanMerge {
    try ScanMerge(sensors.proposals, into: bytes)
  }

  private func lines(_ parts: String...) -> String { parts.filter { !$0.isEmpty }.joined(separator: "\n") }
}
