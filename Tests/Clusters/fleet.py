"""A rehearsed fleet, a real agent beside it, and a durable subscriber that holds what it hears against what was said."""

import collections
import json
import pathlib
import signal
import subprocess
import threading
import time

from mqtt import Client
from processes import Process
from waiting import wait

# As an owner may have them; keepalive is limpet's default. What follows is what the manuals promise of that.
RECONNECT_MIN, RECONNECT_MAX, KEEP_ALIVE, CONNECT_TIMEOUT = 1, 30, 30, 10
# The same node once more, then the next ones, each after at most twice the wait before, and the last attempt itself.
BACK_OFF = 1 + 2 + 4 + 8 + 16 + CONNECT_TIMEOUT
DETECT_WITHIN = KEEP_ALIVE * 1.5 + 6


def configuration(ports, lines="", level=None):
    """level: the version of MQTT, where one is written."""
    urls = ", ".join(f'"mqtt://127.0.0.1:{port}"' for port in ports)
    return ("broker:\n" + (f'  version: "{level}"\n' if level else "") + f"  url: [{urls}]\n  shares_sessions: true\n"
            f"  reconnect: {{min: {RECONNECT_MIN}s, max: {RECONNECT_MAX}s}}\n"
            # So long that a clean stop leaves nothing under way at a server that has much to do.
            f"  shutdown_timeout: 30s\n{lines}")


class Fleet(Process):
    """`limpet simulate`."""

    def __init__(self, program, folder, ports, devices, ramp, level=None):
        path = pathlib.Path(folder) / "fleet.yaml"
        path.write_text(configuration(ports, level=level))
        super().__init__("fleet", folder, [
            program, "simulate", "--config", path, "--devices", devices, "--ramp", f"{ramp}s", "--duration", "30m",
            "--readings", "1/5s", "--json"])
        self.devices = devices

    def said(self):
        """What it has said so far, one object a line."""
        lines = self.log().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    @property
    def online(self):
        online = [one["online"] for one in self.said() if one["event"] == "progress"]
        return online[-1] if online else 0

    def is_online(self):
        assert self.is_running, f"simulate ended: {self.tail()}"
        assert self.online == self.devices, f"{self.online} of {self.devices}"
        return True

    def finish(self, limit=300):
        """What it came to; the devices stop cleanly."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(limit)
        self.end()
        ends = [one for one in self.said() if one["event"] == "end"]
        assert ends, f"simulate said nothing at its end: {self.tail()}"
        return ends[0]


class Agent(Process):
    """`limpet run`, with a reading a second."""

    def __init__(self, program, folder, ports, name="agent", level=None):
        path = pathlib.Path(folder) / f"{name}.yaml"
        path.write_text(configuration(
            ports, f"device: {{id: {name}}}\nstorage: {{path: {folder}/{name}-store}}\n"
            f"control: {folder}/{name}.sock\nsensors:\n  - {{name: uptime, type: system, value: uptime, interval: 1s}}\n",
            level))
        path.chmod(0o600)
        super().__init__(name, folder, [program, "run", "--config", path])
        self.program, self.path = program, path

    def ask(self, name, *arguments):
        return subprocess.run([self.program, name, "--config", self.path, *map(str, arguments)], capture_output=True,
                              text=True, timeout=90, stdin=subprocess.DEVNULL)

    def status(self):
        outcome = self.ask("status", "--json")
        assert outcome.returncode == 0, outcome.stderr
        return json.loads(outcome.stdout)


class Witness:
    """A durable subscriber of QoS 1 that stays with one node, and comes back to it when that closes."""

    def __init__(self, port, name, *filters):
        self.port, self.name, self.filters = port, name, filters
        # By device: the last status, with its time; the last presence; the numbers of its readings.
        self.statuses, self.births, self.numbers = {}, {}, collections.defaultdict(set)
        self.repeated = self.connections = 0
        self.is_over, self.lock = False, threading.Lock()
        self.client = None
        codes = self.connect()
        assert codes is not None and max(codes) < 128, f"SUBACK {codes}"
        self.thread = threading.Thread(target=self.stay, daemon=True)
        self.thread.start()

    def connect(self):
        self.client = wait("the witness connects", lambda: Client(
            self.port, self.name, is_clean=False, hear=self.hear), 60, 0.5)
        self.connections += 1
        return self.client.subscribe(*self.filters)

    def stay(self):
        while not self.is_over:
            if self.client.ending is None:
                time.sleep(0.2)
                continue
            try:
                self.connect()
            except AssertionError:
                time.sleep(1)

    def hear(self, message):
        _, device, name = message.topic.split("/")
        with self.lock:
            if name == "status":
                self.statuses[device] = (message.payload, message.time)
            elif not message.payload:
                # Forgotten at the end.
                return
            elif name == "presence":
                birth = json.loads(message.payload)
                # A server may send once more what it had sent.
                if device not in self.births or birth["epoch"] > self.births[device][0]["epoch"]:
                    self.births[device] = (birth, message.time)
            else:
                number = json.loads(message.payload)["seq"]
                self.repeated += number in self.numbers[device]
                self.numbers[device].add(number)

    def born_since(self, begin):
        """Devices that have said so since, with what they said."""
        with self.lock:
            return {device: birth for device, (birth, time) in self.births.items()
                    if time > begin and birth["event"] == "birth"}

    def states(self):
        with self.lock:
            return {device: payload for device, (payload, _) in self.statuses.items()}

    @property
    def missing(self):
        """Readings that were passed over, each by its device, its number, and the last number of that."""
        with self.lock:
            return [(device, number, max(numbers)) for device, numbers in self.numbers.items()
                    if len(numbers) < max(numbers) for number in range(1, max(numbers)) if number not in numbers]

    @property
    def received(self):
        with self.lock:
            return sum(map(len, self.numbers.values()))

    def stop(self):
        self.is_over = True
        self.thread.join(90)
        self.client.close()
