"""Each configuration under etc/ as a user would take it: a device lives by it, and who must not read or write cannot."""

import pathlib
import re
import shlex
import signal
import time

from engines import Ejabberd, Mosquitto, Nats, RabbitMQ, version
from fleet import Agent
from mqtt import Client, Refused
from rows import check
from waiting import wait

USERS = ["greenhouse", "other", "home", "watch"]
etc = pathlib.Path("etc")


def mosquitto(folder, program=("/usr/sbin/mosquitto",)):
    return Mosquitto(folder, (etc / "mosquitto.conf").read_text(), (etc / "mosquitto.acl").read_text(), USERS, program)


def rabbitmq(folder):
    text = (etc / "rabbitmq.conf").read_text()
    broker = RabbitMQ(folder, 1, text)
    broker.start()
    # The commands that it tells to run, once more for the other device.
    commands = [shlex.split(line) for line in re.findall(r"^# +sudo rabbitmqctl (.*)$", text, re.MULTILINE)]
    for command in commands:
        for name in ["greenhouse", "other"] if "greenhouse" in command else [""]:
            broker.control("node1", *(name if word == "greenhouse" else word for word in command), text="secret\n")
    return broker


def nats(folder):
    text = (etc / "nats.conf").read_text().replace("PASSWORD", "secret")
    device = re.search(r"^ +\{ user: greenhouse.*?^    \} \}\n", text, re.MULTILINE | re.DOTALL)[0]
    return Nats(folder, 1, text.replace(device, device + device.replace("greenhouse", "other")))


def ejabberd(folder):
    return Ejabberd(folder, (etc / "ejabberd.yml").read_text(), USERS)


