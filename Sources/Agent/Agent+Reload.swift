import Configuration
import Control
import Core
internal import Glibc
import LimpetPlatform
import Logging
import MQTT
import NIOCore
import Plan
import Planning
import Records

/// Why limpet keeps the running configuration.
enum ReloadFailure: Error, CustomStringConvertible {
  case busy
  case notRunning
  /// Every error, with its position.
  case wrong([String])
  /// These keys.
  case needsRestart([String])
  case plan(PlanError)
  /// The files could not even be opened, for this reason.
  case unread(String)

  var description: String {
    switch self {
    case .busy: "limpet is reading the configuration already; try again"
    case .notRunning: ControlError.notRunning.description
    case .wrong(let errors):
      "the configuration has \(errors.count == 1 ? "an error" : "\(errors.count) errors"); limpet keeps the running configuration"
    case .needsRestart(let keys):
      "\(keys.joined(separator: ", ")) \(keys.count == 1 ? "has" : "have") changed, which needs a restart; "
        + "limpet keeps the running configuration"
    case .plan(let error): "\(error); limpet keeps the running configuration"
    case .unread(let reason): "the configuration cannot be read: \(reason); try again"
    }
  }

  /// What is wrong with the configuration.
  var errors: [String] { if case .wrong(let errors) = self { errors } else { [] } }
}

/// Another configuration while the agent runs: read and checked first, taken only where it is right.
extension Agent {
  struct Reloaded {
    let changes: [String]
    let warnings: [String]
  }

  /// A signal that comes while the files are being read may be about what was written since: they are read once more.
  func reloadForSignal() async {
    if isReloading {
      isReloadWanted = true
    } else {
      _ = try? await reload()
    }
  }

  func reloadAnswer() async -> ByteBuffer {
    do throws(ReloadFailure) {
      let reloaded = try await reload()
      return ControlReply.success {
        $0.add("changes", texts: reloaded.changes)
        $0.add("warnings", texts: reloaded.warnings)
      }
    } catch {
      return ControlReply.failure(error) { if !error.errors.isEmpty { $0.add("errors", texts: error.errors) } }
    }
  }

  private func reload() async throws(ReloadFailure) -> Reloaded {
    guard !isReloading else { throw .busy }
    isReloading = true
    defer {
      isReloading = false
      if isReloadWanted {
        isReloadWanted = false
        Task { await reloadForSignal() }
      }
    }
    await shell?.notifyReload(.reloading(at: .monotonic))
    do throws(ReloadFailure) {
      let reloaded = try await readAndApply()
      await shell?.notifyReload(.ready)
      reloads += 1
      for warning in reloaded.warnings { logger.warning("\(warning)") }
      let changes = reloaded.changes.isEmpty ? "nothing has changed" : reloaded.changes.joined(separator: "; ")
      logger.notice("the configuration was reloaded: \(changes)")
      return reloaded
    } catch {
      failedReloads += 1
      for line in error.errors.prefix(Self.loggedErrors) { logger.error("\(line)") }
      logger.error("reload rejected: \(error)")
      await shell?.notifyReload(.ready)
      throw error
    }
  }

  /// Of a wrong configuration; whoever asked for the reload gets all of them.
  private static let loggedErrors = 20

  private func readAndApply() async throws(ReloadFailure) -> Reloaded {
    guard let shell, let device else { throw .notRunning }
    let result = try await load()
    guard let new = result.configuration else { throw .wrong(result.diagnostics.map(\.description)) }
    let change = ConfigurationChange(from: configuration, to: new)
    guard change.needsRestart.isEmpty else { throw .needsRestart(change.needsRestart) }
    let plan: DevicePlan
    do throws(PlanError) { plan = try await devicePlan(of: new, device: device, nil) } catch { throw .plan(error) }
    let jobs = new.jobs(in: surroundings.root, thermometers)
    await locate(jobs)
    let changes = await shell.reload(
      plan,
      Difference(
        names: change.names, renewsConnection: change.renewsConnection, changesAttempts: change.changesAttempts),
      jobs: jobs, transports: Carrier.Settings(new))
    guard let changes else { throw .notRunning }
    configuration = new
    return Reloaded(changes: changes, warnings: result.diagnostics.map(\.description))
  }

  /// The files may be on a disk that takes its time.
  private func load() async throws(ReloadFailure) -> LoadResult {
    do {
      return try await blocking("limpet-reload", within: .seconds(10), on: eventLoop, surroundings.load)
    } catch {
      throw .unread("\(error)")
    }
  }
}

extension Duration {
  /// CLOCK_MONOTONIC, by which systemd distinguishes a reload from the one before.
  fileprivate static var monotonic: Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
