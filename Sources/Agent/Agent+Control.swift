import Control
import Core
internal import Glibc
import Logging
import NIOCore

/// What is asked over the control socket.
extension Agent {
  func startControl() async {
    let control = ControlServer(eventLoop: eventLoop, logger: logger) { [weak self] _, request in
      await self?.answer(request) ?? ControlReply.failure(ControlError.notRunning)
    }
    self.control = control
    await control.start(configuration.control)
  }

  private func answer(_ request: ControlRequest) async -> ByteBuffer {
    switch request {
    case .status(let format): status(format)
    case .logLevel(let level): setLogLevel(level)
    case .abort: abort()
    case .set(let name, let value): await set(name, value)
    case .makeOutputsSafe: await makeOutputsSafe()
    case .reload: await reloadAnswer()
    }
  }

  private func status(_ format: ControlRequest.Format) -> ByteBuffer {
    guard let report = shell?.assumeIsolated({ $0.report }) else {
      return ControlReply.failure(ControlError.notRunning)
    }
    return switch format {
    case .json: ControlReply.success { $0.add("status", json: report.json) }
    case .text(let columns): ControlReply.success { $0.add("text", report.text(columns: columns)) }
    }
  }

  private func set(_ name: String, _ value: String) async -> ByteBuffer {
    guard let shell else { return ControlReply.failure(ControlError.notRunning) }
    let command: Result<Command, Command.Flaw>
    do throws(Command.Flaw) {
      guard let read = try Command(ByteBuffer(string: value)) else {
        return ControlReply.failure("the command is empty; write on, off, toggle or a number")
      }
      command = .success(read)
    } catch {
      command = .failure(error)
    }
    let answer = await shell.command(command, of: name)
    if case .refused(let reason, _, _) = answer {
      return ControlReply.failure(reason) { $0.add("answer", json: answer.json) }
    }
    return ControlReply.success { $0.add("answer", json: answer.json) }
  }

  private func makeOutputsSafe() async -> ByteBuffer {
    guard let shell else { return ControlReply.failure(ControlError.notRunning) }
    let answers = await shell.makeOutputsSafe()
    let lines = answers.map { "\($0.name): \($0.answer.words)" }
    guard answers.allSatisfy(\.answer.isDone) else {
      return ControlReply.failure("not every output is safe: \(lines.joined(separator: "; "))")
    }
    return ControlReply.success { $0.add("outputs", texts: lines) }
  }

  /// What the shell does not know of the agent.
  func facts(device: String) -> Facts {
    var facts = Facts(
      device: device, displayName: configuration.device.name, process: getpid(), started: started,
      logLevel: surroundings.logThreshold.level.rawValue)
    facts.reloads.done = reloads
    facts.reloads.failed = failedReloads
    let log = surroundings.log.counts
    facts.log.lost = log.lost
    facts.log.suppressed = log.suppressed
    let control = control?.assumeIsolated { $0.counts } ?? ControlServer.Counts()
    facts.control.connections = control.connections
    facts.control.requests = control.requests
    facts.control.refusals = control.refusals
    facts.control.stalls = control.stalls
    return facts
  }

  private func setLogLevel(_ level: Logger.Level?) -> ByteBuffer {
    let before = surroundings.logThreshold.level
    if let level, level != before {
      surroundings.logThreshold.level = level
      // At a level that is seen with either.
      logger.log(level: max(level, before, .notice), "the log level is now \(level); it was \(before)")
    }
    return ControlReply.success {
      $0.add("level", (level ?? before).rawValue)
      $0.add("previous", before.rawValue)
    }
  }

  private func abort() -> ByteBuffer {
    guard let shell else { return ControlReply.failure(ControlError.notRunning) }
    logger.warning(
      "aborting, as asked over the control socket; the exit status is 0, so that systemd does not restart the service")
    isAbortWanted = true
    // After the answer, which would be lost with the process.
    eventLoop.scheduleTask(in: .milliseconds(20)) { shell.assumeIsolated { $0.happens(.asked(.abort)) } }
    return ControlReply.success()
  }
}
