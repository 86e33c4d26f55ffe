/// One connection between a client and a broker; the network numbers them, and no number comes twice in a run.
package struct ConnectionID: Sendable, Hashable, Comparable, CustomStringConvertible {
  package let rawValue: UInt32

  package init(_ rawValue: UInt32) { self.rawValue = rawValue }

  package static func < (left: ConnectionID, right: ConnectionID) -> Bool { left.rawValue < right.rawValue }

  package var description: String { "c\(rawValue)" }
}

/// The two ends of a connection.
package enum Side: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// The one that opened it: the device, or another client.
  case client
  case broker

  package var other: Side { self == .client ? .broker : .client }

  package var description: String { self == .client ? "client" : "broker" }
}

/// How a connection ended, for the side that sees it.
package enum Ending: UInt8, Sendable, Hashable {
  /// The peer closed it (FIN).
  case closed
  /// A reset, or a time limit of the kernel's.
  case cut
}
