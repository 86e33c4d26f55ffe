import Core
import LimpetInstants
import LimpetText
import Logging
import MQTTCore
import Outbox
import Presence
import Status

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
    case .connecting, .connected, .lost, .connectionLasts, .disconnected, .disconnectedForGood, .disconnectedToRenew,
      .returnsToFirst, .disconnectedForFirst, .cutsToRenew,
      .beginsSessionAnew,
      .clearedSession, .addressesAreUnknown:
      connectionLine
    case .takesLessOfWill, .triesSmallerWill, .keepsNothing, .hasNoExpiry, .hasNoWillDelay, .cutsWillDelay: serverLine
    case .notPublished, .presenceRefused, .correctsStatus, .cannotHeal, .canHealAgain, .rival, .conflictIsOver,
      .rivalWasOwn:
      presenceLine
    case .rests, .takesAgain, .setAside, .readingRefused, .readingGivenUp, .retainedRefused, .clearingRefused,
      .clearingGivenUp, .clearingsDropped, .healthNotSent:
      refusalLine
    case .reading(let note): note.line
    case .homeAssistantIsNotWatched, .homeAssistantIsDenied, .tookOver, .homieConnected, .homieLost,
      .homieDisconnected, .homieNotPublished, .homieRefused:
      homeLine
    case .opening(let note): note.line
    case .storeFails, .storeIsLate, .storeWorks, .storeStaysClosed, .storeBeginsAnew, .storeIsAnothers,
      .unreadableReadings, .storeDoesNotAnswer, .keptForNextStart, .lostWithProcess:
      storeLine
    case .output(let note): note.line
    case .heartbeatsRefused(let topics, let reason):
      (
        .error,
        """
        the broker does not let this device subscribe to \(topics.map(\.description).joined(separator: ", ")): \
        \(reason); outputs with this heartbeat go into their lost state
        """
      )
    case .outputsDoNotAnswer(let limit):
      (.error, "the outputs' drivers have not answered within \(limit.inWords); limpet outputs --safe tries again")
    case .commandsRefused(let reason):
      (.error, "limpet refuses commands from the broker: \(reason); limpet set still works")
    case .stops, .stopTookTooLong, .leavesToWill, .aborted, .stalls: endLine
    }
  }

  private var connectionLine: (Logger.Level, String) {
    switch self {
    case .connecting(let server, let version): return (.debug, "connecting to \(server), MQTT \(version)")
    case .connected(let server, let connected, let away, let unsent, let isNews):
      let again = away == nil ? "connected" : "reconnected"
      let away = away.map { ", after \($0.inWords)" } ?? ""
      let waiting = unsent > 0 ? "; sending \(unsent) buffered \(unsent == 1 ? "reading" : "readings")" : ""
      return (
        isNews ? .notice : .info,
        """
        \(again) to \(server), MQTT \(connected.version), session present: \(connected.sessionPresent), \
        keepalive \(connected.limits.keepAlive) s\(away)\(waiting)
        """
      )
    case .lost(let loss, let wasConnected, let remark, let delay, let server, let worth):
      return Self.lostLine(loss, wasConnected, remark, delay, server, worth)
    case .connectionLasts(let server, let outage, let attempts):
      return (
        .notice,
        "the connection to \(server) is stable again, after \(outage.inWords) and \(attempts) that did not last"
      )
    case .disconnected: return (.notice, "disconnected")
    case .disconnectedForGood(let loss): return (.error, "disconnected: \(loss)")
    case .disconnectedToRenew: return (.notice, "disconnected; connecting by the new configuration")
    case .returnsToFirst(let server):
      return (.notice, "\(server), the first of broker.url, can be reached again: limpet says offline here and returns")
    case .disconnectedForFirst(let server): return (.notice, "disconnected; connecting to \(server) again")
    case .cutsToRenew:
      return (
        .warning,
        "the broker has not acknowledged offline; limpet cuts the connection, so that the broker publishes the will"
      )
    case .beginsSessionAnew:
      return (.notice, "the broker holds a session that this storage does not know: limpet begins a new one")
    case .clearedSession: return (.info, "the broker has dropped the session that this storage does not know")
    default:
      return (.warning, "the network changed, and limpet cannot list its addresses: it keeps the connection")
    }
  }

  private static func lostLine(
    _ loss: ConnectionLoss, _ wasConnected: Bool, _ remark: Remark?, _ delay: Duration?, _ server: ServerAddress?,
    _ worth: Outage.Worth
  ) -> (Logger.Level, String) {
    let what = wasConnected ? "connection lost" : "not connected"
    let next = delay.map { "; next try in \($0.inWords)" } ?? ""
    let text = "\(loss.advised(server))\(remark?.text ?? "")\(next)"
    guard case .reminder(let time, let attempts, _) = worth else { return (worth.level, "\(what): \(text)") }
    return (worth.level, "still not connected after \(time.inWords) and \(attempts) attempts: \(text)")
  }

  private var serverLine: (Logger.Level, String) {
    switch self {
    case .takesLessOfWill(let server, let reduction):
      (.warning, "\(server) does not accept the whole will: \(reduction.sentence)")
    case .triesSmallerWill(let server, let reduction):
      (.notice, "\(server): limpet tries a will of \(reduction.flags) next")
    case .keepsNothing(let server):
      (.warning, "\(server) keeps no retained messages: a later subscriber does not see the status")
    case .hasNoExpiry: (.info, "MQTT 3.1.1 has no message expiry: presence.lease has no effect here")
    case .cutsWillDelay(let server, let expiry):
      (
        .warning,
        """
        \(server) keeps the session for \(expiry) s only, and publishes offline when it ends: limpet cuts presence.will_delay to \
        that
        """
      )
    default: (.warning, "MQTT 3.1.1 has no will delay: presence.will_delay has no effect here")
    }
  }

  private var presenceLine: (Logger.Level, String) {
    switch self {
    case .notPublished(let topic, let error): (.error, "limpet could not publish \(topic): \(error)")
    case .presenceRefused(let code): (.error, "the broker refused a presence message: \(code)")
    case .correctsStatus(let online):
      (.notice, "another client overwrote the status: limpet corrects it to \(online)")
    case .cannotHeal(let reason):
      (.warning, "self-heal unavailable: \(reason); the next connection corrects a wrong status")
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
    case .rivalWasOwn:
      (.notice, "the storage is readable again: what looked like another client was this device before; no conflict")
    default: (.notice, "self-heal available again")
    }
  }

  private var refusalLine: (Logger.Level, String) {
    switch self {
    case .rests(let topic, let rest, let use, let time, let resting):
      let what =
        switch use {
        case .presence: "limpet cannot publish the presence there"
        case .readings: "its readings wait"
        case .other: "limpet cannot publish there"
        }
      // Of many, each would say the same.
      let isNews = Self.isMilestone(UInt64(rest.times)) && (resting <= 4 || Self.isMilestone(UInt64(resting)))
      let many = resting > 4 ? "; it refuses \(resting) topics, and limpet status names them" : ""
      return (
        isNews ? .error : .info,
        """
        the broker refuses \(topic): \(rest.reason); \(what), everything else goes on; next try in \(time.inWords)\(many). \
        Check the broker's rights for this device
        """
      )
    case .takesAgain(let topic, let resting):
      return (resting < 4 ? .notice : .info, "the broker accepts \(topic) again")
    case .setAside(let topic):
      return (.error, "the broker closed the connection on a reading of \(topic) three times: limpet sets it aside")
    case .readingRefused(let topic, let code, let count):
      let place = topic.map { " of \($0)" } ?? ""
      return (
        Self.isMilestone(count) ? .error : .debug,
        "the broker refused a reading\(place): \(code); \(count) since the start"
      )
    case .readingGivenUp(let rejection, let count):
      return (
        Self.isMilestone(count) ? .error : .debug, "limpet gave up a reading: \(rejection); \(count) since the start"
      )
    case .retainedRefused(let topic, .refused(let code)):
      return (.error, "the broker lost the retained reading of \(topic), and refuses it now: \(code)")
    case .retainedRefused(let topic, let outcome):
      return (.error, "limpet cannot send the retained reading of \(topic) again: \(outcome)")
    case .clearingRefused(let topic, .refused(let code)):
      return (.error, "the broker refuses to clear the retained reading of \(topic): \(code); it stays there")
    case .clearingRefused(let topic, let outcome):
      return (.error, "limpet cannot clear the retained reading of \(topic) on this broker: \(outcome)")
    case .clearingGivenUp(let topic):
      return (
        .error,
        """
        the connection ended \(Clearings.attempts) times while limpet cleared the retained reading of \(topic); the \
        broker keeps it
        """
      )
    case .clearingsDropped(let count):
      return (.warning, "\(count) retained readings stay at the broker: too many wait to be cleared")
    case .healthNotSent(let error): return (.warning, "limpet cannot send the health report: \(error)")
    default: return (.debug, "")
    }
  }

  private var homeLine: (Logger.Level, String) {
    switch self {
    case .homeAssistantIsNotWatched(let topic, let error): (.warning, "limpet cannot subscribe to \(topic): \(error)")
    case .homeAssistantIsDenied(let topic, let code):
      (
        .warning,
        """
        the broker does not let this device read \(topic): \(code); limpet describes the device again with the next \
        connection, not when Home Assistant starts
        """
      )
    case .tookOver(let name, let topic):
      (
        .notice,
        """
        limpet took over Home Assistant's entity of \(name), and cleared \(topic), where another program described it; \
        migrate_from is not needed any more
        """
      )
    case .homieConnected(let server, let base, let isNews):
      (isNews ? .notice : .info, "Homie: connected to \(server) as \(base)")
    case .homieLost(let loss, _, .reminder(let time, let attempts, let isMilestone)):
      (
        isMilestone ? .warning : .info,
        "Homie: still not connected after \(time.inWords) and \(attempts) attempts: \(loss.advised())"
      )
    case .homieLost(let loss, let delay, let worth):
      (worth.level, "Homie: not connected: \(loss.advised()); next try in \(delay.inWords)")
    case .homieDisconnected(let loss): (.error, "Homie: disconnected: \(loss)")
    case .homieNotPublished(let topic, let error): (.error, "Homie: limpet could not publish \(topic): \(error)")
    case .homieRefused(let code): (.error, "Homie: the broker refused a message: \(code)")
    default: (.debug, "")
    }
  }

  private var storeLine: (Logger.Level, String) {
    switch self {
    case .storeFails(let error):
      (.error, "\(error); limpet goes on in memory: a restart may repeat or skip sequence numbers")
    case .storeIsLate:
      (.error, "\(Note.storeIsLateText): a restart before that may repeat or skip sequence numbers")
    case .storeWorks: (.notice, "the storage can be written again")
    case .storeStaysClosed(let error): (.debug, "\(error)")
    case .storeBeginsAnew(let aside):
      (
        .error,
        """
        the storage was damaged: limpet begins a new one, and keeps the damaged file as \(aside.path): \
        \(aside.reason)
        """
      )
    case .storeIsAnothers(let text): (.error, text)
    case .unreadableReadings(let count):
      (.error, "\(count) stored readings are unreadable: limpet removes them, and counts them as dropped")
    case .storeDoesNotAnswer(let limit):
      (
        .error,
        """
        the storage has not answered within \(limit.inWords): the last changes may be lost, and the \
        next start will treat this stop as a crash
        """
      )
    case .keptForNextStart(let count):
      (.notice, "\(count) \(count == 1 ? "reading waits" : "readings wait") in the storage for the next start")
    case .lostWithProcess(let count):
      (.error, "\(count) unsent readings are lost with this process")
    default: (.debug, "")
    }
  }

  private var endLine: (Logger.Level, String) {
    switch self {
    case .stops(let reason): (.notice, "stopping (\(reason.rawValue))")
    case .stopTookTooLong:
      (
        .error,
        """
        the shutdown took longer than shutdown_timeout: limpet cuts the connection, so that the broker publishes the \
        will
        """
      )
    case .leavesToWill(hasConnected: true):
      (.warning, "not connected, so limpet cannot say offline; the broker publishes it through the will")
    case .leavesToWill(hasConnected: false):
      (.warning, "not connected, so limpet cannot say offline; no broker knows this process")
    case .stalls(let stall):
      (.critical, "\(stall) hangs: systemd's watchdog restarts the service")
    default: (.warning, "aborted: the broker publishes offline through the will")
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
    case .reads(let name, let line): return (.info, "\(name): reads \(line)")
    case .fails(let name, let reason, let changes):
      return (.warning, "\(name): \(reason)\(Self.often(changes))")
    case .canBeReadAgain(let name, let changes): return (.notice, "\(name): can be read again\(Self.often(changes))")
    case .bufferIsFull(let dropped, let isMemoryBound):
      let limit = isMemoryBound ? "memory" : "storage.max_size"
      return (
        .error, "the buffer is full (\(limit)): limpet has dropped \(dropped) of the oldest readings since the start"
      )
    }
  }

  private static func often(_ changes: Int?) -> String {
    changes.map { " (it came and went \($0) times since the last line)" } ?? ""
  }
}

extension Outage.Worth {
  fileprivate var level: Logger.Level {
    switch self {
    case .news, .reminder(_, _, isMilestone: true): .warning
    case .reminder(_, _, isMilestone: false): .info
    case .repetition: .debug
    }
  }
}

extension OutputNote {
  var line: (level: Logger.Level, text: String) {
    switch self {
    case .held(let name, let description): (.info, "\(name): drives \(description)")
    case .failed(let name, let reason): (.error, "\(name): cannot be driven: \(reason)")
    case .differs(let name, let reason): (.error, "\(name): \(reason)")
    case .refused(let name, let reason, let count):
      (
        count.nonzeroBitCount == 1 ? .warning : .debug,
        "\(name.map { "\($0): " } ?? "")refused a command: \(reason); \(count) so far for this reason"
      )
    case .controllerLost(let name, let after):
      (.warning, "\(name): its controller was silent for \(after); it goes into its lost state")
    }
  }
}
