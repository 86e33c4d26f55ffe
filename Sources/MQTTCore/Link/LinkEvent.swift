import NIOCore

extension Link {
  /// An attempt's number, from 1. Events of an attempt have it, so that late events of an old connection do not affect
  /// a new one.
  public typealias AttemptNumber = UInt64
  /// A write's number, from 1.
  public typealias WriteNumber = UInt64

  /// What happens to a link. Requests of its owner that can fail are functions instead.
  public enum Event: Sendable {
    // What the owner wants.
    /// Makes the first attempt; the second time it does nothing.
    case start
    /// Sends DISCONNECT after everything before it, and closes the transport properly, or at once when the limit has
    /// passed. The link ends. Without a connection this is `abort`.
    case disconnect(ReasonCode, within: Duration, properties: Properties = Properties())
    /// Closes the transport at once, without DISCONNECT. The link ends.
    case abort
    /// Ends a back-off: the cause of the last failure may be over.
    case retryNow
    /// The next attempt begins no sooner than this; for the time between two attempts.
    case wait(Duration)
    /// Another client has used the session: the next connection begins a new one.
    case distrust
    /// Changes the settings and keeps the session. See `MQTTSessionDriver.reconfigure`.
    case reconfigure(Settings, reconnecting: Bool, isAborted: Bool = false)
    /// Leaves this server for the first one, by the settings that there are, and keeps what is known of the servers: the
    /// answer to `Notice.firstServerIsBack`.
    case returnToFirst(isAborted: Bool = false)
    /// The store has a new file, without the session.
    case storeBeginsAnew
    /// The owner takes no bytes from the transport until it says so: silence of the server is no loss meanwhile.
    case readingPaused(Bool)
    /// The answer to `Order.probe`.
    case probed(AttemptNumber, isReachable: Bool)
    /// Writes all changes, due or not; `Order.flushed` answers.
    case flushStore

    // What the machine does.
    /// `Link.deadline` has passed, or the machine was suspended. The owner has passed on what waited in the transport
    /// before.
    case tick
    /// Addresses or routes of this machine have changed: these are the addresses now; nil: they are not known. A
    /// back-off ends this long from now.
    case networkChanged(addresses: Set<String>?, jitter: Duration)
    /// The wall clock was set. A back-off that the wrong clock may have caused ends this long from now.
    case clockChanged(jitter: Duration)

    // What the transport does, and those who are asked on the way.
    /// The attempt has come to this stage, on its way to this address.
    case progress(AttemptNumber, ConnectionStage, ServerAddress)
    /// There is a transport, from this address of the machine. Only after this event can `closed` follow.
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
    /// The bytes from the server are no packet.
    case malformed(AttemptNumber, PacketError)
    /// Whether the transport sends more bytes at once instead of buffering them; at first it does.
    case writable(AttemptNumber, Bool)
    /// After `Closing.afterSending`: everything has left, and it is the server's turn to close.
    case outputClosed(AttemptNumber)
    /// The transport could not be opened, or has an error; the link closes an open one.
    case failed(AttemptNumber, ConnectionLoss)
    /// - Parameter received: the server ever sent a byte.
    case closed(AttemptNumber, received: Bool)

    // What the store answers.
    /// - Parameter isDone: false: nothing of it was written.
    case stored(WriteNumber, isDone: Bool)
  }

  /// What the owner of a link has to do: the actions first, then one order after the other, each followed by the
  /// actions that it leads to. Take all of them with `nextAction` and `nextOrder`, then empty it and use it again.
  public struct Effects: Sendable {
    /// What the session wants, in its order. Skip `connected`, `store` and `close`: the link has handled these itself.
    public var actions: [MQTTSession.Action] = []
    /// What the link itself wants, the oldest first; carry these out after the actions.
    public var orders: [Order] = []
    /// The actions up to here the link has looked at.
    @usableFromInline var seen = 0
    @usableFromInline var actionsTaken = 0
    @usableFromInline var ordersTaken = 0

    /// Nothing to do yet.
    public init() {}

    /// Whether nothing is left to do.
    public var isEmpty: Bool { actionsTaken >= actions.count && ordersTaken >= orders.count }

    /// Takes the next action out, without a copy: a packet has several references.
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

    /// Takes the oldest order out; nil: there is none.
    @inlinable
    public mutating func nextOrder() -> Order? {
      guard ordersTaken < orders.count else { return nil }
      ordersTaken += 1
      return orders[ordersTaken - 1]
    }

    /// Emptying an array has a fixed cost, and most turns bring one or two actions and no order.
    public mutating func removeAll() {
      if actions.count > 2 { actions.removeAll(keepingCapacity: true) }
      while !actions.isEmpty { actions.removeLast() }
      if !orders.isEmpty { orders.removeAll(keepingCapacity: true) }
      (seen, actionsTaken, ordersTaken) = (0, 0, 0)
    }
  }

  /// What a link wants, besides the actions of its session.
  public enum Order: Sendable {
    /// Open a transport to this server, as far as where MQTT begins, for packets of this version.
    case open(AttemptNumber, ServerAddress, ProtocolVersion)
    /// Give the CONNECT of this connection, with the will.
    case askConnect(AttemptNumber, ServerAddress, ProtocolVersion)
    /// Test whether this server accepts a TCP connection, and send nothing; `Event.probed` answers.
    case probe(AttemptNumber, ServerAddress)
    /// Close the transport, or stop opening one.
    case close(AttemptNumber, Closing)
    /// `Event.stored` answers. There is one write at a time.
    case write(WriteNumber, [SessionChange])
    /// - Parameter isDone: false: it could not be written, and is tried again.
    case flushed(isDone: Bool)
    /// A report to the owner.
    case report(Notice)
  }

  /// How a transport is to be closed.
  public enum Closing: Sendable, Hashable {
    /// At once, whatever is buffered or half open, without a farewell of any layer.
    case atOnce
    /// After what was sent has left, and this side's half only: the server closes the other.
    case afterSending
  }

  /// Reports to the owner, besides what the session delivers, settles and answers.
  public enum Notice: Sendable, Hashable {
    /// An attempt begins, with this server and this version.
    case connecting(ServerAddress, ProtocolVersion)
    /// The server agreed.
    case connected(MQTTSession.Connected, ServerAddress)
    /// The first server is to be used again, as `Settings.prefersFirst` says: the owner, who has asked for that, moves.
    case firstServerIsBack(ServerAddress)
    /// The store works, fails or is late; the session goes on.
    case storing(StoreCondition)
    /// These messages are in the store: they are not lost with the process.
    case stored([MQTTSession.Token])
    /// The connection, or an attempt at one, is over; nil: no other attempt follows.
    case lost(ConnectionLoss, retryAfter: Duration?)
  }

  /// The state of the store; the link reports it when it changes, and with each write that fails.
  public enum StoreCondition: Sendable, Hashable {
    /// The last write is in the store.
    case works
    /// A write failed: the session goes on in memory, and the link repeats the write.
    case fails
    /// The store has not answered a write for `StoreQueue.patience`: the session goes on in memory. The write may
    /// succeed all the same; the link waits for its answer before the next one.
    case late
  }
}
