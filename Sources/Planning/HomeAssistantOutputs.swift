import Configuration
import Discovery
import JSON
import LimpetText
import Measuring

/// Outputs in Home Assistant: the entities that switch them, and those that show the outcome.
///
/// A command is not retained (`ret`), Home Assistant never assumes that it worked (`opt`), and it expires after half a
/// minute (`message_expiry_interval`): a lamp that lights up an hour later helps nobody. An output that is not held is
/// shown as unavailable, not as off.
extension HomeAssistantComponents {
  func components(of output: OutputConfiguration) -> [HomeAssistantComponent] {
    if !configuration.takesCommands { return [shown(output)] }
    if output.rules.pulse != nil { return [button(output), state(output)] }
    switch (output.entity, output.request) {
    case (.light, let request): return [light(output, isDimmed: !request.isLine)]
    case (.valve, _): return [valve(output)]
    case (.toggle, _), (nil, .gpio): return [toggle(output)]
    case (nil, .fan): return [fan(output)]
    case (nil, _): return [number(output)]
    }
  }

  private func acting(_ output: OutputConfiguration) -> HomeAssistantFields {
    var fields = common(output.name, output.name, output.title)
    fields.add("cmd_t", commands(output))
    fields.add("opt", false)
    fields.add("ret", false)
    fields.add("qos", 1)
    // Home Assistant knows it from 2026.6 on, and leaves it out before.
    fields.add("message_expiry_interval", 30)
    fields.add(availability(of: output))
    return fields
  }

  private func commands(_ output: OutputConfiguration) -> String { "\(topic(output))/set" }

  private func topic(_ output: OutputConfiguration) -> String {
    configuration.topic.expanded(device: device, name: output.name)
  }

  /// The device is there, holds the output, and reads back what it drives.
  private func availability(of output: OutputConfiguration) -> HomeAssistantFields {
    let isHeld =
      isJSON
      ? guarded(
        "{{ 'offline' if value_json.value is none or value_json.get('quality') == 'bad' else 'online' }}")
      : "{{ 'offline' if value == '' else 'online' }}"
    let presence = configuration.presence
    var fields = HomeAssistantFields()
    fields.add(
      "avty",
      .list([
        .object([
          ("t", .text(presence.topic.expanded(device: device))), ("pl_avail", .text(presence.online)),
          ("pl_not_avail", .text(presence.offline)),
        ]),
        .object([("t", .text(topic(output))), ("val_tpl", .text(isHeld))]),
      ]))
    fields.add("avty_mode", "all")
    return fields
  }

  // MARK: Values

  /// One of two words; `none` where the output is not held.
  private func word(_ output: OutputConfiguration, on: String, off: String, none: String = "None") -> String {
    if isJSON {
      return guarded("{{ '\(none)' if value_json.value is none else '\(on)' if value_json.value else '\(off)' }}")
    }
    guard output.request.isLine else {
      return "{{ '\(none)' if value == '' else '\(on)' if value | float(0) > 0 else '\(off)' }}"
    }
    return "{{ '\(on)' if value == 'true' else '\(off)' if value == 'false' else '\(none)' }}"
  }

  /// In whole %; `none` where the output is not held.
  private func percent(none: String) -> String {
    isJSON
      ? guarded("{{ '\(none)' if value_json.value is none else value_json.value | round | int }}")
      : "{{ '\(none)' if value == '' else value | float(0) | round | int }}"
  }

  /// The entity's value for 100 %.
  private func most(_ output: OutputConfiguration) -> Int { max(Int(output.rules.on.percent), 1) }

  // MARK: Entities

  private func toggle(_ output: OutputConfiguration) -> HomeAssistantComponent {
    var fields = acting(output)
    fields.add("pl_on", "on")
    fields.add("pl_off", "off")
    fields.add("stat_on", "on")
    fields.add("stat_off", "off")
    fields.add("val_tpl", word(output, on: "on", off: "off"))
    return HomeAssistantComponent(output.name, "switch", fields)
  }

