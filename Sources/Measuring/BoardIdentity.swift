/// What distinguishes this board from every other, as far as the system knows.
///
/// The text identifies hardware or installation and should not leave the machine as it is: machine-id(5) asks for a hash.
public struct BoardIdentity: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    /// The serial number in the device tree: it stays when the SD card is written again.
    case deviceTree
    /// machine-id(5): made at installation or at the first boot.
    case machineID
  }

  public let source: Source
  public let text: String

  package init(source: Source, text: String) {
    self.source = source
    self.text = text
  }
}
