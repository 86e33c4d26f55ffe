import LimpetInstants
import MQTTCore
import Simulation

/// What both the model and mosquitto are taken through.
extension Course {
  static let all = messages + sessions + wills + limits + denied + restarts

  private static let messages = [
    Course(
      name: "retained messages reach new subscriptions, and a cleared one does not",
      steps: {
        [
          .open("a", .v5, connect("a")),
          .send("a", publish(try message("r/1", "old", retain: true))),
          .send("a", publish(try message("r/1", "new", retain: true))),
          .send("a", publish(try message("r/2", "x", .atMostOnce, retain: true))),
          .open("b", .v5, connect("b")),
          .send("b", try subscribe("r/1", .atLeastOnce)),
          .answer("b"),
          .send("b", try subscribe("r/2", .atLeastOnce)),
          .send("a", publish(try message("r/1", "", retain: true))),
          .answer("b"),
          .open("c", .v311, connect("c")),
          .send("c", try subscribe("r/#", .atLeastOnce)),
          .send("a", publish(try message("r/2", "live", .exactlyOnce, retain: true), 7)),
          .send("a", .pubrel(Acknowledgement(identifier(7)))),
        ]
      }),
    Course(
      name: "No Local, Retain As Published and Retain Handling",
      steps: {
        [
          .open("a", .v5, connect("a")),
          .send("a", publish(try message("o/1", "1", retain: true))),
          .send("a", try subscribe("o/+", .atLeastOnce, noLocal: true, asPublished: true, handling: .doNotSend)),
          .send("a", publish(try message("o/1", "own", retain: true))),
          .open("b", .v5, connect("b")),
          .send("b", try subscribe("o/1", .atMostOnce, handling: .sendIfNew)),
          .send("b", try subscribe("o/1", .atMostOnce, handling: .sendIfNew)),
          .send("b", publish(try message("o/1", "other", .atMostOnce, retain: true))),
          .send("b", publish(try message("o/1", "plain", .atMostOnce))),
          .send(
            "b", .unsubscribe(Unsubscribe(identifier(3), filters: [TopicFilter("o/1"), TopicFilter("x")]))),
          .send("a", publish(try message("o/1", "nobody", .atLeastOnce))),
        ]
      }),
    Course(
      name: "a QoS 2 message that comes twice is taken once, and each PUBREL answered",
      steps: {
        [
          .open("a", .v5, connect("a")),
          .open("b", .v5, connect("b")),
          .send("b", try subscribe("q")),
          .send("a", publish(try message("q", "once", .exactlyOnce), 5)),
          .send("a", publish(try message("q", "once", .exactlyOnce), 5, duplicate: true)),
          .send("a", .pubrel(Acknowledgement(identifier(5)))),
          .send("a", .pubrel(Acknowledgement(identifier(5)))),
          .answer("b"),
          .answer("b"),
        ]
      }),
    Course(
      name: "a message that has expired is neither retained nor delivered late",
      steps: {
        [
          .open("a", .v5, connect("a", expiry: 100)),
          .send("a", try subscribe("e/queue", .atLeastOnce)),
          .cut("a"),
          .open("b", .v5, connect("b")),
          .send("b", publish(try message("e/1", "short", retain: true, expiry: 1))),
          .send("b", publish(try message("e/2", "long", retain: true, expiry: 100))),
          .send("b", publish(try message("e/queue", "short", expiry: 1))),
          .send("b", publish(try message("e/queue", "long", expiry: 100))),
          .wait(.seconds(3)),
          .send("b", try subscribe("e/1", .atMostOnce)),
          .send("b", try subscribe("e/2", .atMostOnce)),
          .open("a", .v5, connect("a", clean: false, expiry: 100)),
        ]
      }),
  ]

