import LimpetText

/// Reads `digital_outputs`, writes `outputs`.
extension MQTTIOReadings {
  /// What limpet does with each output in any case.
  private static let ignored = ["retain", "publish_initial"]

  mutating func write(
    outputs: [ForeignMapping], _ modules: [String: ForeignMapping], to file: inout WrittenConfiguration
  ) {
    guard !outputs.isEmpty else { return }
    file.comment(
      "set_on_ms and set_off_ms are topics of mqtt-io; here a command may say how long: {\"value\": true, \"for\": \"10s\"}"
    )
    file.line("outputs:")
    for var output in outputs {
      guard let name = name(&output, &file) else { continue }
      guard let moduleName = output.text("module"), var module = modules[moduleName] else {
        file.comment("\(name): its module is not in gpio_modules", indentation: "  ")
        continue
      }
      guard let place = place(&output, &module, name, &file) else { continue }
      var pairs = ["name: \(literal(name))"] + place
      let isInverted = output.flag("inverted") ?? false
      if isInverted { pairs.append("active_low: true") }
      let pulse = output.integer("timed_set_ms").flatMap { (1...86_400_000).contains($0) ? "pulse: \($0)ms" : nil }
      let isPulse = pulse != nil
      switch output.text("initial") {
      case nil: file.comment("\(name): it had no initial level; limpet starts with off", indentation: "  ")
      case let level? where level == (isInverted ? "low" : "high"):
        if isPulse {
          file.comment(
            "\(name): it began with on; here only a command begins a pulse, so limpet starts with off",
            indentation: "  ")
        } else {
          pairs.append("start: on")
        }
      case "high"?, "low"?: break
      case let level?: file.comment("\(name): the initial level \(quoted(level)) is not known", indentation: "  ")
      }
      if let pulse { pairs.append(pulse) }
      for (word, payload) in [("on", output.text("on_payload")), ("off", output.text("off_payload"))] {
        guard let payload, payload.lowercased() != word else { continue }
        file.comment("\(name): \(word) is commanded by \(word) here, and not by \(quoted(payload))", indentation: "  ")
      }
      for key in Self.ignored { _ = output.flag(key) }
      // A pulse is a button.
      pairs += entity(
        &output, moduleName, "output", "switch",
        isPulse ? ["button": nil] : ["switch": nil, "light": "light", "valve": "valve"], name, &file)
      file.comment(restOf: output, indentation: "  ", reasons: reasons)
      file.line("  - {\(pairs.joined(separator: ", "))}")
    }
  }
}
