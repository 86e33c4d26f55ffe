/// Something that is read now and then and gives one value.
///
/// A source finds its device by a stable name and keeps finding it when the kernel numbers its devices anew. Adding a
/// type of sensor is one file with its source, a case of ``SensorKind`` and a line in ``SensorKind/source(in:)``.
public protocol SensorSource: Sendable {
  /// What this source shares with others: when its reads hang, theirs are likely to hang too.
  var bus: Bus { get }

  /// Reads once. Blocks for as long as the driver does, so call it on a thread that may (see ``BlockingReader``).
  func read() throws(SensorError) -> Measurement
}

/// What several sources share, named for people: `hwmon pwmfan`, `file /sys/class/leds/led0`.
public struct Bus: Sendable, Hashable, CustomStringConvertible {
  public let name: String

  public init(_ name: String) {
    self.name = name
  }

  public var description: String { name }
}

extension SensorKind {
  /// The source that reads this kind of sensor. Nothing is opened before the first read.
  public func source(in root: FileRoot = FileRoot()) -> any SensorSource {
    switch self {
    case .thermal(let zone): ThermalSource(zone: zone, root: root)
    case .hwmon(let chip, let selector): HwmonSource(chip: chip, selector: selector, root: root)
    case .system(let value): SystemSource(value: value, root: root)
    case .file(let path): FileSource(path: path, root: root)
    }
  }
}
