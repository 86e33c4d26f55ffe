import LimpetPlatform
import Measuring

extension SensorKind {
  /// The channel that its label is of now; nil: it has no label, or no channel has that one.
  package func labelledChannel(in root: FileRoot) -> String? {
    guard label != nil, case .one(let type, let settings) = self else { return nil }
    return switch type {
    case .hwmon:
      HwmonSource(
        chip: settings.text("chip"), device: settings["device"], selector: HwmonSelector(settings), root: root
      ).channelName
    case .iio: IIOSource(device: settings.text("device"), selector: IIOSelector(settings), root: root).channelName
    default: nil
    }
  }
}
