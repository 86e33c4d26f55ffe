import JSON
import NIOCore
import Testing

@testable import Fleet
@testable import LimpetInstants

extension FleetLog {
  /// What somebody gets who takes every part at once.
  var all: ByteBuffer {
    mutating get {
      var (listing, all) = (listing(), ByteBuffer())
      while let part = part(of: &listing) { all.writeImmutableBuffer(part) }
      return all
    }
  }
}

@Suite("All devices, as somebody reads them part by part") struct FleetListingTests {
  @Test("all comes in parts that are made when they are taken; with the events after its number nothing is missed")
  func parts() throws {
    var random = SystemRandomNumberGenerator()
    var fleet = try WatchedFleet()
    var log = FleetLog(expected: ["board-7", "board-8"], at: Timestamp(sinceEpoch: .zero))
    let names = (0..<2000).map { "board-\($0)" }
    func change() {
      let name = names.randomElement(using: &random) ?? ""
      let payload = ["online", "offline", "", "on\"line"].randomElement(using: &random) ?? ""
      for change in fleet.status(payload, of: name) { log.take(change) }
    }
    for _ in 0..<4000 { change() }
    var listing = log.listing()
    var (text, count) = ("", 0)
    while let part = log.part(of: &listing) {
      #expect(part.readableBytes < FleetLog.portion + 1024)
      text += String(buffer: part)
      count += 1
      for _ in 0..<300 { change() }
    }
    #expect(count > 3 && log.part(of: &listing) == nil)
    let all = try #require(JSONValue(parsing: text.utf8))
    var shown = devices(of: all)
    var number = try #require(all["id"]?.integer.map { UInt64($0) })
    while let (events, last) = log.events(after: number) {
      number = last
      for event in String(buffer: events).split(separator: "\n\n") {
        let lines = event.split(separator: "\n")
        let device = try #require(JSONValue(parsing: lines[2].dropFirst("data: ".count).utf8))
        shown[device["device"]?.text ?? ""] = lines[1] == "event: gone" ? nil : device.compact
      }
    }
    #expect(shown == devices(of: try #require(JSONValue(parsing: String(buffer: log.all).utf8))))
  }

  private func devices(of all: JSONValue) -> [String: String] {
    guard case .list(let devices) = all["devices"] else { return [:] }
    return Dictionary(uniqueKeysWithValues: devices.map { ($0["device"]?.text ?? "", $0.compact) })
  }
}
