import Testing

/// How a client and a broker talk, for what has to hold on all of them.
package enum Way: String, CaseIterable, CustomTestStringConvertible {
  case tcp5 = "MQTT 5 over TCP"
  case tcp311 = "MQTT 3.1.1 over TCP"
  case tls5 = "MQTT 5 over TLS"
  case tls311 = "MQTT 3.1.1 over TLS"
  case webSocket5 = "MQTT 5 over WebSocket"
  case webSocket311 = "MQTT 3.1.1 over WebSocket"
  case secureWebSocket5 = "MQTT 5 over secure WebSocket"
  case secureWebSocket311 = "MQTT 3.1.1 over secure WebSocket"
  case unix5 = "MQTT 5 over a Unix socket"

  package var version: String { rawValue.hasPrefix("MQTT 5") ? "5" : "3.1.1" }

  package var isTLS: Bool {
    switch self {
    case .tls5, .tls311, .secureWebSocket5, .secureWebSocket311: true
    default: false
    }
  }

  package var isWebSocket: Bool {
    switch self {
    case .webSocket5, .webSocket311, .secureWebSocket5, .secureWebSocket311: true
    default: false
    }
  }

  package var testDescription: String { rawValue }
}
