import Core
import LimpetPlatform
import LimpetText
import Measuring
import NIOCore
import Plan
import Sensing

/// The driver of outputs, and who waits for an answer.
extension Shell {
  func hold(_ output: OutputID, _ plan: OutputPlan, _ level: OutputLevel, adopts: Bool) {
    let driver = driver ?? makeDriver()
    self.driver = driver
    driver.hold(output.place, plan.request, level, adopts: adopts, safe: plan.end, mustStay: true)
  }

  private func makeDriver() -> OutputDriver {
    if surroundings.runtimeFolder == nil {
      logger.warning(
        """
        there is no runtime folder ($RUNTIME_DIRECTORY), so if this process dies, `limpet outputs --safe` does not \
        know what it drove: run it as a service with RuntimeDirectory=
        """)
    }
    return OutputDriver(
      root: surroundings.root, record: surroundings.runtimeFolder.map { "\($0)/outputs" },
      socket: surroundings.controlPath
    ) { [weak self] in
      guard let self else { return }
      eventLoop.execute { self.assumeIsolated { $0.takeDriven() } }
    }
  }

  private func takeDriven() {
    guard let driver else { return }
    reportRecord(driver.recordFailure)
    happens(.driven(driver.take().reports.map(DriverReport.init)))
  }

  func stopDriving() {
    driver?.stop()
    for answer in asking.values { answer.give(.refused("limpet has stopped", nil)) }
    asking = [:]
  }

  /// An output is driven nevertheless: to stop for that would help nobody.
  private func reportRecord(_ failure: ReadError?) {
    guard failure != recordFailure else { return }
    recordFailure = failure
    if let failure {
      logger.error("\(failure); if this process dies, `limpet outputs --safe` does not know of every output")
    } else {
      logger.notice("limpet has written the record of its outputs again, for `limpet outputs --safe`")
    }
  }

  /// Commands an output; the core answers in its time.
  func command(_ command: Result<Command, Command.Flaw>, of name: String) async -> CommandAnswer {
    asked += 1
    let (number, answer) = (asked, Awaited<CommandAnswer>())
    asking[number] = answer
    happens(.commanded(name, command, number))
    return await answer.value
  }

  /// Has all outputs made safe, and returns what became of each.
  func makeOutputsSafe() async -> [(name: String, answer: CommandAnswer)] {
    var waiting: [(name: String, number: UInt64, answer: Awaited<CommandAnswer>)] = []
    for output in core.plan.outputs {
      asked += 1
      let answer = Awaited<CommandAnswer>()
      asking[asked] = answer
      waiting.append((output.name, asked, answer))
    }
    happens(.madeSafe(waiting.map { ($0.name, $0.number) }))
    var answers: [(name: String, answer: CommandAnswer)] = []
    for (name, _, answer) in waiting { answers.append((name, await answer.value)) }
    return answers
  }
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
