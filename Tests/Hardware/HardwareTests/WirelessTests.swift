import Foundation
import TestScene
import Testing

extension Together {
  /// The kernel's mac80211_hwsim.
  @Suite("Sensors: a wireless interface") struct WirelessTests {
    @Test("without an access point there is no signal, and not one of 0 dBm")
    func unassociated() async throws {
      try await withWorkbench { bench in
        _ = try await bench.scene.run("ip", ["ip", "link", "set", "wlan0", "up"])
        var settings = bench.settings([])
        settings.sensors = ["{name: signal, type: system, value: wifi_signal, interface: wlan0, interval: 200ms}"]
        _ = try bench.agent(settings)
        let readings = try await bench.readings("signal", atLeast: 3)
        #expect(readings.allSatisfy { $0.isBad }, "\(readings)")
        #expect(readings.last?.error?.contains("wlan0 is not connected") == true, "\(readings.last?.error ?? "")")
      }
    }
  }
}

extension Alone {
  @Suite("Sensors: a wireless interface and its access point") struct AccessPointTests {
    /// How strong what an interface sends arrives, in dBm; it sends with 20 dBm, and the kernel takes the way, from 0 to
    /// -100 dB, without a sign.
    private func set(_ decibels: Int, of interface: String) throws {
      let device = try SimulatedChip.read("/sys/class/net/\(interface)/phy80211/name")
      let way = UInt64(bitPattern: Int64(decibels - 20))
      try SimulatedChip.write("\(way)", to: "/sys/kernel/debug/ieee80211/\(device)/hwsim/rx_rssi")
    }

    @Test("the signal is the kernel's, in dBm; it moves, and is bad when the access point goes")
    func associated() async throws {
      try await withWorkbench { bench in
        let network = "limpet-\(bench.mark)"
        let file = try bench.scene.write(
          "interface=wlan1\ndriver=nl80211\nssid=\(network)\nhw_mode=g\nchannel=1\n", to: "hostapd.conf")
        let accessPoint = try bench.scene.spawn("hostapd", ["hostapd", file])
        try await until("the access point sends") { accessPoint.outputLines.contains { $0.contains("AP-ENABLED") } }
        try set(-63, of: "wlan1")
        _ = try await bench.scene.run("up", ["ip", "link", "set", "wlan2", "up"])
        // The kernel gives up an attempt after half a second without an answer.
        try await until("it is connected", within: .seconds(60)) {
          let link = try await bench.scene.run(
            "link-\(bench.scene.nextCommand())", ["iw", "dev", "wlan2", "link"])
          if link.outputLines.contains(where: { $0.contains("Connected to") }) { return true }
          _ = try await bench.scene.run(
            "connect-\(bench.scene.nextCommand())", ["iw", "dev", "wlan2", "connect", network])
          return false
        }
        var settings = bench.settings([])
        settings.sensors = ["{name: signal, type: system, value: wifi_signal, interface: wlan2, interval: 200ms}"]
        _ = try bench.agent(settings)
        for decibels in [-63, -41, -78] {
          try set(decibels, of: "wlan1")
          let reading = try await bench.reading("signal", "\(decibels) dBm") { $0.total == Double(decibels) }
          #expect(reading.unit == "dBm" && reading.quality == nil)
          let link = try await bench.scene.run("link-\(-decibels)", ["iw", "dev", "wlan2", "link"])
          #expect(link.outputLines.contains { $0.contains("signal: \(decibels) dBm") }, "\(link.outputLines)")
        }
        let before = try bench.readings("signal").count
        accessPoint.signal(SIGTERM)
        try await accessPoint.end()
        let bad = try await bench.reading("signal", "a bad reading", skipping: before) { $0.isBad }
        #expect(bad.error?.contains("wlan2 is not connected") == true, "\(bad.error ?? "")")
      }
    }
  }
}
