extension String {
  /// A name of the configuration for people: `cpu_temperature` is "Cpu temperature".
  package var title: String {
    let words = split { "_-.".contains($0) }.joined(separator: " ")
    return words.isEmpty ? self : words.prefix(1).uppercased() + words.dropFirst()
  }
}
