import Core
import Instants
import Logging
import MQTTCore
import Outbox
import Presence
import Text

extension Shell {
  func log(_ note: Note) {
    let (level, text) = note.line
    logger.log(level: level, "\(text)")
  }
}

extension Note {
  /// What happened, what it means, what to do.
  var line: (level: Logger.Level, text: String) {
    switch self {
    case .connecting, .connected, .lost, .disconnected, .disconnectedForGood, .disconnectedToRenew, .cutsToRenew,
      .beginsSessionAnew,
      .clearedSession, .addressesAreUnknown:
      connectionLine
    case .takesLessOfWill, .triesSmallerWill, .keepsNothing, .hasNoExpiry, .hasNoWillDelay, .cutsWillDelay: serverLine
    case .notPublished, .presenceRefused, .correctsStatus, .cannotHeal, .canHealAgain, .rival, .conflictIsOver:
      presenceLine
    case .rests, .takesAgain, .setAside, .readingRefused, .readingGivenUp, .retainedRefused, .clearingRefused,
      .clearingGivenUp, .clearingsDropped, .healthNotSent:
      refusalLine
    case .reading(let note): note.line
    case .homeAssistantIsNotWatched, .homeAssistantIsDenied, .homieConnected, .homieLost, .homieDisconnected,
      .homieNotPublished, .homieRefused:
      homeLine
    case .storeFails, .storeIsLate, .storeWorks, .storeStaysClosed, .storeBeginsAnew, .storeIsAnothers,
      .unreadableReadings, .storeDoesNotAnswer, .keptForNextStart, .lostWithProcess:
      storeLine
    case .stops, .stopTookTooLong, .leavesToWill, .aborted, .stalls: endLine
    }
  }

  private var connectionLine: (Logger.Level, String) {
    switch self {
    case .connecting(let server, let version): return (.debug, "connecting to \(server), MQTT \(version)")
    case .connected(let server, let connected, let away, let unsent):
      let away = away.map { ", after \($0.inWords) without" } ?? ""
      return (
        .notice,
        """
        connected to \(server), MQTT \(connected.version), session present: \(connected.sessionPresent), \
        keepalive \(connected.limits.keepAlive) s\(away); \(unsent) readings to send
        """
      )
    case .lost(let loss, let wasConnected, let remark, let delay):
      let what = wasConnected ? "connection lost" : "not connected"
      return (.warning, "\(what): \(loss)\(remark?.text ?? ""); next try in \(delay.inWords)")
    case .disconnected: return (.notice, "disconnected")
    case .disconnectedForGood(let loss): return (.error, "disconnected: \(loss)")
    case .disconnectedToRenew: return (.notice, "disconnected, to connect by the new configuration")
    case .cutsToRenew:
      return (.warning, "the broker has not acknowledged offline; the connection is cut, so that the will says it")
    case .beginsSessionAnew:
      return (.notice, "the server has a session that this storage does not know: limpet begins a new one")
    case .clearedSession: return (.info, "the server has forgotten the session that is not known here")
    default:
      return (.warning, "the network changed, and its addresses cannot be listed: the connection is kept")
    }
  }

  private var serverLine: (Logger.Level, String) {
    switch self {
    case .takesLessOfWill(let server, let reduction):
      (.warning, "\(server) does not take the whole will: \(reduction.sentence)")
    case .triesSmallerWill(let server, let reduction):
      (.notice, "\(server): a will of \(reduction.flags) is tried next")
    case .keepsNothing(let server):
      (.warning, "\(server) keeps no retained messages: who subscribes later does not see the status")
    case .hasNoExpiry: (.info, "MQTT 3.1.1 has no expiry: presence.lease is not guaranteed here")
    case .cutsWillDelay(let server, let expiry):
      (
        .warning,
        """
        \(server) keeps the session for \(expiry) s only, and says offline when it ends: presence.will_delay is cut to \
        that
        """
      )
    default: (.warning, "MQTT 3.1.1 has no will delay: presence.will_delay is not kept here")
    }
  }

  private var presenceLine: (Logger.Level, String) {
    switch self {
    case .notPublished(let topic, let error): (.error, "\(topic) was not published: \(error)")
    case .presenceRefused(let code): (.error, "the server refused a message about the presence: \(code)")
    case .correctsStatus(let online):
      (.notice, "the status was not \(online) though this device is: limpet publishes it again")
    case .cannotHeal(let reason):
      (.warning, "self-heal unavailable: \(reason); the next connection puts a wrong status right")
    case .rival(let clientIdentifier, let instance):
      (
        .error,
        """
        another device uses the client id \(clientIdentifier) (instance \(instance)): give one of the two another \
        device.id; until then each waits minutes before it takes the connection from the other
        """
      )
    case .conflictIsOver(let time):
      (.notice, "nobody has taken the connection over for \(time.inWords): the conflict is over")
    default: (.notice, "self-heal available again")
    }
  }

