import LimpetPlatform
import Measuring
import Testing

@testable import Sensing

@Suite("Driving outputs: threads, order and loss") struct OutputDriverTests {
  private let fakes = FakeOutputs()
  private let off = OutputEnd.level(.off)

  @Test("an output is taken with its level, driven, read back and left as asked for")
  func course() throws {
    let bench = OutputBench(fakes)
    try bench.it.hold(0, .led("pump"), .off, adopts: false, safe: off)
    #expect(try bench.held(0) == .off)
    try bench.it.drive(0, .on, number: 7)
    #expect(try bench.driven(0, 7) == .on)
    try bench.it.release(0, off)
    try bench.released(0)
    #expect(fakes.done == ["pump 0", "pump 100", "pump 0", "pump left"])
    try bench.stop()
  }

  @Test("what is stopped does what was asked for before, and leaves what is held untouched")
  func stopping() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.buses = ["far": "chip"] }
    for (place, name) in ["near", "far"].enumerated() {
      try bench.it.hold(place, .led(name), .off, adopts: false, safe: off)
      _ = try bench.held(place)
      try bench.it.drive(place, .on, number: 1)
    }
    try bench.it.release(0, off)
    try bench.stop()
    #expect(bench.reports(of: 0).last == .released)
    #expect(fakes.done.filter { $0.hasPrefix("near") }.suffix(2) == ["near 0", "near left"])
    #expect(fakes.done.filter { $0.hasPrefix("far") } == ["far 0", "far 100"])
  }

  @Test("what is to stay on is not taken where it is not known to: its chip came after the configuration was checked")
  func loose() throws {
    let bench = OutputBench(fakes)
    fakes.change {
      $0.loose = ["near": "its driver does not say", "far": "its driver does not say"]
      $0.buses["far"] = "chip"
    }
    for (place, name) in ["near", "far"].enumerated() {
      for (offset, safe) in [.untouched, .level(.on)].enumerated() as EnumeratedSequence<[OutputEnd]> {
        try bench.it.hold(2 * place + offset, .led(name), .off, adopts: false, safe: safe, mustStay: true)
        #expect(
          try bench.failed(2 * place + offset)
            == "stop: on and stop: keep need a line that stays as it is; of \(name), its driver does not say; "
            + "write stop: off")
        // Nobody has it now.
        try bench.it.release(2 * place + offset, .untouched)
        try bench.released(2 * place + offset)
      }
    }
    #expect(fakes.done == [])
    // `limpet outputs --safe` does what it can.
    try bench.it.hold(4, .led("near"), .off, adopts: false, safe: .untouched)
    #expect(try bench.held(4) == .off)
    // Another rule is enough.
    try bench.it.hold(5, .led("far"), .off, adopts: false, safe: .untouched, mustStay: true)
    _ = try bench.failed(5)
    try bench.it.secure(5, off)
    #expect(try bench.held(5, skipping: 1) == .off)
    try bench.stop()
  }

  @Test("a drive before the output is there is the level of its request")
  func early() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.missing = ["pump"] }
    try bench.it.hold(0, .led("pump"), .on, adopts: false, safe: off)
    _ = try bench.failed(0)
    try bench.it.drive(0, .off, number: 1)
    fakes.change { $0.missing = [] }
    #expect(try bench.held(0) == .off)
    #expect(fakes.done == ["pump 0"])
    #expect(bench.reports(of: 0).allSatisfy { $0.number == nil })
    try bench.stop()
  }

  @Test("what is adopted keeps its level, and only the first time")
  func adopts() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.levels = ["pump": .on] }
    try bench.it.hold(0, .led("pump"), .off, adopts: true, safe: .untouched)
    #expect(try bench.held(0) == .on)
    #expect(fakes.done == [])
    fakes.change { $0.failing = ["pump"] }
    try bench.it.drive(0, .on, number: 1)
    _ = try bench.failed(0)
    fakes.change { $0.failing = [] }
    #expect(try bench.held(0, skipping: 1) == .off)
    try bench.stop()
  }

  @Test("one that fails comes back with the level of its hold, not with what it had", arguments: [nil, "chip"])
  func returns(_ bus: String?) throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.buses["pump"] = bus }
    try bench.it.hold(0, .led("pump"), .off, adopts: false, safe: off)
    _ = try bench.held(0)
    try bench.it.drive(0, .on, number: 1)
    _ = try bench.driven(0, 1)
    fakes.change { $0.failing = ["pump"] }
    try bench.it.drive(0, .on, number: 2)
    #expect(try bench.failed(0) == "pump: the device is gone")
    fakes.change { $0.failing = [] }
    #expect(try bench.held(0, skipping: 3) == .off)
    #expect(fakes.done == ["pump 0", "pump 100", "pump 0"])
    try bench.stop()
  }

  @Test("a drive that was decided before its failure was taken is dropped; one after it is the next level")
  func unknowing() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.missing = ["pump"] }
    bench.takes.store(false, ordering: .relaxed)
    try bench.it.hold(0, .led("pump"), .off, adopts: false, safe: off)
    // It has failed once where its thread has had turns, and nobody has taken that.
    let turns = try bench.it.turns
    try wait(for: "turns") { try bench.it.turns >= turns + 3 }
    try bench.it.drive(0, .on, number: 1)
    bench.takes.store(true, ordering: .relaxed)
    bench.collect()
    _ = try bench.failed(0)
    fakes.change { $0.missing = [] }
    #expect(try bench.held(0) == .off)
    try bench.stop()
  }

  @Test("a chip that hangs holds up no other output, is told of, and is driven anew when it answers")
  func hangs() throws {
    let bench = OutputBench(fakes)
    fakes.change {
      $0.buses = ["far": "/sys/i2c-1/1-0020", "also far": "/sys/i2c-1/1-0020", "other": "/sys/i2c-1/1-0021"]
    }
    let names = ["near", "far", "also far", "other"]
    for (place, name) in names.enumerated() {
      try bench.it.hold(place, .led(name), .off, adopts: false, safe: off)
      #expect(try bench.held(place) == .off)
    }
    fakes.hang("far")
    try bench.it.drive(1, .on, number: 1)
    for place in [0, 3] {
      try bench.it.drive(place, .on, number: 2)
      #expect(try bench.driven(place, 2) == .on)
    }
    for place in [1, 2] { #expect(try bench.failed(place).contains("1-0020: the kernel does not return")) }
    // Decided in the knowledge that it is away; of several the newest.
    try bench.it.drive(1, .on, number: 3)
    try bench.it.drive(1, .off, number: 4)
    fakes.answer("far")
    #expect(try bench.held(1, skipping: 2) == .off)
    #expect(try bench.held(2, skipping: 2) == .off)
    #expect(fakes.done.filter { $0.hasPrefix("far") } == ["far 0", "far 100", "far 0"])
    #expect(bench.reports(of: 1).allSatisfy { $0.number == nil })
    // And it is held as before.
    try bench.it.drive(1, .on, number: 5)
    #expect(try bench.driven(1, 5) == .on)
    try bench.stop()
  }

  @Test("drives that nobody has begun are replaced by the newest")
  func newest() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.buses = ["far": "chip"] }
    try bench.it.hold(0, .led("far"), .off, adopts: false, safe: off)
    _ = try bench.held(0)
    fakes.hang("far")
    for number in 1...20 as ClosedRange<UInt64> {
      try bench.it.drive(0, number.isMultiple(of: 2) ? .off : .on, number: number)
    }
    fakes.answer("far")
    #expect(try bench.driven(0, 20) == .off)
    #expect(bench.reports(of: 0).count <= 3)
    try bench.stop()
  }

  @Test("a release overtakes drives, and a place is free again behind it")
  func places() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.buses = ["far": "chip"] }
    try bench.it.hold(0, .led("far"), .off, adopts: false, safe: off)
    _ = try bench.held(0)
    fakes.hang("far")
    try bench.it.drive(0, .on, number: 1)
    try bench.it.release(0, off)
    try bench.it.hold(0, .led("near"), .on, adopts: false, safe: off)
    fakes.answer("far")
    try bench.released(0)
    _ = try bench.held(0, skipping: bench.reports(of: 0).firstIndex(of: .released) ?? 0)
    #expect(fakes.done.suffix(3) == ["far 0", "far left", "near 100"])
    try bench.stop()
  }

  @Test("one output under two names is driven by the first that asked")
  func twice() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.identities = ["a": "same", "b": "same"] }
    try bench.it.hold(0, .led("a"), .off, adopts: false, safe: off)
    try bench.it.hold(1, .led("b"), .on, adopts: false, safe: off)
    _ = try bench.held(0)
    #expect(try bench.failed(1) == "b is driven by another output of this configuration; remove one of them")
    #expect(fakes.done == ["a 0"])
    try bench.it.release(0, off)
    try bench.released(0)
    #expect(try bench.held(1) == .on)
    try bench.stop()
  }

  @Test("one output under another name waits for the first to be let go of, and that is no failure")
  func renamed() throws {
    let bench = OutputBench(fakes)
    fakes.change {
      $0.buses = ["a": "chip", "b": "chip"]
      $0.identities = ["a": "same", "b": "same"]
    }
    try bench.it.hold(0, .led("a"), .off, adopts: false, safe: off)
    _ = try bench.held(0)
    fakes.hang("a")
    try bench.it.release(0, off)
    try bench.it.hold(1, .led("b"), .on, adopts: false, safe: off)
    try bench.turns(3)
    fakes.answer("a")
    try bench.released(0)
    #expect(try bench.held(1) == .on)
    #expect(bench.reports(of: 1).allSatisfy { $0.failure == nil })
    try bench.stop()
  }

  @Test("while it stops it waits for the buses, and does not look again and again for what is not held")
  func rests() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.buses = ["far": "chip", "lost": "other"] }
    try bench.it.hold(0, .led("far"), .off, adopts: false, safe: off)
    _ = try bench.held(0)
    fakes.hang("far")
    try bench.it.drive(0, .on, number: 1)
    try bench.it.stop()
    // It is found, and no bus is begun for it any more.
    try bench.it.hold(1, .led("lost"), .off, adopts: false, safe: off)
    _ = try bench.failed(0)
    let turns = try bench.it.turns
    fakes.answer("far")
    try bench.stop()
    #expect(turns < 50)
  }

  @Test("a device that is taken away is noticed, and one that is back is found")
  func devices() throws {
    let bench = OutputBench(fakes)
    fakes.change { $0.buses = ["far": "chip"] }
    for (place, name) in ["near", "far"].enumerated() {
      try bench.it.hold(place, .led(name), .off, adopts: false, safe: off)
      _ = try bench.held(place)
    }
    fakes.change { state in
      state.ends = ["near": 1, "far": 1]
      state.missing = ["near", "far"]
    }
    for place in [0, 1] { #expect(try bench.failed(place).hasSuffix("the device is gone")) }
    fakes.change { $0.missing = [] }
    for place in [0, 1] { #expect(try bench.held(place, skipping: 2) == .off) }
    try bench.stop()
  }
}
