import Foundation
import LimpetInstants
import LimpetPlatform
import Measuring
import Sensing
import Synchronization
import Testing

/// The driver alone, without an agent, and what it has told.
final class DrivenOutputs: Sendable {
  let driver: OutputDriver
  private let told = Mutex<(reports: [OutputReport], isFinished: Bool)>(([], false))

  init(record: String? = nil) { driver = OutputDriver(root: FileRoot(), record: record) {} }

  func reports(of place: Int) -> [OutputReport.Content] {
    told.withLock { told in
      let taken = driver.take()
      told.reports += taken.reports
      told.isFinished = taken.isFinished
      return told.reports.filter { $0.output == place }.map(\.content)
    }
  }

  /// Waits for a report of a place, after the first `skipping` of it.
  @discardableResult
  func report(
    _ place: Int, skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation,
    where condition: (OutputReport.Content) -> Bool
  ) throws -> OutputReport.Content {
    let end = BootClock.now + .seconds(20)
    while true {
      if let match = reports(of: place).dropFirst(skipping).first(where: condition) { return match }
      try #require(BootClock.now < end, "\(reports(of: place))", sourceLocation: sourceLocation)
      usleep(500)
    }
  }

  func hold(
    _ place: Int, _ request: OutputRequest, _ level: OutputLevel, adopts: Bool = false, safe: OutputEnd = .level(.off),
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> OutputLevel? {
    driver.hold(place, request, level, adopts: adopts, safe: safe)
    return try held(place, sourceLocation: sourceLocation)
  }

  func held(_ place: Int, skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> OutputLevel? {
    var level: OutputLevel?
    try report(place, skipping: skipping, sourceLocation: sourceLocation) {
      guard case .held(let found, _) = $0 else { return false }
      level = found
      return true
    }
    return level
  }

  /// - Returns: what was read back; nil: nothing was to be judged.
  func drive(
    _ place: Int, _ level: OutputLevel, number: UInt64, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> OutputLevel? {
    driver.drive(place, level, number: number)
    var readBack: OutputLevel?
    try report(place, sourceLocation: sourceLocation) {
      guard case .driven(number, let found) = $0 else { return false }
      readBack = found
      return true
    }
    return readBack
  }

  func failure(_ place: Int, skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    var reason = ""
    try report(place, skipping: skipping, sourceLocation: sourceLocation) {
      guard case .failed(let text) = $0 else { return false }
      reason = text
      return true
    }
    return reason
  }

  func release(_ place: Int, _ end: OutputEnd, sourceLocation: SourceLocation = #_sourceLocation) throws {
    driver.release(place, end)
    try report(place, sourceLocation: sourceLocation) { $0 == .released }
  }

  func stop() throws {
    driver.stop()
    let end = BootClock.now + .seconds(20)
    while !told.withLock(\.isFinished) {
      _ = reports(of: 0)
      try #require(BootClock.now < end)
      usleep(500)
    }
  }
}
