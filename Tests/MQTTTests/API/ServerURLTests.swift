import MQTT
import Testing

/// URLs of servers.
@Suite struct ServerURLTests {
  @Test(
    "a URL is a server",
    arguments: [
      ("mqtt://a", "mqtt://a:1883"), ("mqtts://mqtt.example.com/", "mqtts://mqtt.example.com:8883"),
      ("tcp://a:1", "mqtt://a:1"), ("SSL://a:2", "mqtts://a:2"), ("mqtt://[::1]", "mqtt://[::1]:1883"),
      ("mqtt://[fe80::1]:7", "mqtt://[fe80::1]:7"), ("ws://a", "ws://a:80/mqtt"),
      ("wss://a:444/x?k=v", "wss://a:444/x"),
      ("unix:///run/mqtt.sock", "unix:///run/mqtt.sock"),
    ])
  func valid(url: String, shown: String) throws {
    #expect(try ServerURL(url).address.description == shown)
    #expect(try ServerAddress(url: url).description == shown)
  }

  @Test("an address without a port or a path has the usual ones")
  func usual() {
    let shown = [
      ServerAddress(transport: .tcp, host: "a"), ServerAddress(transport: .tls, host: "a"),
      ServerAddress(transport: .webSocket, host: "a"), ServerAddress(transport: .secureWebSocket, host: "a", path: "/"),
      ServerAddress(transport: .unix, path: "/run/mqtt.sock"), ServerAddress(transport: .tcp, host: "a", port: 7),
    ].map(\.description)
    #expect(
      shown == [
        "mqtt://a:1883", "mqtts://a:8883", "ws://a:80/mqtt", "wss://a:443/", "unix:///run/mqtt.sock", "mqtt://a:7",
      ])
  }

  @Test("user name and password are in percent-encoding, and go into CONNECT")
  func user() throws {
    let url = "mqtts://green%40house:a%3Ab:c@a:99"
    let parsed = try ServerURL(url)
    #expect(parsed.username == "green@house" && parsed.password == "a:b:c" && parsed.address.port == 99)
    #expect(throws: ServerURLError.self) { try ServerAddress(url: url) }
    let configuration = try MQTTClient.Configuration(url: url, clientIdentifier: "x")
    #expect(configuration.connect.username == "green@house")
    #expect(configuration.connect.password.map { String(buffer: $0) } == "a:b:c")
  }

  @Test(
    "what is none is an error that does not repeat it",
    arguments: [
      "", "a", "mqtt:/a", "http://a", "mqtt://", "mqtt://:1883", "mqtt://a:0", "mqtt://a:65536", "mqtt://a:+1",
      "mqtt://a/b", "mqtt://[::1", "mqtt://[::1]x", "unix://a", "unix:///", "mqtt://a#b", "mqtt://u:%4@a", "mqtt://a b",
      "mqtt://%ff@a",
    ])
  func invalid(url: String) {
    let error = #expect(throws: ServerURLError.self) { try ServerURL(url) }
    #expect(error.map { url.count < 5 || !$0.description.contains(url) } == true)
  }
}
