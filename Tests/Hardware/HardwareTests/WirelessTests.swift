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
