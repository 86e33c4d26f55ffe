import MQTT

/// What the README shows; it is compiled here, and compared with the README by the test beside it.
func example() async throws {
  // README: begin
  let server = ServerAddress(transport: .tcp, host: "localhost", port: 1883)
  let client = MQTTClient(.init(servers: [server], clientIdentifier: "greenhouse"))
  async let running: Void = client.run()
  let readings = try await client.subscribe([Subscription(try TopicFilter("greenhouse/+"))])
  try await client.publish(Message(topic: try TopicName("greenhouse/door"), payload: .init(string: "open")))
  for try await message in readings {
    print(message.topic, String(buffer: message.payload))
    break
  }
  await client.disconnect()
  try await running
  // README: end
}
