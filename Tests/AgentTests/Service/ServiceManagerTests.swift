import Foundation
import Testing

import class TestScene.ServiceSocket

@testable import Agent

@Suite("systemd's notification socket")
struct ServiceManagerTests {
  private func name(_ prefix: String) -> String { prefix + "limpet-" + UUID().uuidString.prefix(8) }

  @Test("notices arrive in order, by path and by abstract name", arguments: ["/tmp/", "@"])
  func arrive(_ prefix: String) throws {
    let socket = try ServiceSocket(name(prefix))
    defer { unlink(socket.name) }
    let service = ServiceManager(environment: ["NOTIFY_SOCKET": socket.name])
    #expect(service.notify(.status("connecting")))
    #expect(service.notify(.ready))
    #expect(service.notify(.alive))
    #expect(socket.notices == ["STATUS=connecting", "READY=1", "WATCHDOG=1"])
  }

  @Test("a status that did not change is not told again")
  func sameStatus() throws {
    let socket = try ServiceSocket(name("@"))
    let service = ServiceManager(environment: ["NOTIFY_SOCKET": socket.name])
    for text in ["a", "a", "b", "a"] { service.notify(.status(text)) }
    #expect(socket.notices == ["STATUS=a", "STATUS=b", "STATUS=a"])
  }

  @Test("what a receiver that is busy has no room for waits, the newest 16 of it")
  func busy() throws {
    let socket = try ServiceSocket(name("@"))
    let service = ServiceManager(environment: ["NOTIFY_SOCKET": socket.name])
    var told = 0
    while told < 10_000, service.notify(.status("\(told)")) { told += 1 }
    try #require(told < 10_000, "the queue has an end")
    for number in told + 1...told + 100 { #expect(service.notify(.status("\(number)")) == false) }
    #expect(service.retry() == false)
    let before = socket.notices.count
    #expect(before == told)
    // The queue of a socket may be shorter than what waits.
    var rounds = 0
    while rounds < 16, service.retry() == false {
      rounds += 1
      _ = socket.notices
    }
    #expect(socket.notices.dropFirst(told) == (told + 85...told + 100).map { "STATUS=\($0)" }[...])
  }

  @Test("without systemd, or when it is gone, notices are swallowed")
  func nobody() throws {
    #expect(ServiceManager(environment: [:]).notify(.ready))
    var socket: ServiceSocket? = try ServiceSocket(name("@"))
    let service = ServiceManager(environment: ["NOTIFY_SOCKET": try #require(socket).name])
    socket = nil
    #expect(service.notify(.ready))
    for name in ["", "@", "/", "relative", "vsock:2:1", "@" + String(repeating: "x", count: 200)] {
      let isTold = ServiceManager(environment: ["NOTIFY_SOCKET": name]).notify(.ready)
      #expect(isTold, "\(name)")
    }
  }

  @Test(
    "the watchdog wants to hear twice in its time, from the process that it watches",
    arguments: [
      (["WATCHDOG_USEC": "30000000"], Duration.seconds(15)),
      (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], .seconds(15)),
      (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], nil), (["WATCHDOG_USEC": "0"], nil),
      (["WATCHDOG_USEC": "soon"], nil), ([:], nil),
    ])
  func watchdog(_ environment: [String: String], _ interval: Duration?) {
    #expect(ServiceManager.watchdogInterval(environment, process: 7) == interval)
  }
}
