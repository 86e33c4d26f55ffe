import DequeModule
import LimpetInstants
import MQTTCore
import Measuring
import Plan
import Readings
import Records

/// The time, as the shell has seen it once for all that happens in one turn.
package struct Moment: Sendable {
  /// CLOCK_BOOTTIME: it measures.
  package let boot: BootClock.Instant
  /// CLOCK_REALTIME beside it: it only labels.
  package let wall: WallClock
  /// CLOCK_MONOTONIC: it stands still in a suspend.
  package let awake: Duration

  package init(boot: BootClock.Instant, wall: WallClock, awake: Duration) {
    self.boot = boot
    self.wall = wall
    self.awake = awake
  }

  package var timestamp: Timestamp { wall.time(of: boot) }
}

/// Which connection.
package enum LinkID: Sendable, Hashable {
  case agent
  /// The Homie device has one for itself: a connection has one will.
  case homie
}

/// What happens to the agent. What the broker sends comes by `Core.receive`, without an event around it, and what lines
/// and sensors report may come by `Core.take`.
package enum Event: Sendable {
  /// Everything begins.
  case start
  /// `Core.deadline` has passed.
  case tick
  /// What a transport has done.
  case link(LinkID, Link.Event)
  /// The answer to `Effects.store`.
  case stored(StoreTicket, Result<StoreAnswer, StorageError>)
  /// Reports of lines. `isFinished`: they were released, and nothing follows.
  case lines([LineReport], isFinished: Bool)
  /// What lines have seen whose pulses are added up since they were requested: the answer to `Order.count`.
  case counted([LineID: PulseCount])
  /// What became of `Order.read`.
  case samples([Sample])
  /// The kernel says that these have changed, or may have.
  case notified([SensorID])
  /// The answer to `Order.look`.
  case looked(gpioTurns: Int?, isKernelStuck: Bool)
  /// Reports of the driver of outputs.
  case driven([DriverReport])
  /// Somebody on this machine asks something of an output; `Order.answer` answers under the number.
  case commanded(String, Result<Command, Command.Flaw>, UInt64)
  /// Somebody on this machine wants outputs to be safe; `Order.answer` answers under the number of each name.
  case madeSafe([(name: String, number: UInt64)])
  /// The wall clock was set, or the system was suspended.
  case clockJumped
  /// These are the machine's addresses now; nil: they cannot be listed.
  case networkChanged(Set<String>?)
  case asked(Wish)
}

/// What somebody wants of the agent.
package enum Wish: Sendable, Hashable {
  /// SIGTERM or SIGINT: the clean shutdown, and when it is asked for again, the end at once.
  case stop
  /// The answer to `Order.findStopReason`.
  case stopBecause(StopReason)
  /// The connection is cut, so that the broker publishes the will.
  case abort
}

/// What is to be done about it. The lanes are in no order among each other: what needs one waits for an event.
package struct Effects: Sendable {
  /// In order for each link.
  package private(set) var wire: Deque<Wire> = []
  /// One request is under way at a time.
  package var store: (ticket: StoreTicket, request: StoreRequest)?
  package var orders: [Order] = []
  package var notes: [Note] = []

  package init() {}

  package var isEmpty: Bool { wire.isEmpty && store == nil && orders.isEmpty && notes.isEmpty }

  package mutating func add(_ wire: consuming Wire) { self.wire.append(wire) }

  /// The next of `wire`.
  package mutating func nextWire() -> Wire? { wire.popFirst() }

  package mutating func takeOrders() -> [Order] {
    guard !orders.isEmpty else { return [] }
    defer { orders = [] }
    return orders
  }

  package mutating func takeNotes() -> [Note] {
    guard !notes.isEmpty else { return [] }
    defer { notes = [] }
    return notes
  }

  package mutating func takeStore() -> (ticket: StoreTicket, request: StoreRequest)? {
    guard store != nil else { return nil }
    defer { store = nil }
    return store
  }
}

/// What a transport is to do.
package enum Wire: Sendable {
  /// Open one to this server, as far as where MQTT begins.
  case open(LinkID, Link.AttemptNumber, ServerAddress, ProtocolVersion)
  case send(LinkID, Packet)
  case close(LinkID, Link.AttemptNumber, Link.Closing)
  /// The server has agreed to these.
  case agreed(LinkID, ServerLimits)
  /// Whether this server can be connected to: `Link.Event.probed` answers.
  case probe(LinkID, Link.AttemptNumber, ServerAddress)
}

/// What else there is to do.
package enum Order: Sendable {
  /// Each of these sensors; `Event.samples` answers, also for one that takes too long.
  case read([SensorID])
  /// What lines have seen whose pulses are added up; `Event.counted` answers at once.
  case count([LineID])
  /// Watch these lines, and no others.
  case watch([GPIOInput])
  /// Some are let go of first, and others watched beside those that stay.
  case rewatch(released: [LineID], added: [(LineID, GPIOInput)])
  /// `Event.lines` with `isFinished` answers, when they are released.
  case stopWatching
  /// An output is requested, with this level in the request itself; `Event.driven` answers, now and whenever it is lost or
  /// comes back.
  case hold(OutputID, OutputPlan, OutputLevel, adopts: Bool)
  /// `Event.driven` answers under the number, when it is held; else it is the level of the next request.
  case drive(OutputID, OutputLevel, number: UInt64)
  case release(OutputID, OutputEnd)
  /// How it is left, should this process die, is another way from now on.
  case secure(OutputID, OutputEnd)
  /// To `Event.commanded` of that number.
  case answer(UInt64, CommandAnswer)
  /// `Event.looked` answers at once: whether threads move.
  case look
  /// `Wish.stopBecause` answers; it may take as long as it likes.
  case findStopReason
  case notify(ServiceNotice)
  /// `Core.publishHealth` answers at once.
  case publishHealth
  /// Numbers for Prometheus.
  case writeMetrics
  /// The device runs: on a disk in memory.
  case markAlive
  /// Everything is over, and the store can be closed.
  case exit(isClean: Bool)
}
