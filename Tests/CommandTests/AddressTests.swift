import Foundation
import TestScene
import Testing

@Suite("Addresses of this machine", .showsLogs, .timed)
struct AddressTests {
  @Test(
    "a process that has no descriptor left to list them keeps its connection when the network changes",
    .enabled(if: geteuid() == 0 && access("/usr/bin/prlimit", X_OK) == 0 && access("/usr/sbin/ip", X_OK) == 0))
  func unknown() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let agent = try scene.agent(scene.settings(broker))
      try await subscriber.readings("load", atLeast: 3)
      // None but those that are open: what is opened next fails with EMFILE.
      let pid = "\(agent.process.pid)"
      try await scene.run("prlimit", ["prlimit", "--pid", pid, "--nofile=5:"])
      let address = "127.77.\(getpid() / 250 % 250).\(getpid() % 250 + 1)/32"
      try await scene.run("ip-add", ["ip", "address", "add", address, "dev", "lo"])
      _ = try await scene.run("ip-del", ["ip", "address", "del", address, "dev", "lo"])
      try await agent.line("limpet cannot list its addresses")
      // The change is looked at 300 ms later.
      let readings = try await subscriber.readings("load", atLeast: 3).count
      try await subscriber.readings("load", atLeast: readings + 20)
      #expect(!agent.says("connection lost"))
      try await scene.run("prlimit-back", ["prlimit", "--pid", pid, "--nofile=1024:"])
    }
  }
}
