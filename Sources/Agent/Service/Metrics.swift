import LimpetText
import Logging
import NIOCore
import Plan
import Status
import Web

/// Where Prometheus finds the numbers: a file, an address, both or neither, as the plan says.
final class Metrics {
  private let eventLoop: any EventLoop
  private let logger: Logger
  private let report: @Sendable () -> StatusReport?
  private var file: MetricsFile?
  private var server: WebServer?
  private var address: ListenAddress?

  /// - Parameter report: called on the event loop; nil: there is nobody any more whom it would be of.
  init(eventLoop: any EventLoop, logger: Logger, report: @escaping @Sendable () -> StatusReport?) {
    self.eventLoop = eventLoop
    self.logger = logger
    self.report = report
  }

  /// Goes on as another plan says; what stays is not touched.
  func adopt(_ plan: HealthPlan) {
    if plan.metricsFile != file?.path { file = plan.metricsFile.map { MetricsFile(path: $0, logger: logger) } }
    guard plan.metricsAddress != address else { return }
    server?.assumeIsolated { $0.stop() }
    address = plan.metricsAddress
    server = address.map { address in
      WebServer(.network(address), eventLoop: eventLoop) { [logger] notice in
        switch notice {
        case .listens(let found) where address.isLoopback: logger.info("metrics: listens on \(found)")
        case .listens(let found):
          logger.warning(
            """
            metrics: listens on \(found), where other machines can read all readings without a password; a firewall, or \
            127.0.0.1 and a proxy, keeps them out
            """)
        case .failed(let reason): logger.warning("metrics: \(reason); limpet tries again every minute")
        }
      } answer: { [report] request in
        Self.reply(to: request, report)
      }
    }
    server?.assumeIsolated { $0.start() }
  }

  /// The file's turn.
  func write() { if let report = report() { file?.write(Prometheus.text(report)) } }

  func stop() { server?.assumeIsolated { $0.stop() } }

  private static func reply(to request: WebRequest, _ report: () -> StatusReport?) -> WebReply {
    guard request.path == "/metrics" else { return WebReply(.notFound, "The numbers are at /metrics.") }
    guard let report = report() else { return WebReply(.serviceUnavailable, "limpet ends.") }
    let page = Prometheus.page(report, accept: request.headers["Accept"].joined(separator: ","))
    return WebReply(page.text, type: page.type)
  }
}