  private func light(_ output: OutputConfiguration, isDimmed: Bool) -> HomeAssistantComponent {
    var fields = acting(output)
    fields.add("pl_on", "on")
    fields.add("pl_off", "off")
    fields.add("stat_val_tpl", word(output, on: "on", off: "off"))
    if isDimmed {
      fields.add("bri_cmd_t", commands(output))
      fields.add("bri_stat_t", topic(output))
      // Home Assistant reads no word there.
      fields.add("bri_val_tpl", percent(none: ""))
      fields.add("bri_scl", most(output))
      fields.add("on_cmd_type", "brightness")
    }
    return HomeAssistantComponent(output.name, "light", fields)
  }

  private func fan(_ output: OutputConfiguration) -> HomeAssistantComponent {
    var fields = acting(output)
    fields.add("pl_on", "on")
    fields.add("pl_off", "off")
    fields.add("stat_val_tpl", word(output, on: "on", off: "off"))
    fields.add("pct_cmd_t", commands(output))
    fields.add("pct_stat_t", topic(output))
    fields.add("pct_val_tpl", percent(none: "None"))
    let least = min(max(Int(output.rules.least.percent.rounded(.up)), 1), 99)
    fields.add("spd_rng_min", least)
    // Home Assistant wants a range.
    fields.add("spd_rng_max", max(most(output), least + 1))
    return HomeAssistantComponent(output.name, "fan", fields)
  }

  private func valve(_ output: OutputConfiguration) -> HomeAssistantComponent {
    var fields = acting(output)
    fields.add("pl_open", "on")
    fields.add("pl_cls", "off")
    fields.add("reports_position", false)
    // Any other word causes a warning in its log; an empty text is ignored.
    fields.add("val_tpl", word(output, on: "open", off: "closed", none: ""))
    return HomeAssistantComponent(output.name, "valve", fields)
  }

  private func number(_ output: OutputConfiguration) -> HomeAssistantComponent {
    var fields = acting(output)
    // 0 is off, and nothing else is below `min`.
    fields.add("min", 0)
    fields.add("max", JSONValue.number(output.rules.on.percent))
    fields.add("step", 1)
    fields.add("mode", "slider")
    fields.add("unit_of_meas", "%")
    fields.add("val_tpl", numberTemplate)
    return HomeAssistantComponent(output.name, "number", fields)
  }

  private func button(_ output: OutputConfiguration) -> HomeAssistantComponent {
    var fields = acting(output)
    // A button has no state.
    fields.remove("stat_t")
    fields.add("pl_prs", "on")
    return HomeAssistantComponent(output.name, "button", fields)
  }

  /// Where nobody may command it: its state alone.
  private func shown(_ output: OutputConfiguration) -> HomeAssistantComponent {
    var fields = common(output.name, output.name, output.title)
    fields.add(availability(of: output))
    guard !output.request.isLine, output.entity != .toggle else {
      fields.add("pl_on", "on")
      fields.add("pl_off", "off")
      fields.add("val_tpl", word(output, on: "on", off: "off"))
      return HomeAssistantComponent(output.name, "binary_sensor", fields)
    }
    fields.add("unit_of_meas", "%")
    fields.add("val_tpl", numberTemplate)
    return HomeAssistantComponent(output.name, "sensor", fields)
  }

  private var numberTemplate: String {
    isJSON
      ? guarded("{{ 'None' if value_json.value is none else value_json.value }}")
      : "{{ 'None' if value == '' else value }}"
  }

  /// Another entity shows the effect of a button.
  private func state(_ output: OutputConfiguration) -> HomeAssistantComponent {
    let id = "\(output.name)/state"
    var fields = common(output.name, id, "\(output.title) state")
    fields.add(availability(of: output))
    fields.add("ent_cat", "diagnostic")
    fields.add("pl_on", "on")
    fields.add("pl_off", "off")
    fields.add("val_tpl", word(output, on: "on", off: "off"))
    return HomeAssistantComponent(id, "binary_sensor", fields)
  }
}

extension OutputRequest {
  fileprivate var isLine: Bool { if case .gpio = self { true } else { false } }
}

extension OutputConfiguration {
  /// For people.
  fileprivate var title: String { presentation.title ?? name.title }
}
