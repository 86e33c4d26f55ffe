import Foundation
import LimpetText
import NIOCore
import Testing

@testable import Agent
@testable import Status

struct PrometheusTests {
  private let figures: [Figure] = [
    .gauge("uptime_seconds", "How long the agent runs", 2.5), .counter("readings", "Readings", 12),
    .counter("connection_losses", "Ends", by: "reason", ["timeout": 2, "closed": 1]),
    .counter("connection_failures", "Attempts", by: "reason", [:]),
  ]

  @Test("the text format: help, type, conventional names, labels escaped")
  func text() {
    var text = MetricText(.prometheus, common: [("device", "a\"b\\c\n")])
    Prometheus.add(figures, to: &text)
    #expect(
      String(buffer: text.finish()) == """
        # HELP limpet_build_info The version of limpet that runs here.
        # TYPE limpet_build_info gauge
        limpet_build_info{device="a\\"b\\\\c\\n",version="\(limpetVersion)"} 1
        # HELP limpet_uptime_seconds How long the agent runs.
        # TYPE limpet_uptime_seconds gauge
        limpet_uptime_seconds{device="a\\"b\\\\c\\n"} 2.5
        # HELP limpet_readings_total Readings.
        # TYPE limpet_readings_total counter
        limpet_readings_total{device="a\\"b\\\\c\\n"} 12
        # HELP limpet_connection_losses_total Ends.
        # TYPE limpet_connection_losses_total counter
        limpet_connection_losses_total{device="a\\"b\\\\c\\n",reason="closed"} 1
        limpet_connection_losses_total{device="a\\"b\\\\c\\n",reason="timeout"} 2
        # HELP limpet_connection_failures_total Attempts.
        # TYPE limpet_connection_failures_total counter

        """)
  }

  @Test("OpenMetrics names a family without the end of its numbers' names, and says where it ends")
  func openMetrics() {
    var text = MetricText(.openMetrics, common: [])
    Prometheus.add([figures[1]], to: &text)
    #expect(
      String(buffer: text.finish()) == """
        # HELP limpet_build The version of limpet that runs here.
        # TYPE limpet_build info
        limpet_build_info{version="\(limpetVersion)"} 1
        # HELP limpet_readings Readings.
        # TYPE limpet_readings counter
        limpet_readings_total 12
        # EOF

        """)
  }

  @Test(
    "which format is asked for",
    arguments: [
      ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", true), ("APPLICATION/OpenMetrics-Text", true),
      ("application/openmetrics-text;q=0,text/plain", false), ("application/openmetrics-text ; Q=0.000", false),
      ("text/plain;q=0.9, application/openmetrics-text;q=0.3", false),
      ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", true),
      ("application/openmetrics-text;q=0.2,*/*;q=0.1", true),
      ("application/openmetrics-text;q=0.2,text/*;q=0.4", false),
      ("application/openmetrics-text;q=1,text/plain;q=1", true), ("*/*", false), ("", false), ("text/html", false),
      ("application/openmetrics-text-other", false), ("x=application/openmetrics-text", false),
    ])
  func formats(_ accept: String, _ isOpen: Bool) {
    #expect((MetricText.Format(accept: accept) == .openMetrics) == isOpen, "\(accept)")
  }

  @Test("the same numbers as JSON")
  func json() {
    #expect(
      String(buffer: Figure.json(figures))
        == #"{"uptime_seconds":2.5,"readings":12,"connection_losses":{"closed":1,"timeout":2},"connection_failures":{}}"#
    )
  }

  @Test("a file is replaced as a whole, and what cannot be written leaves nothing behind")
  func replaced() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/limpet-metrics-" + UUID().uuidString.prefix(8)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/limpet.prom"
    for text in ["long text\n", "short\n"] {
      #expect(MetricsFile.replace(path, with: ByteBuffer(string: text)) == nil)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["limpet.prom"])
    let failure = MetricsFile.replace(folder + "/none/limpet.prom", with: ByteBuffer(string: "x"))
    #expect(failure?.description.contains("No such file or directory") == true)
    #expect(MetricsFile.replace(folder, with: ByteBuffer(string: "x")) != nil)
    #expect(!FileManager.default.fileExists(atPath: folder + ".new"))
  }
}
