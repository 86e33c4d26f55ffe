import MQTT
import NIOCore
import Testing

@testable import MQTTCore
@testable import Presence

struct OwnMessageTests {
  private func message(_ payload: String, _ properties: Properties = Properties()) throws -> Message {
    Message(
      topic: TopicName("limpet/d/presence"), payload: ByteBuffer(string: payload), qos: .atLeastOnce, retain: true,
      properties: properties)
  }

  @Test("a presence says who sent it")
  func presence() throws {
    let sender = OwnMessage(presence: try message(#"{"event":"birth","epoch":7,"instance":"4d8b","x":[1]}"#))
    #expect(sender == OwnMessage(instance: "4d8b", epoch: 7))
  }

  @Test("what is no presence says nothing", arguments: ["", "online", "{", "[]", #"{"epoch":-1}"#, #"{"instance":5}"#])
  func other(payload: String) throws {
    #expect(OwnMessage(presence: try message(payload)) == OwnMessage())
    #expect(OwnMessage(presence: try message(String(repeating: " ", count: 5000) + "{}")) == OwnMessage())
  }

  @Test("a status says it in its user properties, on MQTT 5")
  func status() throws {
    var properties = Properties()
    properties.addUserProperty("epoch", "12")
    properties.addUserProperty("instance", "abc")
    #expect(OwnMessage(status: try message("online", properties)) == OwnMessage(instance: "abc", epoch: 12))
    #expect(OwnMessage(status: try message("online")) == OwnMessage())
  }
}
