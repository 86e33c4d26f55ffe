import LimpetInstants
import MQTTCore
import Outbox
import Plan
import Readings
import Records

/// What an agent begins with.
package struct Beginning: Sendable {
  /// Why it started, for the first birth.
  package struct Reason: Sendable {
    package let word: String
    /// Seconds since it was last known to run, after an end that was not clean.
    package let goneFor: UInt64?

    package init(_ word: String, goneFor: UInt64? = nil) {
      self.word = word
      self.goneFor = goneFor
    }
  }

  package var plan: DevicePlan
  package var reason = Reason("start")
  /// There is a store, open or not; false: nothing is stored (`sync: never`).
  package var isStored: Bool
  /// Why the store could not be opened, or its readings that wait could not be read.
  package var storeError: StorageError?
  package var outboxError: StorageError?
  package var state = StoredState()
  /// What is left of the session, for the link: empty where it belongs to another client.
  package var session = SessionState()
  /// nil: it could not be read, or there is none.
  package var outbox: StoredOutbox?
  /// Readings of another identity that were set aside.
  package var setAside = 0
  package var numbers: SequenceAllocator
  /// The kernel's name of this boot, and the moment at which its clock was zero.
  package var boot = ""
  package var booted = BootClock.Instant(nanoseconds: 0)
  /// How often the service's manager wants to hear that the agent moves; nil: never.
  package var watchdogInterval: Duration?

  package init(plan: DevicePlan, isStored: Bool, numbers: SequenceAllocator) {
    self.plan = plan
    self.isStored = isStored
    self.numbers = numbers
  }
}

extension SplitMix64 {
  /// 0...1.
  mutating func share() -> Double { Double(next() >> 11) / Double(UInt64(1) << 53) }
}
