/// What keys have made of the table: which devices, in which order, from which on, and the one that is looked at.
///
/// A value: bytes of the terminal in, nothing out but whether it ends.
struct WatchControls: Sendable {
  enum Order: Sendable { case needs, newest }

  private(set) var filter = ""
  /// Letters go into the filter.
  private(set) var isTyping = false
  private(set) var order = Order.needs
  /// Among those that are shown.
  private(set) var selected = 0
  /// All that is known of the one that is selected.
  private(set) var isDetailed = false
  /// Rows of a page.
  var page = 10
  /// How many there are to choose from.
  var count = 0 { didSet { selected = min(selected, max(count - 1, 0)) } }

  /// - Returns: true: it ends.
  mutating func take(_ bytes: some Collection<UInt8>) -> Bool {
    var rest = Array(bytes)[...]
    while let byte = rest.popFirst() {
      if byte == 0x1B, rest.first == UInt8(ascii: "[") || rest.first == UInt8(ascii: "O") {
        rest.removeFirst()
        take(sequence: &rest)
      } else if isTyping, byte >= 0x80 {
        // A character beyond ASCII is several bytes, which a terminal sends at once.
        type([byte] + rest.prefix { $0 & 0xC0 == 0x80 })
        rest = rest.drop { $0 & 0xC0 == 0x80 }
      } else if isTyping {
        type(byte)
      } else {
        switch byte {
        case UInt8(ascii: "q"), UInt8(ascii: "Q"): return true
        case UInt8(ascii: "j"): move(1)
        case UInt8(ascii: "k"): move(-1)
        case UInt8(ascii: " "): move(page)
        case UInt8(ascii: "g"): selected = 0
        case UInt8(ascii: "G"): selected = max(count - 1, 0)
        case UInt8(ascii: "s"): order = order == .needs ? .newest : .needs
        case UInt8(ascii: "/"): (isTyping, filter) = (true, "")
        case 0x0A, 0x0D: isDetailed.toggle()
        case 0x1B:
          if isDetailed { isDetailed = false } else { filter = "" }
        default: break
        }
      }
    }
    return false
  }

  /// Arrows and pages (ECMA-48, CSI).
  private mutating func take(sequence rest: inout ArraySlice<UInt8>) {
    var parameter: [UInt8] = []
    while let byte = rest.popFirst() {
      guard (0x40...0x7E).contains(byte) else {
        parameter.append(byte)
        continue
      }
      switch (byte, parameter.first) {
      case (UInt8(ascii: "A"), _): move(-1)
      case (UInt8(ascii: "B"), _): move(1)
      case (UInt8(ascii: "H"), _), (UInt8(ascii: "~"), UInt8(ascii: "1")): selected = 0
      case (UInt8(ascii: "F"), _), (UInt8(ascii: "~"), UInt8(ascii: "4")): selected = max(count - 1, 0)
      case (UInt8(ascii: "~"), UInt8(ascii: "5")): move(-page)
      case (UInt8(ascii: "~"), UInt8(ascii: "6")): move(page)
      default: break
      }
      return
    }
  }

  private mutating func type(_ byte: UInt8) {
    switch byte {
    case 0x0A, 0x0D: isTyping = false
    case 0x1B: (isTyping, filter) = (false, "")
    case 0x08, 0x7F: if !filter.isEmpty { filter.removeLast() }
    case 0x20..<0x7F:
      if filter.utf8.count < 64 { filter.append(Character(Unicode.Scalar(byte))) }
      selected = 0
    default: break
    }
  }

  private mutating func type(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self), filter.utf8.count < 64 else { return }
    filter += text
    selected = 0
  }

  private mutating func move(_ rows: Int) { selected = max(0, min(selected + rows, count - 1)) }

  /// Those that the filter leaves, in their order.
  func shown(of view: FleetView) -> [WatchedDevice] {
    let word = filter.lowercased()
    let devices = view.sorted.filter {
      word.isEmpty || $0.name.lowercased().contains(word) || $0.state.word.contains(word)
        || $0.title?.lowercased().contains(word) == true
    }
    guard order == .newest else { return devices }
    // What nobody knows the time of is the oldest.
    return devices.sorted { ($0.since?.microseconds ?? .min) > ($1.since?.microseconds ?? .min) }
  }
}
