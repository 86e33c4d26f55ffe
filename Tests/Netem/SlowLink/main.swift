import Glibc
import MQTT
import NIOCore

// A client on a slow, lossy link, with a keepalive of 5 s and a will: SlowLink HOST PORT.
//
// It publishes 200,000 bytes on "up", receives as many on "down", and leaves behind a message that takes seconds to get
// away. Each step is a line on stdout: what was done, and the seconds that it took.

func done(_ step: String, since start: ContinuousClock.Instant) {
  print(step, (ContinuousClock.now - start) / .seconds(1))
  fflush(nil)
}

guard CommandLine.arguments.count == 3, let port = Int(CommandLine.arguments[2]) else {
  print("usage: SlowLink HOST PORT")
  exit(64)
}
let size = 200_000
let server = ServerAddress(transport: .tcp, host: CommandLine.arguments[1], port: port)
var configuration = MQTTClient.Configuration(servers: [server], clientIdentifier: "slow")
configuration.connect.keepAlive = 5
configuration.connect.will = Message(topic: "will", text: "lost", qos: .atLeastOnce)
// Three handshakes of TCP that lose a packet each are no failure of this.
configuration.connection.connectTimeout = .seconds(60)
configuration.shutdownLimit = .seconds(60)

let begin = ContinuousClock.now
let client = MQTTClient(configuration)
let events = client.events
let counting = Task {
  var connections = 0
  for await event in events {
    switch event {
    case .connected: connections += 1
    case .lost(let loss, _): print("lost:", loss)
    default: break
    }
  }
  return connections
}
let running = Task { try await client.run() }
let stream = try await client.subscribe([Subscription("down", qos: .atLeastOnce)])
done("subscribed", since: begin)

var start = ContinuousClock.now
try await client.publish([UInt8](repeating: 0x75, count: size), to: "up")
done("sent", since: start)

start = .now
for try await message in stream {
  guard message.payload.readableBytes == size else { continue }
  done("received", since: start)
  break
}

start = .now
_ = try await client.enqueue(
  Message(topic: "last", payload: ByteBuffer(repeating: 0x6C, count: 20_000), qos: .atMostOnce))
await client.disconnect(within: configuration.shutdownLimit)
done("left", since: start)
try await running.value
print("connections", await counting.value)
