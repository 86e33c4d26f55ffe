/// What a value can be, as far as that is known before any read.
package enum ValueShape: Sendable, Hashable {
  case number
  case flag
  /// One of these texts.
  case choice([String])
  case text
  /// A number or a text: the kernel's driver decides.
  case any
}

/// What a value means, beyond its unit: home automation classifies it by both.
package enum ValueMeaning: Sendable, Hashable {
  /// It goes up and down, and its unit is enough.
  case level
  /// It only goes up, until it restarts.
  case total
  /// A flag that is true when something is wrong.
  case problem
  /// A point in time, not a span of it.
  case moment
  /// How full a battery is.
  case charge
  /// Of a power supply: energy that it stores, where the unit is one of energy.
  case store
  /// 1: a power supply is there, or has power; 0: not. USB's may have 2, of power that can be set.
  case plug
  /// The colour of light, which has the unit of a temperature.
  case colour
  case carbonDioxide
  case volatileOrganicCompounds
  /// Of particulate matter: up to how many µm.
  case particles(upTo: String)
}
