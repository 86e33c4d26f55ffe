/// What a board says of itself, for the descriptions for home automation.
package struct BoardFacts: Sendable, Equatable {
  /// `Raspberry Pi 4 Model B Rev 1.4`
  package var model: String?
  package var serial: String?
  /// Of its first wired interface, else of its first one: `dc:a6:32:01:02:03`
  package var mac: String?
  /// The channels that have labels, by the readings' names: only a channel's name says its unit.
  package var channels: [String: String]

  package init(
    model: String? = nil, serial: String? = nil, mac: String? = nil, channels: [String: String] = [:]
  ) {
    self.model = model
    self.serial = serial
    self.mac = mac
    self.channels = channels
  }

  /// The first words of a model are its maker's, where that is known.
  package var maker: String? {
    let makers = [
      "Raspberry Pi", "BeagleBoard", "TI", "Radxa", "FriendlyElec", "Pine64", "Orange Pi", "Xunlong", "Hardkernel",
      "NVIDIA", "Khadas", "ASUS", "Banana Pi", "Toradex",
    ]
    return makers.first { model?.hasPrefix($0) == true }
  }
}
