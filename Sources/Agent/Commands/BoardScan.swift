import NIOCore
import Sensing

/// Everything that `limpet scan` finds on a board.
public struct BoardScan {
  private let gpio: GPIOScan

  public init(root: FileRoot) { gpio = GPIOScan(root: root) }

  /// What could not be looked at, and why.
  public var problems: [String] { gpio.problems }

  /// For people.
  public var text: String { gpio.text }

  /// One object: `gpio`.
  public var json: String {
    var object = JSONObject()
    object.add("gpio", list: gpio.json)
    return String(buffer: object.finish())
  }

  /// Entries for a configuration.
  public var yaml: String { gpio.yaml }
}
