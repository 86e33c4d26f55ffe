import Core
internal import Glibc
import MQTT
import MQTTCore
import Measuring
import Plan
import Sensing

/// NIO's edge: what transports do.
extension Shell: CarrierOwner {
  private nonisolated func link(of carrier: Carrier) -> LinkID { carrier === self.carrier ? .agent : .homie }

  package nonisolated func stage(for carrier: Carrier) -> ConnectionStage {
    let id = link(of: carrier)
    return assumeIsolated { $0.core.stage(id) }
  }

  package nonisolated func carrier(_ carrier: Carrier, did event: Link.Event, endsTurn: Bool) {
    let id = link(of: carrier)
    assumeIsolated { shell in
      if endsTurn { shell.happens(.link(id, event)) } else { shell.handle(.link(id, event)) }
    }
  }

  package nonisolated func carrier(_ carrier: Carrier, hasRead attempt: Link.AttemptNumber, endsTurn: Bool) {
    let id = link(of: carrier)
    assumeIsolated { shell in
      shell.takePackets(from: carrier, id, attempt)
      if endsTurn { shell.endTurn() }
    }
  }

  package nonisolated func carrierEndsTurn(_ carrier: Carrier) { assumeIsolated { $0.endTurn() } }
}

extension Sample {
  init(_ result: ReadResult) { self.init(sensor: SensorID(result.id), outcome: result.outcome) }
}

extension DriverReport {
  init(_ report: OutputReport) {
    let content: Content =
      switch report.content {
      case .held(let level, let description): .held(level, description: description)
      case .failed(let reason): .failed(reason)
      case .driven(let number, let readBack): .driven(number: number, readBack: readBack)
      case .released: .released
      }
    self.init(output: OutputID(place: report.output), content: content, time: report.time)
  }
}

extension LineReport {
  init(_ report: GPIOReport, _ monitor: GPIOMonitor) {
    let line = LineID(place: report.input)
    let content: Content
    switch report.content {
    case .level(let level): content = .level(level)
    case .edge(let isRising, let isSuspect): content = .edge(isRising: isRising, isSuspect: isSuspect)
    case .gesture(let gesture): content = .gesture(gesture)
    case .gap(let lost): content = .gap(lost: lost)
    case .failed(let error): content = .failed("\(error)")
    case .released: content = .released
    case .found(let place):
      // Its total is that of now.
      self.init(line: line, content: .found("\(place)", pulses: monitor.pulses(of: report.input)), time: .now)
      return
    }
    self.init(line: line, content: content, time: report.time)
  }
}

extension Duration {
  /// CLOCK_MONOTONIC, of clock_gettime(2).
  static var awake: Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
