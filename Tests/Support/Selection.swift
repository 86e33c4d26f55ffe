import Foundation

/// Which tests this run is to have, as Tests/run says in LIMPET_TESTS.
package enum Selection {
  private static let words = (ProcessInfo.processInfo.environment["LIMPET_TESTS"] ?? "").split(separator: " ")

  /// Also what takes long: `--all`.
  package static let isWhole = words.contains("all")
  /// Under the sanitizers, where everything takes longer: `--sanitize`.
  package static let isSanitized = words.contains("sanitize")
}
