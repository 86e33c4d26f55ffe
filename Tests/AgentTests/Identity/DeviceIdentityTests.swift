import LimpetInstants
import Testing

@testable import Measuring
@testable import Planning
@testable import Records

struct DeviceIdentityTests {
  private static let board = BoardIdentity(source: .deviceTree, text: "10000000abcdef01")
  private static let otherBoard = BoardIdentity(source: .deviceTree, text: "10000000abcdef02")
  private static let installation = BoardIdentity(source: .machineID, text: "b08dfaf2e4f14f5d8e3a4b5c6d7e8f90")

  private func decide(
    stored: StoredIdentity?, board: BoardIdentity?, seed: UInt64 = 1
  ) -> (identity: StoredIdentity, origin: DeviceIdentity.Origin) {
    var generator = SplitMix64(seed: seed)
    return DeviceIdentity.decide(stored: stored, board: board, using: &generator)
  }

  @Test("an identity decided without the storage holds beside that of another board, not beside one of another kind")
  func late() {
    let (serial, other) = (
      decide(stored: nil, board: Self.board).identity, decide(stored: nil, board: Self.otherBoard).identity
    )
    let machine = decide(stored: nil, board: Self.installation).identity
    let (first, second) = (decide(stored: nil, board: nil).identity, decide(stored: nil, board: nil, seed: 2).identity)
    for identity in [serial, machine, first] { #expect(identity.isOfSameBoard(as: identity)) }
    #expect(serial.isOfSameBoard(as: other))
    #expect(!serial.isOfSameBoard(as: first) && !first.isOfSameBoard(as: serial))
    #expect(!machine.isOfSameBoard(as: serial) && !second.isOfSameBoard(as: first))
  }

  // MARK: The identifier

  @Test("an identifier is 22 of the characters that every server of 3.1.1 takes [MQTT-3.1.3-5]")
  func alphabet() {
    var generator = SplitMix64(seed: 22)
    let serials = ["", "0", "ü", "b08dfaf2e4f14f5d8e3a4b5c6d7e8f90"] + (0..<2000).map { _ in "\(generator.next())" }
    for serial in serials {
      let identifier = DeviceIdentity.identifier(for: serial)
      #expect(identifier.utf8.count == 22)
      #expect(identifier.allSatisfy { $0.isASCII && ($0.isNumber || $0.isLetter) }, "\(identifier)")
    }
  }

  /// Made with another implementation; were these to change, every device in the field would become a new one.
  @Test(
    "the identifier of a serial number never changes",
    arguments: [
      ("10000000abcdef01", "30himVHk1pV0YMwLFLQCeo"), ("b08dfaf2e4f14f5d8e3a4b5c6d7e8f90", "1MHjzN1gaUdj5nRVqSnyO1"),
      ("A", "5UlWkMQmHsq5H7YFMzYati"), ("Grüße", "7DjEdZvWEyEBk2A9VN6HiS"),
    ])
  func stable(serial: String, identifier: String) {
    #expect(DeviceIdentity.identifier(for: serial) == identifier)
  }

  @Test("neighbouring serial numbers have different identifiers, none of which contains its serial number")
  func distinctAndOpaque() {
    let serials = (0..<5000 as Range<UInt32>).map { "10000000" + String(0xabcd_0000 + $0, radix: 16) }
    let identifiers = serials.map(DeviceIdentity.identifier)
    #expect(Set(identifiers).count == serials.count)
    for (serial, identifier) in zip(serials, identifiers) {
      #expect(!identifier.contains(serial) && !identifier.contains(serial.suffix(8)))
    }
  }

  @Test("every place but the first, which holds what 128 bits leave over, uses all 62 characters about equally")
  func distribution() {
    let count = 6200
    let identifiers = (0..<count).map { Array(DeviceIdentity.identifier(for: "serial \($0)")) }
    for place in 1..<22 {
      let frequencies = Dictionary(grouping: identifiers) { $0[place] }.mapValues(\.count)
      #expect(frequencies.count == 62)
      // 100 are expected, with a standard deviation of 10.
      #expect(frequencies.values.allSatisfy { (50...150).contains($0) }, "place \(place): \(frequencies)")
    }
    // 2^128 / 62^21 is 7.7.
    #expect(Set(identifiers.map { $0[0] }) == Set("01234567"))
  }

  // MARK: The decision

  @Test("a first start makes the identity from the board", arguments: [board, installation])
  func first(board: BoardIdentity) {
    let (identity, origin) = decide(stored: nil, board: board)
    #expect(origin == .new)
    #expect(identity.id == DeviceIdentity.identifier(for: board.text))
    #expect(identity.serial == board.text)
    #expect(identity.source == (board.source == .deviceTree ? .deviceTree : .machineID))
  }

  @Test("the same board is the same device, whatever the store says")
  func rewrittenCard() {
    #expect(decide(stored: nil, board: Self.board, seed: 1) == decide(stored: nil, board: Self.board, seed: 2))
  }

  @Test("a board that says nothing gets an identity at random, a different one each time")
  func random() {
    let (one, origin) = decide(stored: nil, board: nil, seed: 1)
    let (other, _) = decide(stored: nil, board: nil, seed: 2)
    #expect(origin == .new)
    #expect(one.source == .random)
    #expect(one.id.utf8.count == 22)
    #expect(one.id != other.id)
    #expect(one == decide(stored: nil, board: nil, seed: 1).identity)
  }

  @Test("a stored identity is kept on its own board, whatever its text")
  func kept() {
    let stored = StoredIdentity(id: "made-by-hand", source: .deviceTree, serial: Self.board.text)
    let (identity, origin) = decide(stored: stored, board: Self.board)
    #expect(identity == stored)
    #expect(origin == .stored)
  }

  @Test("a store that was carried to another board gives up its identity, and says which it was")
  func moved() {
    let stored = decide(stored: nil, board: Self.board).identity
    let (identity, origin) = decide(stored: stored, board: Self.otherBoard)
    #expect(origin == .moved(from: stored.id))
    #expect(identity == decide(stored: nil, board: Self.otherBoard).identity)
    #expect(identity.id != stored.id)
  }

  @Test(
    "a stored identity is kept where like cannot be compared with like",
    arguments: [
      (board, installation), (installation, board), (board, nil), (installation, nil), (nil, board), (nil, nil),
    ] as [(BoardIdentity?, BoardIdentity?)])
  func incomparable(then: BoardIdentity?, now: BoardIdentity?) {
    let stored = decide(stored: nil, board: then).identity
    let (identity, origin) = decide(stored: stored, board: now, seed: 2)
    #expect(identity == stored)
    #expect(origin == .stored)
  }
}
