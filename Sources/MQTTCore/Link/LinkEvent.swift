import NIOCore

extension Link {
  /// An attempt's number, from 1; what belongs to an attempt carries it, so that nothing late from an old connection
  /// touches a new one.
  public typealias AttemptNumber = UInt64
  /// A write's number, from 1.
  public typealias WriteNumber = UInt64

  /// What happens to a link, but for its owner's requests that may be refused, which are calls.
  public enum Event: Sendable {
    // What the owner wants.
    /// Makes the first attempt; the second time it does nothing.
    case start
    /// DISCONNECT, what was sent leaves, and the transport is closed properly; past the limit it is closed at once. The
    /// link ends. Without a connection this is `abort`.
    case disconnect(ReasonCode, within: Duration, properties: Properties = Properties())
    /// The transport is closed at once, without DISCONNECT. The link ends.
    case abort
    /// Ends a back-off: what made the last attempt fail may be over.
    case retryNow
    /// The next attempt begins no sooner than this; for the time between two attempts.
    case wait(Duration)
    /// Somebody else has used the session: the next connection begins it anew.
    case distrust
    /// Other settings; what belongs to the session stays. See `MQTTSessionDriver.reconfigure`.
    case reconfigure(Settings, reconnecting: Bool, isAborted: Bool = false)
    /// The store has another file than before, which knows nothing of the session.
    case storeBeginsAnew
    /// The owner takes no bytes from the transport until it says so: silence of the server is no loss meanwhile.
    case readingPaused(Bool)
    /// The answer to `Order.probe`.
    case probed(AttemptNumber, isReachable: Bool)
    /// Everything is to be written, due or not; `Order.flushed` answers.
    case flushStore

    // What the machine does.
    /// `Link.deadline` has passed, or the machine was suspended. What waited in the transport has been told before.
    case tick
    /// Addresses or routes of this machine have changed: these are left; nil: they are not known. A back-off ends early,
    /// so long from now.
    case networkChanged(addresses: Set<String>?, jitter: Duration)
    /// The wall clock was set; a back-off that it may be the reason of ends early, so long from now.
    case clockChanged(jitter: Duration)

    // What the transport does, and those who are asked on the way.
    /// The attempt has come as far as this, on its way to the address that is dialled.
    case progress(AttemptNumber, ConnectionStage, ServerAddress)
    /// There is a transport, from this address of the machine; `closed` follows some time, and not before.
    case opened(AttemptNumber, from: String?)
    /// Every layer below MQTT is up.
    case ready(AttemptNumber)
    /// The answer to `Order.askConnect`.
    case connectPacket(AttemptNumber, Connect)
    /// The answer to `MQTTSession.Action.challenge`.
    case authenticate(AttemptNumber, ByteBuffer?)
    /// A packet was read, whole and well formed.
    case received(AttemptNumber, Packet)
    /// The other side lives: part of a packet was read.
    case heard(AttemptNumber)
    /// More of what was sent before a PINGREQ has arrived at the other side.
    case taken(AttemptNumber)
    /// The bytes that were read are no packet.
    case malformed(AttemptNumber, PacketError)
    /// Whether the transport takes more bytes without piling them up; at first it does.
    case writable(AttemptNumber, Bool)
    /// After `Closing.afterSending`: all of it has left, and it is the server's turn to close.
    case outputClosed(AttemptNumber)
    /// A transport could not be opened, or has an error; an open one is to be closed.
    case failed(AttemptNumber, ConnectionLoss)
    /// - Parameter received: the server ever sent a byte.
    case closed(AttemptNumber, received: Bool)

    // What the store answers.
    /// - Parameter isDone: false: nothing of it was written.
    case stored(WriteNumber, isDone: Bool)
  }

