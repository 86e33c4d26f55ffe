import Foundation
import MQTT
import NIOCore
import Testing

import struct TestScene.HomieRules

@testable import Discovery
@testable import Measuring
@testable import Readings

struct HomieTests {
  private func device(_ text: String = everyKindOfReading) throws -> HomieDevice {
    let result = loadConfiguration(text)
    return HomieDevice(try #require(result.configuration, "\(printed(result))"), device: "Shed.1")
  }

  private static let two = """
    broker: {url: mqtt://h}
    homie: {enabled: true}
    sensors: [{name: load_1, type: system, value: load1}]
    inputs: [{name: bell, line: 2, mode: event}]

    """

  /// Takes everything there is to send, and lets it be acknowledged.
  private func drain(_ lifecycle: inout HomieLifecycle) -> [HomieRules.Heard] {
    var heard: [HomieRules.Heard] = []
    while let publication = lifecycle.next() {
      let message = publication.message
      #expect(message.retain == (message.qos == .exactlyOnce))
      heard.append(.init(topic: "\(message.topic)", payload: String(buffer: message.payload), qos: message.qos))
      _ = lifecycle.settled(publication.token, isDelivered: true)
    }
    return heard
  }

  private func publication(of lifecycle: inout HomieLifecycle) throws -> HomieLifecycle.Publication {
    let publication = lifecycle.next()
    return try #require(publication)
  }

  /// A value that fits what a property says it has.
  private func content(_ node: HomieDevice.Node) -> Reading.Content {
    func value(_ property: HomieDevice.Property) -> Value {
      switch property.datatype {
      case .float: .number(21.5)
      case .boolean: .flag(true)
      case .enum: .text(String(property.format?.split(separator: ",").first ?? ""))
      case .string: .text("")
      }
    }
    if node.properties.contains(where: { $0.id == "rate" }) {
      return .total(Reading.Total(value: 1e21, rate: 0.5, generation: 1))
    }
    if let property = node.properties.first, !property.isRetained, property.id == "value" {
      return .good(value(property))
    }
    if node.properties.first?.isRetained == false { return .edge(Reading.Edge(isRising: true, isSuspect: false)) }
    guard node.properties.contains(where: { $0.channel != nil }) else { return .good(value(node.properties[0])) }
    return .good(.channels(node.properties.map { ChannelValue($0.channel ?? "", value($0)) }))
  }

  @Test("a device with a reading of every kind keeps the convention's rules")
  func rules() throws {
    let device = try device()
    var lifecycle = try HomieLifecycle(device, removed: [])
    lifecycle.connected()
    var heard = drain(&lifecycle)
    for (index, node) in device.nodes.enumerated() {
      lifecycle.take(content(node), of: index)
      heard += drain(&lifecycle)
    }
    for (index, node) in device.nodes.enumerated() { lifecycle.take(content(node), of: index) }
    heard += drain(&lifecycle)
    #expect(heard.contains { $0.topic.hasSuffix("/bell/edge") && $0.qos == .atMostOnce })
    #expect(heard.contains { $0.topic.hasSuffix("/button/value") && $0.payload == "single" && $0.qos == .atMostOnce })
    #expect(heard.contains { $0.topic.hasSuffix("/knob/value") && $0.payload == "1e21" })
    #expect(heard.contains { $0.topic.hasSuffix("/turbine/value") && $0.payload == "21.5" })
    #expect(heard.contains { $0.topic.hasSuffix("/water/value") && $0.payload == "1e21" })
    #expect(heard.contains { $0.topic.hasSuffix("/text/value") && $0.payload == "\0" })
    #expect(heard.contains { $0.topic.hasSuffix("/$state") && $0.payload == "ready" })
    #expect(lifecycle.leave() == true)
    heard += drain(&lifecycle)
    #expect(heard.last?.payload == "disconnected")
    #expect(device.base == "homie/5/shed-1")
    #expect(HomieRules.problems(base: device.base, heard: heard) == [])
  }

  @Test("the same configuration has the same version of its description, another one another")
  func version() throws {
    #expect(try device().description == device().description)
    let other = everyKindOfReading.replacingOccurrences(of: "name: fan", with: "name: fan2")
    func version(_ text: String) throws -> Int {
      let object =
        try JSONSerialization.jsonObject(with: Data(String(buffer: try device(text).description).utf8))
        as? [String: Any]
      return try #require(object?["version"] as? Int)
    }
    #expect(try version(everyKindOfReading) != version(other))
  }

  @Test("init, description, values and then ready; ready waits for the first readings, and not for ever")
  func order() throws {
    let device = try device(Self.two)
    var lifecycle = try HomieLifecycle(device, removed: [])
    lifecycle.connected()
    #expect(drain(&lifecycle).map(\.payload).first == "init")
    #expect(lifecycle.phase == .introducing)
    lifecycle.take(.good(.number(0.5)), of: 0)
    #expect(drain(&lifecycle).map(\.payload) == ["0.5", "", "ready"])
    var late = try HomieLifecycle(device, removed: [])
    late.connected()
    late.readingsAreLate()
    #expect(drain(&late).map(\.payload).last == "ready")
  }

  @Test("values wait for nobody: of many changes the last one follows, and none of before")
  func currentOnly() throws {
    var lifecycle = try HomieLifecycle(device(Self.two), removed: [])
    lifecycle.take(.good(.number(1)), of: 0)
    lifecycle.connected()
    _ = drain(&lifecycle)
    lifecycle.take(.good(.number(2)), of: 0)
    let first = try publication(of: &lifecycle)
    for value in 3...9 { lifecycle.take(.good(.number(Double(value))), of: 0) }
    #expect(lifecycle.next() == nil)
    _ = lifecycle.settled(first.token, isDelivered: true)
    #expect(drain(&lifecycle).map(\.payload) == ["9"])
    lifecycle.lost()
    for value in 10...19 { lifecycle.take(.good(.number(Double(value))), of: 0) }
    #expect(lifecycle.next() == nil)
    lifecycle.connected()
    let again = drain(&lifecycle)
    #expect(again.filter { $0.topic.hasSuffix("/value") }.map(\.payload) == ["19"])
    #expect(again.map(\.payload).last == "ready")
  }

  @Test("it is ready once all has been said, though more changes than the link takes")
  func readyUnderLoad() throws {
    var lifecycle = try HomieLifecycle(device(Self.two), removed: [])
    lifecycle.connected()
    for node in 0..<2 { lifecycle.take(.good(.number(0)), of: node) }
    var payloads: [String] = []
    for value in 1...20 {
      let sent = try publication(of: &lifecycle)
      payloads.append(String(buffer: sent.message.payload))
      for node in 0..<2 { lifecycle.take(.good(.number(Double(value))), of: node) }
      _ = lifecycle.settled(sent.token, isDelivered: true)
    }
    #expect(payloads.contains("ready"), "\(payloads)")
  }

  @Test("a reading that fails is an alert, and goes when it works again; the last value stays")
  func alerts() throws {
    var lifecycle = try HomieLifecycle(device(Self.two), removed: [])
    lifecycle.connected()
    lifecycle.take(.good(.number(1)), of: 0)
    _ = drain(&lifecycle)
    lifecycle.take(.bad("no such file"), of: 0)
    let alert = HomieRules.Heard(topic: "homie/5/shed-1/$alert/load-1", payload: "no such file", qos: .exactlyOnce)
    #expect(drain(&lifecycle).map(\.topic) == [alert.topic])
    lifecycle.take(.bad("no such file"), of: 0)
    #expect(drain(&lifecycle).isEmpty)
    lifecycle.take(.good(.number(1)), of: 0)
    #expect(drain(&lifecycle).map { [$0.topic, $0.payload] } == [[alert.topic, ""]])
    lifecycle.take(.good(.number(1)), of: 0)
    #expect(drain(&lifecycle).isEmpty)
  }

  @Test("what an earlier configuration had is cleared while the state is init, and the store hears when that is done")
  func removed() throws {
    var lifecycle = try HomieLifecycle(device(Self.two), removed: ["old/value", "$alert/old"])
    lifecycle.connected()
    lifecycle.readingsAreLate()
    var heard: [String] = []
    var actions: [HomieLifecycle.Action] = []
    while let publication = lifecycle.next() {
      heard.append("\(publication.message.topic)=\(String(buffer: publication.message.payload).prefix(5))")
      if let action = lifecycle.settled(publication.token, isDelivered: true) { actions.append(action) }
    }
    #expect(
      heard.prefix(3) == ["homie/5/shed-1/$state=init", "homie/5/shed-1/old/value=", "homie/5/shed-1/$alert/old="])
    #expect(heard.last == "homie/5/shed-1/$state=ready")
    #expect(actions == [.described])
    lifecycle.lost()
    lifecycle.connected()
    #expect(!drain(&lifecycle).contains { $0.topic.contains("old") })
  }