  private static let sessions = [
    Course(
      name: "a session keeps QoS 1 and 2 messages, and what was under way comes again",
      steps: {
        [
          .open("a", .v5, connect("a", expiry: 100)),
          .send("a", try subscribe("s")),
          .cut("a"),
          .open("b", .v311, connect("b")),
          .send("b", publish(try message("s", "zero", .atMostOnce))),
          .send("b", publish(try message("s", "one"), 1)),
          .send("b", publish(try message("s", "two", .exactlyOnce), 2)),
          .send("b", .pubrel(Acknowledgement(identifier(2)))),
          .open("a", .v5, connect("a", clean: false, expiry: 100)),
          .cut("a"),
          .open("a", .v5, connect("a", clean: false, expiry: 100)),
          .answer("a"),
          .answer("a"),
          .cut("a"),
          .open("a", .v5, connect("a", clean: false, expiry: 100)),
          .answer("a"),
          .cut("a"),
          .open("a", .v5, connect("a", clean: false, expiry: 100)),
          .cut("a"),
          .open("a", .v5, connect("a", clean: true)),
        ]
      }),
    Course(
      name: "a session of 3.1.1 goes on, and ends with Clean Session 1",
      steps: {
        [
          .open("a", .v311, connect("a", clean: false)),
          .send("a", try subscribe("s", .atLeastOnce)),
          .send("a", .disconnect(Disconnect())),
          .open("b", .v5, connect("b")),
          .send("b", publish(try message("s", "one"), 1)),
          .open("a", .v311, connect("a", clean: false)),
          .answer("a"),
          .cut("a"),
          .open("a", .v311, connect("a")),
          .cut("a"),
          .open("a", .v311, connect("a", clean: false)),
        ]
      }),
    Course(
      name: "a session ends when its time is over",
      steps: {
        [
          .open("a", .v5, connect("a", expiry: 1)),
          .send("a", try subscribe("s")),
          .cut("a"),
          .open("a", .v5, connect("a", clean: false, expiry: 1)),
          .cut("a"),
          .wait(.seconds(4)),
          .open("a", .v5, connect("a", clean: false, expiry: 1)),
        ]
      }),
    Course(
      name: "another connection takes a client identifier, and the first one ends",
      steps: {
        [
          .open("a", .v5, connect("a", expiry: 100)),
          .open("twin", .v5, connect("a", clean: false, expiry: 100)),
          .open("third", .v311, connect("a", clean: false)),
          .open("fourth", .v311, connect("a")),
        ]
      }),
    Course(
      name: "with a Receive Maximum of 1 messages come one by one",
      steps: {
        [
          .open("a", .v5, connect("a", receiveMaximum: 1)),
          .send("a", try subscribe("w")),
          .open("b", .v5, connect("b")),
          .send("b", publish(try message("w", "1"), 1)),
          .send("b", publish(try message("w", "2", .exactlyOnce), 2)),
          .send("b", .pubrel(Acknowledgement(identifier(2)))),
          .send("b", publish(try message("w", "3"), 3)),
          .answer("a"),
          .answer("a"),
          .answer("a"),
          .answer("a"),
        ]
      }),
  ]

  private static func watched(_ steps: [Step]) throws -> [Step] {
    [.open("b", .v5, connect("b")), .send("b", try subscribe("will/#", .atMostOnce, asPublished: true))] + steps
  }

  private static let wills = [
    Course(
      name: "a cut publishes the will, DISCONNECT 0x00 deletes it, DISCONNECT 0x04 publishes it",
      steps: {
        let will = try message("will/a", "gone", retain: true)
        return try watched([
          .open("a", .v5, connect("a", will: will)),
          .cut("a"),
          .open("a", .v5, connect("a", will: will)),
          .send("a", .disconnect(Disconnect())),
          .open("a", .v5, connect("a", will: will)),
          .send("a", .disconnect(Disconnect(reasonCode: .disconnectWithWill))),
          .open("a", .v311, connect("a", will: will)),
          .cut("a"),
          .open("a", .v311, connect("a", will: will)),
          .send("a", .disconnect(Disconnect())),
          .open("c", .v5, connect("c")),
          .send("c", try subscribe("will/a", .atMostOnce)),
        ])
      }),
    Course(
      name: "a delayed will waits, is recalled by a CONNECT in time, and comes with the session's end",
      steps: {
        try watched([
          .open("a", .v5, connect("a", expiry: 100, will: try message("will/a", "late", delay: 1))),
          .cut("a"),
          .wait(.seconds(5)),
          .open("a", .v5, connect("a", clean: false, expiry: 100, will: try message("will/a", "recalled", delay: 2))),
          .cut("a"),
          .open("a", .v5, connect("a", clean: false, expiry: 100)),
          .wait(.seconds(4)),
          .open("c", .v5, connect("c", expiry: 4, will: try message("will/c", "with the session", delay: 60))),
          .cut("c"),
          .wait(.seconds(8)),
          .open("d", .v5, connect("d", will: try message("will/d", "no session", delay: 60))),
          .cut("d"),
          .open("e", .v5, connect("e", expiry: 100, will: try message("will/e", "clean start", delay: 60))),
          .cut("e"),
          .open("e", .v5, connect("e", clean: true)),
        ])
      },
      differences: [
        13: (
          real: [],
          reason: "mosquitto 2.0.11 delays the will of a session that is over already, against [MQTT-3.1.3-9]"
        ),
        16: (
          real: ["e: CONNACK 0x00 success, receive maximum 20"],
          reason: "mosquitto 2.0.11 drops a delayed will when a clean start ends its session, against §3.1.3.2.2"
        ),
      ]),
    Course(
      name: "the will of a session that is taken over",
      steps: {
        try watched([
          .open("a", .v5, connect("a", will: try message("will/a", "ends"))),
          .open("twin", .v5, connect("a", will: try message("will/a", "of the twin"))),
          .cut("twin"),
          .open("a", .v5, connect("a", expiry: 100, will: try message("will/a", "goes on"))),
          .open("twin", .v5, connect("a", clean: false, expiry: 100)),
          .open("c", .v311, connect("c", clean: false, will: try message("will/c", "goes on"))),
          .open("twin", .v311, connect("c", clean: false)),
          .open("d", .v5, connect("d", expiry: 100, will: try message("will/d", "clean start"))),
          .open("twin", .v5, connect("d", clean: true)),
        ])
      }),
    Course(
      name: "a client that is silent for one and a half keepalives is gone",
      steps: {
        try watched([
          // Long enough that a busy machine has come to the wait before it is over.
          .open("a", .v5, connect("a", keepAlive: 6, will: try message("will/a", "silent"))),
          .open("c", .v311, connect("c", keepAlive: 6, will: try message("will/c", "silent"))),
          .silence("a"), .silence("c"),
          .wait(.seconds(18)),
        ])
      }),
  ]

