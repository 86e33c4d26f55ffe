import MQTT

@testable import LimpetInstants
@testable import MQTTCore
@testable import Readings

extension Stream {
  /// As it is labelled by what `clock` says.
  func message(_ reading: Reading, _ clock: WallClock, _ version: ProtocolVersion) -> Message {
    message(
      reading, TimeLabel(time: clock.time(of: reading.time), isCertain: clock.isSynchronized), version)
  }
}