  @Test("leaving says disconnected once what is under way of the state has been answered, and nothing after it")
  func leaving() throws {
    var lifecycle = try HomieLifecycle(device(Self.two), removed: [])
    lifecycle.connected()
    let first = try publication(of: &lifecycle)
    #expect(lifecycle.leave() == true)
    lifecycle.take(.good(.number(1)), of: 0)
    #expect(lifecycle.next() == nil)
    #expect(lifecycle.settled(first.token, isDelivered: true) == nil)
    let last = try publication(of: &lifecycle)
    #expect(String(buffer: last.message.payload) == "disconnected")
    #expect(lifecycle.settled(last.token, isDelivered: true) == .disconnect)
    var offline = try HomieLifecycle(device(Self.two), removed: [])
    #expect(offline.leave() == false)
    #expect(String(buffer: offline.will.payload) == "lost")
    #expect(offline.will.retain && "\(offline.will.topic)" == "homie/5/shed-1/$state")
  }

  @Test(
    "another configuration: init, the new description, the values there are, ready; what was under way means nothing")
  func replaced() throws {
    var old = try HomieLifecycle(device(Self.two), removed: [])
    old.connected()
    let first = try publication(of: &old)
    let other = Self.two.replacingOccurrences(of: "load_1", with: "load_2")
    let device = try device(other)
    let removed = device.announcement.missing(of: try self.device(Self.two).announcement)
    #expect(removed == ["$alert/load-1", "load-1/value"])
    var next = try HomieLifecycle(device, removed: removed, firstToken: old.endOfTokens)
    next.take(.good(.number(2)), of: 0)
    next.connected()
    let start = try publication(of: &next)
    #expect(next.settled(first.token, isDelivered: true) == nil)
    // The state is still under way, so nothing else of it follows yet.
    let rest = drain(&next)
    #expect(rest.map(\.payload).contains("ready") == false)
    #expect(next.settled(start.token, isDelivered: true) == nil)
    let heard = [.init(topic: "\(start.message.topic)", payload: "init", qos: .exactlyOnce)] + rest + drain(&next)
    #expect(HomieRules.problems(base: device.base, heard: heard) == [])
    #expect(heard.contains { $0.topic.hasSuffix("/load-2/value") && $0.payload == "2" })
    #expect(heard.contains { $0.topic.hasSuffix("/load-1/value") && $0.payload.isEmpty })
    #expect(heard.last?.payload == "ready")
  }

  @Test("a text that is none of the described ones is not told as one of them")
  func choices() throws {
    let device = try device()
    let mode = try #require(device.nodes.first { $0.id == "mode" }?.properties.first)
    #expect(mode.datatype == .enum && mode.format == "auto,manual")
    #expect(mode.payload(.text("auto")) != nil)
    #expect(mode.payload(.text("automatic")) == nil)
  }
}
