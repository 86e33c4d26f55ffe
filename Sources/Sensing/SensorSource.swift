import Measuring
import Platform

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

extension SensorKind {
  /// The source that reads this kind of sensor. Nothing is opened before the first read.
  ///
  /// - Parameter thermometers: what the 1-Wire sensors of one program share.
  public func source(in root: FileRoot = FileRoot(), thermometers: W1Conversions = W1Conversions()) -> any SensorSource
  {
    switch self {
    case .thermal(let zone): ThermalSource(zone: zone, root: root)
    case .hwmon(let chip, let device, let selector):
      HwmonSource(chip: chip, device: device, selector: selector, root: root)
    case .iio(let device, let channel): IIOSource(device: device, channel: channel, root: root)
    case .w1(let id): W1Source(id: id, root: root, conversions: thermometers)
    case .powerSupply(let supply, let property): PowerSupplySource(supply: supply, property: property, root: root)
    case .system(.cpu): ProcessorSource(root: root)
    case .system(let value): SystemSource(value: value, root: root)
    case .file(let path, let content): FileSource(path: path, content: content, root: root)
    case .channels(let members):
      ChannelsSource(members: members.map { ($0.name, $0.kind.source(in: root, thermometers: thermometers)) })
    }
  }
}
