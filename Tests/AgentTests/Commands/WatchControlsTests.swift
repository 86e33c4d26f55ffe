import Foundation
import Testing

@testable import Fleet

@Suite("The keys of limpet watch")
struct WatchControlsTests {
  @Test("keys: a filter, the newest first, a way through 300 devices on 24 rows, details, an end")
  func controls() throws {
    var fleet = try WatchedFleet()
    for number in 0..<300 {
      fleet.seconds = TimeInterval(number)
      _ = fleet.status("online", of: "d\(1000 + number)", reason: "start")
    }
    _ = fleet.status("offline", of: "clean", reason: "shutdown")
    _ = fleet.status("offline", of: "lost", reason: "lost")
    var controls = WatchControls()
    func press(_ keys: String) -> Bool { controls.take(keys.utf8) }
    let table = FleetTable(columns: 80, rows: 24, hasColours: false)
    func lines() -> [String] { table.lines(of: fleet.view, &controls, connection: "here", at: fleet.now) }
    #expect(lines().count == 24 && lines()[2].contains("lost ") && lines()[3].contains("clean"), "lost before clean")
    #expect(lines()[22] == "... 1 to 20 of 302")
    #expect(!press("\u{1B}[6~\u{1B}[6~\u{1B}[B"))
    #expect(lines()[22].hasPrefix("... ") && lines().contains { $0.hasPrefix("\u{1B}[7m") })
    #expect(controls.selected == 41)
    #expect(!press("G"))
    #expect(lines()[21].contains("d1299"), "\(lines())")
    #expect(!press("gs"))
    #expect(lines().prefix(6).contains { $0.contains("d1299") }, "the newest first")
    #expect(!press("/12q\u{7F}5"))
    #expect(controls.filter == "125" && lines().last?.hasPrefix("/125_") == true)
    #expect(!press("\r\r"))
    #expect(lines().count { $0.contains("d125") } >= 10 && lines().contains { $0.hasPrefix("instance ") })
    #expect(press("\u{1B}q"))
  }

  @Test("a filter has letters beyond ASCII, as names have")
  func letters() {
    var controls = WatchControls()
    _ = controls.take("/kü屋x".utf8)
    #expect(controls.filter == "kü屋x")
    _ = controls.take([0x7F, 0x7F, 0xFF, UInt8(ascii: "c")])
    #expect(controls.filter == "küc")
  }
}
