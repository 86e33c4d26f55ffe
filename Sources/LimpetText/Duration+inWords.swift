extension Duration {
  /// For people: `850 ms`, `1.5 s`, `2 min`, `9 h`, `7 d`, in the largest unit of which there are two, rounded to a tenth below ten.
  package var inWords: String {
    let seconds = self / .seconds(1)
    let units: [(name: String, seconds: Double)] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)]
    guard let unit = units.first(where: { seconds >= $0.seconds * ($0.seconds > 1 ? 2 : 1) }) else {
      return "\((seconds * 1000).rounded().shortestDecimal) ms"
    }
    let amount = seconds / unit.seconds
    let rounded = amount < 10 ? (amount * 10).rounded() / 10 : amount.rounded()
    return "\(rounded.shortestDecimal) \(unit.name)"
  }
}
