import Testing

@testable import Sensing

@Suite struct W1LoadTests {
  let tree: TemporaryTree

  init() throws { tree = try TemporaryTree() }

  @Test("sensors of a master take as long as they convert, one after the other")
  func load() throws {
    let ids = (0..<20).map { "28-0000000000\($0 + 10)" }
    for id in ids {
      tree.folder("/sys/devices/w1_bus_master1/\(id)")
      try tree.link("/sys/bus/w1/devices/\(id)", to: "../../../devices/w1_bus_master1/\(id)")
    }
    let slow = W1Load.all(ids.map { ($0, .seconds(10)) } + [("28-ffffffffffff", .seconds(10))], in: tree.root)
    #expect(slow.map(\.master) == [nil, "w1_bus_master1"])
    #expect(slow.map(\.sensors) == [1, 20])
    #expect(slow.last?.round == .seconds(15))
    #expect(slow.map { $0.share > 1 } == [false, true])
    for id in ids { try tree.write("/sys/devices/w1_bus_master1/\(id)/conv_time", "94\n") }
    let quick = W1Load.all(ids.map { ($0, .seconds(10)) }, in: tree.root)
    #expect(quick.first?.round == .milliseconds(1880) && quick.allSatisfy { $0.share < 1 })
  }
}
