import NIOCore
import Testing

@testable import Fleet

@Suite("Where a rehearsal may connect to") struct LoadGuardTests {
  private func address(_ text: String) throws -> SocketAddress { try SocketAddress(ipAddress: text, port: 1883) }

  @Test(
    "this machine is 127.0.0.0/8, ::1 and a socket", arguments: ["127.0.0.1", "127.200.3.4", "::1", "::ffff:127.0.0.1"])
  func own(_ text: String) throws { #expect(LoadGuard(hosts: []).permits(try address(text), of: "x")) }

  @Test(
    "everything else is another one",
    arguments: ["128.0.0.1", "10.0.0.1", "0.0.0.0", "::", "::2", "fe80::1", "::ffff:10.0.0.1"])
  func others(_ text: String) throws { #expect(!LoadGuard(hosts: ["y"]).permits(try address(text), of: "x")) }

  @Test("a Unix socket has no address") func socket() { #expect(LoadGuard(hosts: []).permits(nil, of: "")) }

  @Test("a host that is named may be connected to, however it is written")
  func named() throws {
    #expect(LoadGuard(hosts: ["Broker.example.com"]).permits(try address("10.0.0.1"), of: "broker.example.COM"))
  }

  @Test("of a name's addresses those of this machine stay, and where there is none it says what to do")
  func names() throws {
    let (near, far) = (try address("127.0.0.1"), try address("10.0.0.1"))
    #expect(try LoadGuard(hosts: []).permitted([far, near], of: "both") == [near])
    #expect {
      try LoadGuard(hosts: []).permitted([far], of: "broker.example.com")
    } throws: {
      "\($0)"
        == "broker.example.com (10.0.0.1) is not this machine: thousands of connections are a load that its owner "
        + "has to agree to; with --i-may-load broker.example.com you say that you may"
    }
  }

  @Test("the address that is connected to is judged again, by what a permitted name has led to")
  func connected() async throws {
    let lookUp = GuardedLookUp(LoadGuard(hosts: ["192.0.2.7"]))
    #expect(lookUp.permits("127.0.0.9") && lookUp.permits(nil) && !lookUp.permits("192.0.2.7"))
    #expect(try await lookUp.addresses("192.0.2.7", 1883).count == 1)
    #expect(lookUp.permits("192.0.2.7") && !lookUp.permits("192.0.2.8"))
    await #expect(throws: LoadGuard.Refusal.self) { try await lookUp.addresses("192.0.2.8", 1883) }
  }
}
