import MQTT
import TestScene
import Testing

/// The brokers of one suite: each is started when it is first needed, and all are gone when the suite is over.
actor Brokers {
  @TaskLocal static var current: Brokers?

  private let scene: Scene
  private var running: [BrokerKind: any Broker] = [:]
  private(set) var certificates: Certificates?

  init(_ scene: Scene) { self.scene = scene }

  func broker(_ kind: BrokerKind) async throws -> (any Broker, Certificates) {
    // One test at a time: nobody comes here while somebody waits.
    let certificates = if let made = self.certificates { made } else { try await scene.certificates() }
    self.certificates = certificates
    if let broker = running[kind] { return (broker, certificates) }
    let broker = try await scene.broker(kind, certificates)
    running[kind] = broker
    return (broker, certificates)
  }

  /// The ports that somebody listens on.
  var ports: [Int] {
    running.flatMap { kind, broker in kind.traits.transports.compactMap { try? broker.port($0) } }
      .filter { isListening(port: $0) }
  }
}

/// Gives a suite its brokers.
struct BrokersTrait: SuiteTrait, TestScoping {
  @concurrent
  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    var brokers: Brokers?
    try await withScene { scene in
      let new = Brokers(scene)
      brokers = new
      try await Brokers.$current.withValue(new) { try await function() }
    }
    let ports = await brokers?.ports ?? []
    #expect(ports.isEmpty, "a broker is still there")
  }
}

extension Trait where Self == BrokersTrait {
  static var brokers: Self { Self() }
}
