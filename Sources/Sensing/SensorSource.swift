import LimpetPlatform
import Measuring

/// Something that is read now and then and gives one value.
///
/// A source finds its device by a stable name and keeps finding it when the kernel numbers its devices anew.
/// ``SensorType`` says how to add one.
public protocol SensorSource: Sendable {
  /// What this source shares with others: when its reads hang, theirs are likely to hang too.
  var bus: Bus { get }

  /// Finds out on which bus the device is, where that is not known yet. It looks at names only, and asks no device.
  func locate()

  /// The attribute of whose changes the kernel notifies (poll(2), POLLPRI), so that it need not be read to notice them;
  /// nil: there is none. Looks for it by its names, so it may block.
  func notifyingPath() -> String?

  /// It has an attribute that notifies, where the board has the device.
  var notifies: Bool { get }

  /// The kernel sends events when its device comes, goes or changes.
  var hasEvents: Bool { get }

  /// Whether an event may mean another value.
  func isConcerned(by event: DeviceEvent) -> Bool

  /// Reads once. Blocks for as long as the driver does, so call it on a thread that may (see ``BlockingReader``).
  func read() throws(SensorError) -> Measurement
}

extension SensorSource {
  public func locate() {}
  public func notifyingPath() -> String? { nil }
  public var notifies: Bool { false }
  public var hasEvents: Bool { false }
  public func isConcerned(by event: DeviceEvent) -> Bool { false }
}

extension Bus {
  /// The adapter that a device hangs at, by the device's path. On I²C one transfer is under way at a time, and one that
  /// hangs holds up all chips of its adapter, those behind its multiplexers too.
  static func adapter(ofDevice path: String) -> Bus? {
    path.split(separator: "/").first { component in
      let number = component.dropFirst("i2c-".count)
      return component.hasPrefix("i2c-") && !number.isEmpty && number.allSatisfy { $0.isASCII && $0.isNumber }
    }.map { Bus(String($0), isSerial: true) }
  }
}

/// How a type of sensor is read and found on a board; the file of its source has it.
struct SensorDriver: Sendable {
  /// The source of what the settings name. Nothing is opened before the first read.
  let source: @Sendable (SensorSettings, FileRoot, W1Conversions) -> any SensorSource
  /// Every sensor of the type below a root; what cannot be listed is left out.
  var sensors: @Sendable (FileRoot) -> [FoundSensor] = { _ in [] }
  /// What a board says of the sensor that the settings name, for `limpet check`: each in a few words.
  var details: @Sendable (SensorSettings, FileRoot) -> [String] = { _, _ in [] }
}

extension SensorType {
  var driver: SensorDriver {
    switch self {
    case .thermal: .thermal
    case .hwmon: .hwmon
    case .iio: .iio
    case .w1: .w1
    case .powerSupply: .powerSupply
    case .system: .system
    case .file: .file
    }
  }
}

extension SensorKind {
  /// The source that reads this kind of sensor. Nothing is opened before the first read.
  ///
  /// - Parameter thermometers: what the 1-Wire sensors of one program share.
  public func source(in root: FileRoot = FileRoot(), thermometers: W1Conversions = W1Conversions()) -> any SensorSource
  {
    switch self {
    case .one(let type, let settings): type.driver.source(settings, root, thermometers)
    case .channels(let members):
      ChannelsSource(members: members.map { ($0.name, $0.kind.source(in: root, thermometers: thermometers)) })
    }
  }

  /// It has an attribute of whose changes the kernel notifies, if the board has the device.
  package var notifies: Bool { source(in: FileRoot()).notifies }

  /// What the board below a root says of it, each in a few words: the trip points of a thermal zone.
  package func details(in root: FileRoot) -> [String] {
    if case .one(let type, let settings) = self { type.driver.details(settings, root) } else { [] }
  }
}
