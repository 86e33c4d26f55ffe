extension Sequence where Element: Hashable {
  /// Without repeats: at QoS 1 what was under way when a connection ended may come again, several in a row.
  package var firstArrivals: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
