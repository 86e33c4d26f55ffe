"""limpet on boards that are folders, the broker, and a witness of what it passes on."""

import pathlib
import signal
import socket
import subprocess
import threading
import time

from processes import Broker
from tree import Tree
from waiting import wait


class Mosquitto(Broker):
    """Its retained messages and sessions survive a clean end. Its log has every packet."""

    def __init__(self, folder):
        super().__init__(folder, 1883, True, "max_queued_messages 0\nlog_type all\nlog_timestamp_format %s\n")
        self.start()

    def forget(self):
        """All that it kept."""
        (self.folder / "mosquitto.db").unlink()

    def retained(self, topic):
        """What it has kept, by topic. A message that is not kept, and comes last, says that it was all."""
        end = f"witness/{time.monotonic_ns()}"
        listener = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-q", "1", "-t", topic, "-t", end, "-F", "%r\t%t\t%p"],
            stdout=subprocess.PIPE, text=True)
        stop = threading.Event()

        def knock():
            while not stop.wait(0.2):
                publish(end, "")
        knocking = threading.Thread(target=knock)
        knocking.start()
        kept = {}
        try:
            for line in listener.stdout:
                is_retained, name, payload = line.rstrip("\n").split("\t", 2)
                if name == end:
                    break
                if is_retained == "1":
                    kept[name] = payload
        finally:
            stop.set()
            knocking.join()
            listener.kill()
            listener.wait()
        return kept


def publish(topic, payload, *options):
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-q", "1", "-t", topic, "-m", payload, *options], check=True)


class Witness:
    """All that the broker passes on, with the time when it did."""

    def __init__(self, folder):
        self.messages = []
        self.process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-q", "1", "-t", "#", "-F", "%U\t%r\t%t\t%p"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
        self.file = open(f"{folder}/messages.log", "w")
        threading.Thread(target=self.read, daemon=True).start()
        # It may take a while until it is subscribed.
        wait("the witness", lambda: publish("witness/here", "") or self.messages)

    def read(self):
        for line in self.process.stdout:
            self.file.write(line)
            self.file.flush()
            parts = line.rstrip("\n").split("\t", 3)
            if len(parts) == 4:
                self.messages.append((float(parts[0]), parts[1] == "1", parts[2], parts[3]))

    def since(self, begin, topic=None):
        """What came live."""
        return [message for message in list(self.messages)
                if message[0] >= begin and not message[1] and topic in (None, message[2])]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Line:
    """What one board reaches the broker through, so that it alone can be cut off."""

    def __init__(self, port):
        self.port, self.ends = port, []
        self.mend()

    def mend(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=[self.listener], daemon=True).start()

    def accept(self, listener):
        try:
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", 1883))
                self.ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=[one, other], daemon=True).start()
        except OSError:
            pass

    def carry(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            end.close()

    def cut(self):
        for end in [self.listener, *self.ends]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        self.ends = []


class Board:
    """limpet on a board of its own."""

    def __init__(self, program, folder, id, sensors=(), inputs=(), outputs=(), **settings):
        """settings: further lines at the top level."""
        self.program, self.device = program, id
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.tree = Tree(self.folder / "root").whole(id)
        self.sensors, self.inputs, self.outputs = list(sensors), list(inputs), list(outputs)
        self.settings = {"device": f"{{id: {id}}}", "homeassistant": "{enabled: true}", **settings}
        self.process, self.port = None, 1883

    @property
    def configuration(self):
        return self.folder / "limpet.yaml"

    def write(self):
        lines = [f"{key}: {value}" for key, value in self.settings.items()]
        lines += ["broker:", f"  url: mqtt://127.0.0.1:{self.port}", "  reconnect: {min: 200ms, max: 1s}",
                  f"storage: {{path: {self.folder}/storage}}"]
        for key, entries in {"inputs": self.inputs, "sensors": self.sensors, "outputs": self.outputs}.items():
            if entries:
                lines += [f"{key}:"] + [f"  - {entry}" for entry in entries]
        self.configuration.write_text("\n".join(lines) + "\n")
        self.configuration.chmod(0o600)

    def run(self, *arguments):
        return subprocess.run(
            [self.program, arguments[0], "--config", self.configuration, *arguments[1:]], capture_output=True,
            text=True, timeout=120)

    def check(self):
        self.write()
        return self.run("check", "--offline", "--root", self.tree.folder)

    def start(self):
        self.write()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "run", "--config", self.configuration, "--root", self.tree.folder, "--log-level",
                 "debug"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def reload(self):
        """What limpet says has changed."""
        self.write()
        outcome = self.run("reload")
        assert outcome.returncode == 0, f"reload: {outcome.stdout}{outcome.stderr}"
        return outcome.stdout.split("\n")[:-1]

    def end(self, sign=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(sign)
        self.process.wait(60)
        self.process = None

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def topic(self, name):
        return f"limpet/{self.device}/{name}"
