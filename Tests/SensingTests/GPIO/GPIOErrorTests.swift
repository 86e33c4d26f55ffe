import Testing

@testable import Sensing

@Suite("What is said of a line that is not there")
struct GPIOErrorTests {
  private static let header = (0...27).map { "GPIO\($0)" } + ["ID_SDA"]

  @Test(
    "the names that a Raspberry Pi's lines have elsewhere lead to the kernel's",
    arguments: [
      ("BCM17", "did you mean GPIO17?"), ("GPIO 17", "did you mean GPIO17?"), ("gpio17", "did you mean GPIO17?"),
      ("GPIO.17", "did you mean GPIO17?"), ("GPIO017", "did you mean GPIO17?"),
      ("pin 11", "pin 11 of the header is GPIO17"), ("Pin11", "pin 11 of the header is GPIO17"),
      ("P1_11", "pin 11 of the header is GPIO17"), ("J8-11", "pin 11 of the header is GPIO17"),
      ("pin 9", "pin 9 of the header is no GPIO line"),
    ])
  func names(name: String, advice: String) {
    let error = GPIOError.noSuchLine(name, chips: ["pinctrl-bcm2711"], existing: Self.header, unread: [])
    #expect("\(error)".hasPrefix("no line of pinctrl-bcm2711 is named \"\(name)\"; \(advice)"), "\(error)")
  }

  @Test("on another board a pin's number says nothing")
  func others() {
    for name in ["board-led1", "pin 99", "pinetree"] {
      let error = GPIOError.noSuchLine(name, chips: ["gpio0"], existing: ["GPIO17", "GPIO18"], unread: [])
      #expect(!"\(error)".contains("of the header"), "\(error)")
    }
    let error = GPIOError.noSuchLine("pin 11", chips: ["gpio0"], existing: ["P9_11", "P9_12"], unread: [])
    #expect(!"\(error)".contains("header"))
  }
}