  /// What the shell around a link has to do: the actions first, then one order after the other, with the actions that
  /// it brings up in between. Taken to the end by `nextAction` and `nextOrder`, it is to be emptied and used again.
  public struct Effects: Sendable {
    /// What the session wants, in its order. `connected`, `store` and `close` are the link's to see to, which it has
    /// done: they are passed over.
    public var actions: [MQTTSession.Action] = []
    /// What the link wants beside that, the oldest first; to be done after the actions.
    public var orders: [Order] = []
    /// The actions up to here the link has looked at.
    @usableFromInline var seen = 0
    @usableFromInline var actionsTaken = 0
    @usableFromInline var ordersTaken = 0

    /// Nothing to do yet.
    public init() {}

    /// Nothing is left to do: there was nothing, or all of it was taken.
    public var isEmpty: Bool { actionsTaken >= actions.count && ordersTaken >= orders.count }

    /// Taken out and not copied: a packet has several references.
    @inlinable
    public mutating func nextAction() -> MQTTSession.Action? {
      guard actionsTaken < actions.count else { return nil }
      guard actionsTaken + 1 < actions.count else {
        seen = min(seen, actionsTaken)
        return actions.removeLast()
      }
      var action = MQTTSession.Action.send(.pingreq)
      swap(&action, &actions[actionsTaken])
      actionsTaken += 1
      return action
    }

    /// The oldest order that has not been taken; nil: all have.
    @inlinable
    public mutating func nextOrder() -> Order? {
      guard ordersTaken < orders.count else { return nil }
      ordersTaken += 1
      return orders[ordersTaken - 1]
    }

    /// Emptying an array costs the same however little there is in it: most turns bring one action or two, and no order.
    public mutating func removeAll() {
      if actions.count > 2 { actions.removeAll(keepingCapacity: true) }
      while !actions.isEmpty { actions.removeLast() }
      if !orders.isEmpty { orders.removeAll(keepingCapacity: true) }
      (seen, actionsTaken, ordersTaken) = (0, 0, 0)
    }
  }

  /// What a link wants beside what its session does.
  public enum Order: Sendable {
    /// Open a transport to this server, as far as where MQTT begins, for packets of this version.
    case open(AttemptNumber, ServerAddress, ProtocolVersion)
    /// The CONNECT of this connection is needed, will included.
    case askConnect(AttemptNumber, ServerAddress, ProtocolVersion)
    /// Whether this server can be connected to; `Event.probed` answers. Nothing is said to it.
    case probe(AttemptNumber, ServerAddress)
    /// Close the transport, or stop opening one.
    case close(AttemptNumber, Closing)
    /// `Event.stored` answers. There is one write at a time.
    case write(WriteNumber, [SessionChange])
    /// - Parameter isDone: false: it could not be written, and is tried again.
    case flushed(isDone: Bool)
    /// The owner is to hear this.
    case report(Notice)
  }

  /// How a transport is to be closed.
  public enum Closing: Sendable, Hashable {
    /// Whatever is buffered or half open: no layer says good-bye.
    case atOnce
    /// After what was sent has left, and this side's half only: the server closes the other.
    case afterSending
  }

  /// What the owner hears, beside what the session delivers, settles and answers.
  public enum Notice: Sendable, Hashable {
    /// An attempt begins: this server is asked for this version.
    case connecting(ServerAddress, ProtocolVersion)
    /// The server agreed.
    case connected(MQTTSession.Connected, ServerAddress)
    /// The store works, fails or is late; the session goes on.
    case storing(StoreCondition)
    /// These messages are in the store: they are not lost with the process.
    case stored([MQTTSession.Token])
    /// The connection, or an attempt at one, is over; nil: no other attempt follows.
    case lost(ConnectionLoss, retryAfter: Duration?)
  }

  /// How it goes with the store; told when it changes, and with each write that fails.
  public enum StoreCondition: Sendable, Hashable {
    /// The last write is in the store.
    case works
    /// A write failed: the session goes on in memory, and it is tried again.
    case fails
    /// A write has not been answered for `StoreQueue.patience`: the session goes on in memory. Whether it has happened
    /// its answer tells, whenever that comes; none follows before.
    case late
  }
}