  private var refusalLine: (Logger.Level, String) {
    switch self {
    case .rests(let topic, let rest, let isPresence, let time):
      let what = isPresence ? "the presence on it cannot be told" : "what is published there waits"
      return (
        .error,
        """
        the broker refuses \(topic): \(rest.reason); \(what), everything else goes on; next try in \(time.inWords). \
        Check the broker's rights for this device
        """
      )
    case .takesAgain(let topic): return (.notice, "the broker takes \(topic) again")
    case .setAside(let topic):
      return (.error, "the broker closed the connection on a reading of \(topic) three times: it is set aside")
    case .readingRefused(let code, let count):
      return (.error, "the server refused a reading: \(code); \(count) were refused since the start")
    case .readingGivenUp(let rejection, let count):
      return (.error, "a reading was given up: \(rejection); \(count) since the start")
    case .retainedRefused(let topic, .refused(let code)):
      return (.error, "the broker refuses a retained reading that it has lost, of \(topic): \(code)")
    case .retainedRefused(let topic, let outcome):
      return (.error, "the retained reading of \(topic) cannot be sent again: \(outcome)")
    case .clearingRefused(let topic, .refused(let code)):
      return (.error, "the broker refuses to forget the retained reading of \(topic): \(code); it keeps it")
    case .clearingRefused(let topic, let outcome):
      return (.error, "the retained reading of \(topic) cannot be cleared on this broker: \(outcome)")
    case .clearingGivenUp(let topic):
      return (
        .error,
        """
        the connection ended \(Clearings.attempts) times while the retained reading of \(topic) was being cleared; the \
        broker keeps it
        """
      )
    case .clearingsDropped(let count):
      return (.warning, "\(count) retained readings are not cleared: too many wait for the broker")
    case .healthNotSent(let error): return (.warning, "the health reading cannot be sent: \(error)")
    default: return (.debug, "")
    }
  }

  private var homeLine: (Logger.Level, String) {
    switch self {
    case .homeAssistantIsNotWatched(let topic, let error): (.warning, "\(topic) is not watched: \(error)")
    case .homeAssistantIsDenied(let topic, let code):
      (
        .warning,
        """
        the broker does not let this device read \(topic): \(code); Home Assistant is told anew with the next \
        connection, not when it starts
        """
      )
    case .homieConnected(let server, let base): (.notice, "Homie: connected to \(server) as \(base)")
    case .homieLost(let loss, let delay):
      (.warning, "Homie: not connected: \(loss); next try in \(delay.inWords)")
    case .homieDisconnected(let loss): (.error, "Homie: disconnected: \(loss)")
    case .homieNotPublished(let topic, let error): (.error, "Homie: \(topic) was not published: \(error)")
    case .homieRefused(let code): (.error, "Homie: the server refused a message: \(code)")
    default: (.debug, "")
    }
  }

  private var storeLine: (Logger.Level, String) {
    switch self {
    case .storeFails(let error):
      (.error, "\(error); the agent goes on in memory: a restart may repeat or skip sequence numbers")
    case .storeIsLate:
      (.error, "\(Note.storeIsLateText): a restart before that may repeat or skip sequence numbers")
    case .storeWorks: (.notice, "the storage can be written again")
    case .storeStaysClosed(let error): (.debug, "\(error)")
    case .storeBeginsAnew(let path):
      (.error, "the storage was damaged and begins anew; the damaged file is kept as \(path)")
    case .storeIsAnothers(let text): (.error, text)
    case .unreadableReadings(let count):
      (.error, "\(count) stored readings said nothing; they are removed, and counted as dropped")
    case .storeDoesNotAnswer(let limit):
      (
        .error,
        """
        the storage has not answered within \(limit.inWords): what was to be stored at the end may be lost, and the \
        next start takes this stop for an unclean one
        """
      )
    case .keptForNextStart(let count): (.notice, "\(count) readings wait in the storage for the next start")
    case .lostWithProcess(let count):
      (.error, "\(count) readings were taken and not sent; they are lost with this process")
    default: (.debug, "")
    }
  }

  private var endLine: (Logger.Level, String) {
    switch self {
    case .stops(let reason): (.notice, "stopping (\(reason.rawValue))")
    case .stopTookTooLong: (.error, "the shutdown took longer than shutdown_timeout; the connection is cut")
    case .leavesToWill:
      (.warning, "there is no connection to say offline over; the broker says it by the will")
    case .stalls(let stall):
      (.critical, "\(stall) has stopped moving: the service is left to systemd's watchdog, which restarts it")
    default: (.warning, "aborted: the broker will say offline by the will")
    }
  }
}

extension Remark {
  fileprivate var text: String {
    switch self {
    case .rival(let rival): "; \(rival)"
    case .closes(let lastSent): "; the broker closes on us again and again, last packet sent: \(lastSent)"
    }
  }
}

extension ReadingNote {
  fileprivate var line: (Logger.Level, String) {
    switch self {
    case .reads(let name, let line): return (.notice, "\(name): reads \(line)")
    case .fails(let name, let reason): return (.warning, "\(name): \(reason)")
    case .canBeReadAgain(let name): return (.notice, "\(name): can be read again")
    case .bufferIsFull(let dropped, let isMemoryBound):
      let limit = isMemoryBound ? "memory" : "storage.max_size"
      return (
        .error, "the buffer is full (\(limit)): \(dropped) of the oldest readings were given up since the start"
      )
    }
  }
}
