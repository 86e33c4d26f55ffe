import LimpetInstants
import Measuring
import Plan
import Readings

extension Output {
  /// What a command wants of this output.
  func level(of command: Command) throws(Objection) -> OutputLevel {
    let rules = plan.rules
    if rules.pulse != nil {
      if command.duration != nil { throw Objection(.pulse, "it gives pulses of one length; send on without for") }
      if command.wanted == .toggle { throw Objection(.pulse, "it gives pulses; send on or off") }
    }
    switch command.wanted {
    case .on: return rules.on
    case .off:
      if command.duration != nil { throw Objection(.duration, "for goes with on or a number only") }
      return .off
    case .toggle:
      if command.duration != nil { throw Objection(.duration, "for goes with on or a number only") }
      return base.level.isOn ? .off : rules.on
    case .number(let number):
      if plan.isSwitch {
        guard number >= 0 else {
          throw Objection(.value, "\(number.plain) is below 0; send 0 for off, or any number above it for on")
        }
        if number == 0, command.duration != nil { throw Objection(.duration, "for goes with on or a number only") }
        return number == 0 ? .off : rules.on
      }
      let bounds = rules.least.percent...max(rules.least.percent, rules.on.percent)
      guard number == 0 || bounds.contains(number) else {
        throw Objection(
          .value,
          "\(number.plain) is out of bounds; send 0, or \(bounds.lowerBound.plain) to \(bounds.upperBound.plain)")
      }
      if number == 0, command.duration != nil { throw Objection(.duration, "for goes with on or a number only") }
      return OutputLevel(percent: number)
    }
  }

  /// What the rules have against it now.
  func objection(
    to level: OutputLevel, for duration: Duration?, _ partners: [Partner], at now: Instant
  ) -> Objection? {
    let rules = plan.rules
    if isStopping { return Objection(.stopping, "limpet stops") }
    if isLost {
      return Objection(.lost, "its controller has been silent for \(rules.lost.map { "\($0.after)" } ?? "a while")")
    }
    if let duration {
      if duration < rules.minOn { return Objection(.duration, "for is below min_on, \(rules.minOn)") }
      if let maxOn = rules.maxOn {
        let since = onSince.map { $0.duration(to: now) } ?? .zero
        if since + duration > maxOn { return Objection(.duration, "for is beyond max_on, \(maxOn)") }
      }
    }
    guard level.isOn else { return nil }
    if let maxOn = rules.maxOn, let onSince, onSince + maxOn <= now {
      return Objection(
        .maxOn, "it has been on for \(maxOn), as long as it may be (max_on)", retryAfter: max(rules.minOff, .seconds(1))
      )
    }
    guard !ordered.isOn else { return nil }
    if let pulseLimit, pulseLimit <= now {
      return Objection(.pulse, "its pulse is over, and it has not gone off yet", retryAfter: .seconds(1))
    }
    if let partner = partners.first(where: { $0.isOn }) {
      return Objection(.interlock, "\(partner.name) is on (interlock)")
    }
    if let partner = partners.first(where: { !$0.isHeld }) {
      return Objection(.interlock, "\(partner.name) cannot be driven, so it may be on (interlock)")
    }
    guard let onAllowedAt else {
      return Objection(
        .minOff, "it has yet to go off, and must then stay off for a while (min_off)", retryAfter: rules.minOff)
    }
    guard onAllowedAt <= now else {
      return Objection(.minOff, "it must stay off for a while (min_off)", retryAfter: now.duration(to: onAllowedAt))
    }
    return nil
  }
}

/// Whether a command is too old to be obeyed.
struct AgeRule {
  let rules: OutputRules
  let arrival: Arrival

  /// How far the sender's clock may be ahead.
  private static let tolerance: Int64 = 5_000_000

  func objection(to command: Command, _ now: Timestamp, isSynchronized: Bool) -> Objection? {
    if arrival != .live {
      guard rules.obeysQueued else {
        return Objection(.queued, "it waited while this device was away (queued: refuse)")
      }
      guard command.wanted != .toggle else {
        return Objection(.queued, "it is a toggle that waited, and the output may have changed since")
      }
      // Who knows no answer to it under its id cannot know whether it was obeyed.
      if arrival == .redelivered, command.id != nil {
        return Objection(
          .redelivered,
          "it may have been carried out before, and the broker sends it once more; send it again with another id")
      }
    }
    guard let maxAge = rules.maxAge else { return nil }
    guard let time = command.time else { return Objection(.maxAge, "it carries no time, which max_age needs") }
    guard isSynchronized else {
      return Objection(.maxAge, "this device's clock is not synchronised, so its age is unknown")
    }
    let age = now.microseconds - time.microseconds
    guard age >= -Self.tolerance else { return Objection(.maxAge, "its time is in the future") }
    guard age <= maxAge.components.seconds * 1_000_000 + maxAge.components.attoseconds / 1_000_000_000_000 else {
      return Objection(.maxAge, "it is older than \(maxAge) (max_age)")
    }
    return nil
  }
}

extension Double {
  /// Without a fraction where there is none.
  fileprivate var plain: String { self == rounded() && magnitude < 1e15 ? "\(Int64(self))" : "\(self)" }
}
