/// Which of a plan's streams: the place that it has there, and that its name keeps over every reload.
///
/// The store knows streams by numbers of its own, which are not these.
@usableFromInline
package struct StreamID: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral {
  @usableFromInline
  package let index: Int

  @inlinable
  package init(_ index: Int) { self.index = index }

  @inlinable
  package init(integerLiteral index: Int) { self.init(index) }

  @inlinable
  package static func < (left: Self, right: Self) -> Bool { left.index < right.index }
}

/// Something of each stream, in the order of the plan's.
extension Array {
  @inlinable
  package subscript(stream: StreamID) -> Element {
    _read { yield self[stream.index] }
    _modify { yield &self[stream.index] }
  }

  @inlinable
  package var streamIDs: [StreamID] { indices.map { StreamID($0) } }
}
