"""Programs as children that end with the suite, whatever ends it; and servers that listen on loopback."""

import ctypes
import getpass
import os
import pathlib
import signal
import subprocess

from waiting import free_port, is_listening, wait

PATIENCE = 240
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)


running = []


class Process:
    def __init__(self, name, folder, command, environment=None):
        self.name, self.folder = name, pathlib.Path(folder)
        self.command, self.environment = [str(part) for part in command], environment or {}
        self.process = None

    def start(self):
        with open(self.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                self.command, env={**os.environ, **self.environment}, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=die_with_parent)
        running.append(self)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def end(self, sign=signal.SIGTERM, limit=60):
        if self.is_running:
            self.process.send_signal(sign)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self in running:
            running.remove(self)

    def log(self):
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def tail(self):
        return "\n".join(self.log().splitlines()[-15:])


def stop_all():
    for process in reversed(list(running)):
        process.end(signal.SIGKILL)


class Node(Process):
    """One server. `port`: where it speaks MQTT."""

    def __init__(self, name, folder, command, port, environment=None):
        super().__init__(name, folder, command, environment)
        self.port = port

    def start(self):
        super().start()

        def listens():
            if not self.is_running:
                raise RuntimeError(f"{self.name} ended: {self.tail()}")
            return is_listening(self.port)
        wait(f"{self.name} listens", listens, PATIENCE)

    def kill(self):
        self.end(signal.SIGKILL)


class Broker(Node):
    """mosquitto, open to everybody on this machine.

    keeps: sessions and retained messages survive a clean end. settings: further lines of its configuration."""

    def __init__(self, folder, port=None, keeps=False, settings=""):
        folder, port = pathlib.Path(folder).absolute(), port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "mosquitto.conf"
        storage = f"persistence true\npersistence_location {folder}/\n" if keeps else ""
        path.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {getpass.getuser()}\n{storage}{settings}")
        super().__init__("mosquitto", folder, ["/usr/sbin/mosquitto", "-c", path], port)
