import LimpetText
import Measuring
import Records

/// The identifier of a device: 22 characters of [0-9a-zA-Z], so that every server of MQTT 3.1.1 must take it as a client
/// identifier ([MQTT-3.1.3-5]).
///
/// It is made from what distinguishes the board from every other, hashed with a key of this application: machine-id(5)
/// demands that the number itself does not leave the machine. limpet stores it with what it was made from, and so
/// notices a card that was copied to another board.
package enum DeviceIdentity {
  /// How the identity came about, for the log.
  package enum Origin: Equatable {
    case stored
    case new
    /// The storage came from another board.
    case moved(from: String)
  }

  private static let applicationKey = Array("limpet device identity 1".utf8)
  private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

  /// The identity to use, given what is stored and what the board says now.
  package static func decide(
    stored: StoredIdentity?, board: BoardIdentity?, using generator: inout some RandomNumberGenerator
  ) -> (StoredIdentity, Origin) {
    guard let stored else { return (make(board, using: &generator), .new) }
    // Only ids from one kind of source can be compared: a device tree may be unreadable today.
    guard let board, board.storedSource == stored.source, board.text != stored.serial else { return (stored, .stored) }
    return (make(board, using: &generator), .moved(from: stored.id))
  }

  private static func make(
    _ board: BoardIdentity?, using generator: inout some RandomNumberGenerator
  ) -> StoredIdentity {
    if let board {
      return StoredIdentity(id: identifier(for: board.text), source: board.storedSource, serial: board.text)
    }
    let random = (0..<2).map { _ in String(generator.next() as UInt64, radix: 16) }.joined(separator: "-")
    return StoredIdentity(id: identifier(for: random), source: .random, serial: random)
  }

  package static func identifier(for serial: String) -> String {
    var number = SHA256.authenticationCode(Array(serial.utf8), key: applicationKey).prefix(16)
      .reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
    var text: [Character] = []
    for _ in 0..<22 {
      text.append(digits[Int(number % 62)])
      number /= 62
    }
    return String(text.reversed())
  }
}

extension BoardIdentity {
  var storedSource: StoredIdentity.Source {
    switch source {
    case .deviceTree: .deviceTree
    case .machineID: .machineID
    }
  }
}