  private static let limits = [
    Course(
      name: "no retain", lines: ["retain_available false"], prepare: { $0.traits.retainAvailable = false },
      steps: {
        let will = try message("will/a", "gone", retain: true)
        return [
          .open("a", .v5, connect("a", will: will)),
          .open("a", .v311, connect("a", will: will)),
          .open("a", .v5, connect("a")),
          .send("a", publish(try message("t", "1", retain: true))),
          .open("b", .v311, connect("b")),
          .send("b", publish(try message("t", "1", retain: true))),
        ]
      }),
    Course(
      name: "QoS 0 alone", listenerLines: ["max_qos 0"], prepare: { $0.traits.maximumQoS = .atMostOnce },
      steps: {
        let will = try message("will/a", "gone")
        return [
          .open("a", .v5, connect("a", will: will)),
          .open("a", .v311, connect("a", will: will)),
          .open("a", .v5, connect("a")),
          .send("a", try subscribe("t")),
          .send("a", publish(try message("t", "0", .atMostOnce))),
          .send("a", publish(try message("t", "1"))),
          .open("b", .v311, connect("b")),
          .send("b", publish(try message("t", "1"))),
        ]
      }),
    Course(
      name: "a Receive Maximum of 1 at the server, and its own keepalive",
      lines: ["max_inflight_messages 1", "max_keepalive 30"],
      prepare: {
        $0.traits.receiveMaximum = 1
        $0.traits.maximumInFlight = 1
        $0.traits.serverKeepAlive = 30
      },
      steps: {
        [
          .open("a", .v5, connect("a")),
          .send("a", publish(try message("t", "1", .exactlyOnce), 1)),
          .send("a", publish(try message("t", "2", .exactlyOnce), 2)),
        ]
      },
      differences: [
        2: (
          real: ["a: PUBREC 2 0x97 quota exceeded"],
          reason: "a client that sends more than it may is the model's to find out: it ends the connection (0x93)"
        )
      ]),
  ]

  private static let denied = [
    Course(
      name: "the ACL denies a topic", acl: "topic readwrite #\ntopic deny no/#\n",
      prepare: { $0.denials = [Denial(TopicFilter("no/#"), publish: .code(.notAuthorized))] },
      steps: {
        [
          .open("w", .v5, connect("w")),
          .send("w", try subscribe("yes", .atMostOnce)),
          .open("a", .v5, connect("a", will: try message("yes", "gone"))),
          .send("a", publish(try message("no/1", "0", .atMostOnce))),
          .send("a", publish(try message("no/1", "1"), 4)),
          .open("a", .v5, connect("a")),
          .send("a", publish(try message("no/1", "2", .exactlyOnce), 5)),
          .open("a", .v311, connect("a")),
          .send("a", publish(try message("no/1", "1"), 4)),
          .open("a", .v5, connect("a", will: try message("no/will", "gone", retain: true))),
          .cut("a"),
        ]
      })
  ]

  private static func restarted(_ step: Step) throws -> [Step] {
    [
      .open("a", .v5, connect("a", clean: false, expiry: 100, will: try message("will/a", "gone", retain: true))),
      .send("a", try subscribe("s", .atLeastOnce)),
      .send("a", publish(try message("r", "kept", retain: true))),
      .open("c", .v5, connect("c", clean: true, expiry: 100)),
      .wait(.seconds(2)),
      step,
      .open("b", .v5, connect("b")),
      .send("b", try subscribe("r", .atMostOnce)),
      .send("b", try subscribe("will/a", .atMostOnce)),
      .send("b", publish(try message("s", "queued"))),
      .open("a", .v5, connect("a", clean: false, expiry: 100)),
      .open("c", .v5, connect("c", clean: false, expiry: 100)),
    ]
  }

  private static let restarts = [
    Course(name: "stopped in order, with its data", steps: { try restarted(.restart) }),
    Course(name: "killed, with its data", steps: { try restarted(.kill) }),
    Course(
      name: "stopped in order, without its data", isPersistent: false,
      prepare: {
        $0.traits.keepsSessions = false
        $0.traits.keepsRetained = false
      }, steps: { try restarted(.restart) }),
  ]
}