class Rights:
    """What its rows share: one server, and how its clients are called."""

    def __init__(self, program, folder, name, broker, level=4, host="", wildcards=True):
        """level: of MQTT. host: what user names end with. wildcards: get what is retained."""
        self.program, self.folder, self.name, self.broker = program, pathlib.Path(folder), name, broker
        self.level, self.host, self.wildcards = level, host, wildcards
        self.port = broker.nodes[0].port

    def client(self, user, **options):
        return wait(f"{user} connects", lambda: Client(
            self.port, f"test-{user}-{time.monotonic_ns()}", self.level, user + self.host, **options), 30)

    def agent(self, user="greenhouse"):
        agent = Agent(self.program, self.folder, [self.port], user)
        agent.path.write_text(agent.path.read_text().replace(
            "broker:\n", f"homeassistant: {{enabled: true}}\nbroker:\n  username: {user}{self.host}\n"
            "  password: secret\n", 1))
        return agent

    def hears(self, user, topic, publisher, subscription=None):
        """Whether what one publishes reaches another."""
        listener, speaker = self.client(user), self.client(publisher)
        try:
            codes = listener.subscribe(subscription or topic)
            if codes is None or codes[0] >= 128:
                return False
            payload = f"{publisher}-{time.monotonic_ns()}"
            speaker.publish(topic, payload)
            # Long for a server on this machine, and nobody can wait for what is not to come.
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                if any(message.payload == payload for message in listener.messages):
                    return True
                time.sleep(0.02)
            return False
        finally:
            listener.close()
            speaker.close()

    def rows(self):
        name = self.name

        @check(f"{name}: a device connects, is online, publishes; killed, it is offline by its will")
        def lives():
            home = self.client("home")
            codes = home.subscribe("limpet/greenhouse/status", "limpet/greenhouse/uptime")
            assert codes is not None and max(codes) < 128, f"SUBACK {codes}"
            agent = self.agent()

            def heard(end, payload=None):
                return [message for message in home.messages
                        if message.topic.endswith(end) and payload in (None, message.payload)]
            agent.start()
            try:
                wait("online", lambda: heard("/status", "online"), 60)
                # By then the session is stored (storage.sync).
                wait("readings of 3 s", lambda: len(heard("/uptime")) > 3, 60)
                began = time.monotonic()
                agent.end(signal.SIGKILL)
                wait("offline", lambda: heard("/status", "offline"), 20)
                took = time.monotonic() - began
                agent.start()
                wait("online again", lambda: heard("/status")[-1].payload == "online", 60)
                connection = agent.status()["connection"]
                assert connection["session_present"] is True, f"after a crash: {connection}"
            finally:
                agent.end()
            wait("offline at its clean stop", lambda: heard("/status")[-1].payload == "offline", 20)
            home.disconnect()
            return f"offline after {took:.1f} s"

        @check(f"{name}: limpet probe is content with these rights")
        def probe():
            outcome = self.agent().ask("probe")
            assert outcome.returncode == 0, f"{outcome.stdout}{outcome.stderr}"
            return outcome.stdout.strip().splitlines()[0]

        @check(f"{name}: who does not log in, or with another password, stays outside")
        def stranger():
            for user, password in ((None, ""), ("greenhouse" + self.host, "wrong"), ("nobody" + self.host, "secret")):
                try:
                    Client(self.port, "stranger", self.level, user, password).close()
                except Refused:
                    continue
                raise AssertionError(f"{user} was let in")

        @check(f"{name}: a device reads its own topics, home all, watch who is there, and nobody more")
        def reads():
            own, others = "limpet/greenhouse/uptime", "limpet/other/uptime"
            expected = {
                ("greenhouse", own, own): True, ("greenhouse", own, "limpet/greenhouse/#"): True,
                ("greenhouse", others, others): False, ("greenhouse", others, "limpet/#"): False,
                ("greenhouse", others, "#"): False, ("greenhouse", "limpet/other/status", "limpet/+/status"): False,
                ("home", own, "limpet/#"): True, ("home", others, others): True,
                ("watch", "limpet/other/status", "limpet/+/status"): True, ("watch", others, others): False,
                ("watch", others, "limpet/#"): False, ("watch", others, "#"): False,
            }
            wrong = [f"{user} {'cannot' if can else 'can'} read {topic} by {filter}"
                     for (user, topic, filter), can in expected.items()
                     if self.hears(user, topic, topic.split("/")[1], filter) != can]
            assert not wrong, "; ".join(wrong)
            return f"{len(expected)} cases"

        @check(f"{name}: a device writes its own topics, home commands, and nobody more")
        def writes():
            expected = {
                ("greenhouse", "limpet/greenhouse/status"): True, ("greenhouse", "limpet/greenhouse/fence/set"): True,
                ("greenhouse", "limpet/greenhouse/pump/set"): False, ("greenhouse", "limpet/other/status"): False,
                ("greenhouse", "limpet/other/pump/set"): False, ("greenhouse", "limpet/other/fence/set"): False,
                ("home", "limpet/greenhouse/pump/set"): True, ("home", "limpet/greenhouse/status"): False,
                ("watch", "limpet/greenhouse/status"): False, ("watch", "limpet/greenhouse/pump/set"): False,
                ("greenhouse", "answers/greenhouse/1"): True, ("greenhouse", "answers/other/1"): False,
                ("greenhouse", "homeassistant/device/limpet_greenhouse/config"): True,
            }
            wrong = [f"{user} {'cannot' if can else 'can'} write {topic}" for (user, topic), can in expected.items()
                     if self.hears("home", topic, user) != can]
            assert not wrong, "; ".join(wrong)
            return f"{len(expected)} cases"

        @check(f"{name}: a will on another device's status is not published")
        def wills():
            home = self.client("home")
            home.subscribe("limpet/other/status", "limpet/greenhouse/status")
            for topic in ("limpet/other/status", "limpet/greenhouse/status"):
                try:
                    Client(self.port, "liar", self.level, "greenhouse" + self.host, will=(topic, "by-will")).close()
                except Refused:
                    pass
            wait("the will on its own", lambda: any(
                message.payload == "by-will" and message.topic == "limpet/greenhouse/status"
                for message in home.messages), 20)
            assert not [message for message in home.messages
                        if message.payload == "by-will" and "other" in message.topic], "it was published"
            home.disconnect()

        @check(f"{name}: home's command reaches the device, and watch sees who is there")
        def commands():
            assert self.hears("greenhouse", "limpet/greenhouse/pump/set", "home", "limpet/greenhouse/+/set")
            agent = self.agent()
            agent.start()
            try:
                password = self.folder / "watch-password"
                password.write_text("secret\n")
                names = [] if self.wildcards else ["--devices", "greenhouse"]

                def sees():
                    outcome = agent.ask("watch", "--once", "--expect", 1, "--username", "watch" + self.host,
                                            "--password-file", password, *names)
                    assert outcome.returncode == 0, f"{outcome.stdout}{outcome.stderr}"
                    return True
                wait("watch sees it", sees, 60, 0.5)
            finally:
                agent.end()


def rows(program, folder, newer):
    """newer: mosquitto of Debian 13, as a command; None: it is not there."""
    folder = pathlib.Path(folder)

    def play(name, make, **traits):
        place, brokers = folder / re.sub(r"\W", "-", name), []

        @check(f"{name} starts with the file under etc/")
        def starts():
            brokers.append(make(place))
            if not brokers[0].nodes[0].is_running:
                brokers[0].start()
        try:
            if brokers and brokers[0].nodes[0].is_running:
                Rights(program, place, name, brokers[0], **traits).rows()
        finally:
            for broker in brokers:
                broker.stop()
    play(f"mosquitto {version('mosquitto')}", mosquitto, level=5)
    if newer:
        play(f"mosquitto {newer.version}", lambda place: mosquitto(place, newer.command), level=5)
    play(f"ejabberd {version('ejabberd')}", ejabberd, level=5, host="@localhost")
    play(f"nats-server {version('nats-server')}", nats)
    play(f"RabbitMQ {version('rabbitmq-server')}", rabbitmq, wildcards=False)
