"""One cluster of three nodes under a fleet: its third node is killed, and comes back."""

import pathlib
import time

from fleet import BACK_OFF, DETECT_WITHIN, Agent, Fleet, Witness
from mqtt import Client, retained
from rows import check
from waiting import wait

MESSAGES, NEW_ONES = 50, 30
# What is asked for one by one, where wildcards bring nothing.
SAMPLE = 60


class Trial:
    """What its rows share, and what it found for the table."""

    def __init__(self, program, folder, name, cluster, devices, ramp, level=None, wildcards=True, speaks_5=False):
        """level: the version of MQTT that is written. wildcards: get what is retained."""
        self.program, self.folder, self.name, self.cluster = program, pathlib.Path(folder), name, cluster
        self.devices, self.ramp, self.level, self.wildcards = devices, ramp, level, wildcards
        self.nodes, self.ports = cluster.nodes, [node.port for node in cluster.nodes]
        self.raw_level = 5 if speaks_5 else 4
        self.found = {}
        self.killed = None

    def play(self, expected):
        """expected: what an engine is known to lose, a text for a line of the table."""
        if not self.check("three nodes form a cluster")(self.begin):
            return
        self.check(f"{self.devices} devices, spread over the nodes, and an agent are online")(self.go_online)
        self.check("a node is killed: every device is online again within its back-off")(self.kill)
        self.check("a subscriber of a surviving node sees no other status")(self.look_at_states)
        self.check("the agent of the killed node goes on at another")(self.look_at_agent)
        self.check("retained statuses at the surviving nodes are true within detect_within")(self.look_at_retained)
        self.check("a session whose client was at the killed node")(self.look_at_session)
        self.check("subscriptions of clients that are new at the surviving nodes")(self.look_at_new_ones)
        self.check("the killed node comes back, and takes clients")(self.come_back)
        self.check("no acknowledged reading is missing at a durable subscriber")(self.count_readings)

        @self.check("what this engine loses is what the manual says")
        def losses():
            wrong = [f"{line}: {self.found.get(line)!r}, not {text!r}" for line, text in expected.items()
                     if self.found.get(line) != text]
            assert not wrong, "; ".join(wrong)

    def check(self, text):
        return check(f"{self.name}: {text}")

    def client(self, node, name, **options):
        return wait(f"{name} connects", lambda: Client(self.ports[node], name, self.raw_level, **options), 60, 0.2)

    def begin(self):
        began = time.monotonic()
        self.cluster.start()
        # A cluster may need a moment to agree on who leads it.
        for node in range(3):
            self.client(node, f"knock-{node}").disconnect()
        self.sleeper = self.client(2, "sleeper", is_clean=False)
        assert self.sleeper.subscribe("table/sleeper") == [1]
        self.mortal = self.client(2, "mortal", will=("table/mortal", "offline"))
        self.mortal.publish("table/mortal", "online", is_retained=True)
        self.mortal.publish("table/mark", "old", is_retained=True)
        return f"after {time.monotonic() - began:.0f} s"

    def go_online(self):
        self.witness = Witness(self.ports[1], "witness", *(f"limpet-sim/+/{name}" for name in (
            "status", "presence", "reading")))
        self.listener = Witness(self.ports[1], "listener", *(f"limpet/agent/{name}" for name in (
            "status", "presence", "uptime")))
        # Its first node is the one that will be killed.
        self.agent = Agent(self.program, self.folder, self.ports[2:] + self.ports[:2], level=self.level)
        self.agent.start()
        self.fleet = Fleet(self.program, self.folder, self.ports, self.devices, self.ramp, self.level)
        self.fleet.start()
        began = time.monotonic()
        wait("all devices online", self.fleet.is_online, self.ramp + 300, 0.5)
        took = time.monotonic() - began
        wait("a reading of each", lambda: len(self.witness.numbers) == self.devices, 60)
        wait("the agent's readings", lambda: self.listener.received > 3, 60)
        assert set(self.witness.states().values()) == {"online"}, "a status is not online"
        return f"after {took:.0f} s"

    def kill(self):
        self.killed = time.monotonic()
        self.nodes[2].kill()
        # A device that dies together with its node; who publishes goes on at another.
        self.mortal.close()
        self.publish_on()
        moved = {f"{number + 1:05d}" for number in range(self.devices) if number % 3 == 2}

        def are_back():
            born = self.witness.born_since(self.killed)
            assert moved <= set(born), f"{len(moved - set(born))} of {len(moved)} devices are not"
            states = self.witness.states()
            others = [device for device in moved if states[device] != "online"]
            assert not others, f"{others[:5]} are {[states[device] for device in others[:5]]}"
            return born
        born = wait("every device of the killed node said online at another", are_back, 300)
        took = time.monotonic() - self.killed
        wait("all devices online", self.fleet.is_online, 60)
        present = sum(born[device]["session_present"] for device in moved)
        self.found["sessions of the killed node's devices"] = "all kept" if present == len(moved) else (
            "lost" if present == 0 else f"{len(moved) - present} lost of {len(moved)}")
        also = len(born) - len(moved)
        self.found["connections of the other nodes"] = "some are closed too" if also else "stay"
        # The last second is that of looking.
        assert took <= BACK_OFF + 1, f"it took {took:.1f} s, more than {BACK_OFF}"
        return (f"{len(moved)} devices after {took:.1f} s, {present} with their session"
                + (f"; {also} of other nodes too" if also else ""))

    def publish_on(self):
        self.publisher = self.client(0, "publisher")
        for number in range(MESSAGES):
            self.publish("table/sleeper", f"{number}")
        self.publish("table/mark", "new", is_retained=True)
        self.publisher.disconnect()

    def publish(self, topic, text, is_retained=False):
        """Again until it is acknowledged."""
        def attempt():
            if self.publisher.ending is not None:
                self.publisher = self.client(0, "publisher")
            code = self.publisher.publish(topic, text, is_retained)
            # 5 also says where nobody has subscribed (0x10).
            return code is not None and code < 128
        wait(f"{text} to {topic} is acknowledged", attempt, 60)

    def look_at_states(self):
        states = list(self.witness.states().values())
        wrong = self.fleet.said()[-1]["wrong_states"]
        assert states.count("online") == self.devices and wrong == 0, f"{wrong} wrong states; {set(states)}"

    def look_at_agent(self):
        connection = self.agent.status()["connection"]
        assert connection["state"] == "connected", f"{connection}"
        assert connection["server"] != f"mqtt://127.0.0.1:{self.ports[2]}", f"{connection}"
        before = self.listener.received
        wait("readings of the agent", lambda: self.listener.received > before + 3, 60)
        assert self.listener.states() == {"agent": "online"}
        return "session present: " + str(connection["session_present"]).lower()

    def look_at_retained(self):
        time.sleep(max(0, self.killed + DETECT_WITHIN - time.monotonic()))
        ids = [f"{number + 1:05d}" for number in range(self.devices)]
        topics = [f"limpet-sim/{id}/status" for id in ids]
        if self.wildcards:
            kept = [retained(port, ["limpet-sim/+/status"], count=len(topics)) for port in self.ports[:2]]
        else:
            topics = topics[::max(1, self.devices // SAMPLE)]
            kept = [retained(port, topics, by_one=True) for port in self.ports[:2]]
        false = [topic for one in kept for topic, payload in one.items() if payload != "online"]
        assert not false, f"{len(false)} are false, {false[0]} for one"
        known = set().union(*kept)
        assert known >= set(topics), f"{len(set(topics) - known)} are known to neither node"
        counts = [len(one) for one in kept]
        self.found["retained messages"] = "at all nodes" if min(counts) == len(topics) else (
            "at the node alone that they were published at")
        mortal = [retained(port, ["table/mortal"], by_one=True).get("table/mortal") for port in self.ports[:2]]
        self.found["the will of a device that dies with its node"] = (
            "published" if "offline" in mortal else "lost; its status stays online" if "online" in mortal else
            "lost; its status is gone with the node")
        if self.wildcards:
            outcome = self.agent.ask(
                "watch", "--url", f"mqtt://127.0.0.1:{self.ports[0]}", "--topic", "limpet-sim/+/status", "--expect",
                self.devices, "--quiet")
            assert outcome.returncode == 0, f"limpet watch: {outcome.stderr}"
        return f"{' and '.join(map(str, counts))} of {len(topics)}, none false"

    def look_at_session(self):
        def arrived():
            sleeper = Client(self.ports[0], "sleeper", self.raw_level, is_clean=False)
            has_session = sleeper.has_session
            sleeper.subscribe("table/sleeper")
            end = time.monotonic() + 10
            while time.monotonic() < end and sleeper.ending is None:
                if len({message.payload for message in sleeper.messages}) == MESSAGES:
                    break
                time.sleep(0.05)
            # Messages come in the order they were published in, the first perhaps again.
            texts = {message.payload for message in sleeper.messages}
            sleeper.close()
            assert sleeper.ending is None or texts, "the node closes on it"
            return has_session, texts
        has_session, texts = wait("the session's node answers", arrived, 60, 1)
        self.found["what is published meanwhile to a session of the killed node"] = (
            "arrives" if len(texts) == MESSAGES else f"{MESSAGES - len(texts)} of {MESSAGES} are lost")
        return f"session present: {str(has_session).lower()}, {len(texts)} of {MESSAGES} messages"

    def look_at_new_ones(self):
        codes = []
        for number in range(NEW_ONES):
            client = self.client(number % 2, f"new-{number}")
            codes += client.subscribe("table/new") or [None]
            client.close()
        assert None not in codes, "a node closes on it"
        refused = sum(code >= 128 for code in codes)
        self.found["new subscriptions of QoS 1 meanwhile"] = "some are refused" if refused else "granted"
        return f"{refused} of {len(codes)} refused"

    def come_back(self):
        began = time.monotonic()
        self.nodes[2].start()
        self.client(2, "knock").disconnect()
        took = time.monotonic() - began

        # It may take a moment to learn of them.
        end = time.monotonic() + 20
        mark = None
        while mark != "new" and time.monotonic() < end:
            mark = retained(self.ports[2], ["table/mark"], by_one=True).get("table/mark")
            time.sleep(0.5)
        self.found["a node that comes back has of retained messages"] = (
            "the newest" if mark == "new" else "none that were published meanwhile")
        return f"after {took:.1f} s"

    def count_readings(self):
        wrong = self.fleet.said()[-1]["wrong_states"]
        assert wrong == 0, f"{wrong} wrong states until here"
        result = self.fleet.finish()
        self.agent.end()
        # What simulate's own subscriber, in a session of its own, got and missed: all that was acknowledged.
        acknowledged = result["readings"] + result["lost_readings"]
        try:
            wait("the last of them", lambda: self.witness.received >= acknowledged and not self.witness.missing, 60)
        except AssertionError:
            pass
        missing = self.witness.missing + self.listener.missing
        lost = max(acknowledged - self.witness.received, len(missing))
        self.found["acknowledged readings, of a subscriber at another node"] = (
            f"{lost} of {acknowledged} lost" if lost else "none lost")
        self.witness.stop()
        self.listener.stop()
        assert lost == 0, f"{lost} of {acknowledged}: {missing[:9]}; simulate missed {result['lost_readings']}"
        # How fast a server takes as many clean stops at once is another question.
        faults = [fault for fault in result["faults"] if "wrong states" not in fault]
        assert not faults, f"simulate: {faults}; {result['problems']}"
        storms = [storm["return_seconds"] for storm in result["storms"] if storm["return_seconds"]]
        return (f"{acknowledged} acknowledged, {self.witness.repeated} came twice" + "".join(
            f"; {storm['count']} connections were back after {storm['p50']:.1f} s (half), {storm['max']:.1f} s at the "
            "longest" for storm in storms))
