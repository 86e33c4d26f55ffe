import LimpetInstants

extension Output {
  /// How a partner of an interlock stands.
  struct Partner {
    var name: String
    var isHeld: Bool
    /// It is on, or may still be: an order to go off counts when it was carried out.
    var isOn: Bool
    /// It was ordered to go off, and may still be on.
    var isGoingOff: Bool
    /// When it is known to have gone off.
    var offSince: Instant
    var deadTime: Duration
  }

  func partner() -> Partner {
    Partner(
      name: plan.name, isHeld: isHeld, isOn: isOn, isGoingOff: isOn && !ordered.isOn, offSince: offSince,
      deadTime: plan.rules.deadTime)
  }
}
