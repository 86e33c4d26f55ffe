"""A real Home Assistant in a folder of its own, started in the chroot of `core`, and asked over its WebSocket."""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from waiting import wait

# Alone in a network of its own, so that no port is anybody else's.
PORT = 8123
# A start takes 15 s where nobody else wants the processors.
PATIENCE = 600

CONFIGURATION = f"""\
# Nothing but what these tests look at.
api:
config:
mqtt:
http:
  server_host: 127.0.0.1
  server_port: {PORT}
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: info
"""


class Socket:
    """As much of RFC 6455 as a client needs that sends short texts and reads long ones."""

    def __init__(self, path):
        self.connection = socket.create_connection(("127.0.0.1", PORT), timeout=30)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.connection.sendall(
            (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.file = self.connection.makefile("rb")
        if b" 101 " not in self.file.readline():
            raise OSError("no WebSocket")
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def read(self, count):
        data = self.file.read(count)
        if len(data) < count:
            raise OSError("the WebSocket was closed")
        return data

    def receive(self):
        text = b""
        while True:
            first, second = self.read(2)
            length = second & 127
            if length == 126:
                length, = struct.unpack(">H", self.read(2))
            elif length == 127:
                length, = struct.unpack(">Q", self.read(8))
            data = self.read(length)
            if first & 15 == 8:
                raise OSError("the WebSocket was closed")
            if first & 15 == 9:
                self.frame(10, data)
            elif first & 15 < 3:
                text += data
                if first & 128:
                    return json.loads(text)

    def frame(self, kind, data):
        mask = secrets.token_bytes(4)
        length = (bytes([128 | len(data)]) if len(data) < 126 else bytes([128 | 126]) + struct.pack(">H", len(data)))
        self.connection.sendall(
            bytes([128 | kind]) + length + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data)))

    def send(self, message):
        self.frame(1, json.dumps(message).encode())

    def close(self):
        self.connection.close()


class Home:
    """Home Assistant, and what it knows."""

    def __init__(self, root, name, folder, protocol, prefix="homeassistant"):
        """
        root: the chroot; name: the virtual environment in its /core; folder: as it is seen from both, below /srv there;
        protocol: "5" or "3.1.1", as a person chooses it in the broker's settings.
        """
        self.root, self.name, self.folder = root, name, pathlib.Path(folder)
        self.process = self.socket = None
        self.number = 0
        self.folder.mkdir(parents=True)
        (self.folder / "configuration.yaml").write_text(CONFIGURATION)
        self.write_owner()
        self.write_entry(protocol, prefix)

    # What a person does in a browser at the first start.

    def store(self, key, data, version=1):
        storage = self.folder / ".storage"
        storage.mkdir(exist_ok=True)
        (storage / key).write_text(json.dumps({"version": version, "minor_version": 1, "key": key, "data": data}))

    def write_owner(self):
        """An owner with a token that lasts, and nothing left to be asked at the first start."""
        user, token, key = (secrets.token_hex(size) for size in (16, 16, 64))
        groups = {"system-admin": "Administrators", "system-users": "Users", "system-read-only": "Read Only"}
        self.store("auth", {
            "users": [{
                "id": user, "group_ids": ["system-admin"], "is_owner": True, "is_active": True, "name": "Owner",
                "system_generated": False, "local_only": False}],
            "groups": [{"id": id, "name": name} for id, name in groups.items()],
            "credentials": [],
            "refresh_tokens": [{
                "id": token, "user_id": user, "client_id": None, "client_name": "tests", "client_icon": None,
                "token_type": "long_lived_access_token", "created_at": "2026-01-01T00:00:00+00:00",
                "access_token_expiration": 315360000.0, "token": secrets.token_hex(64), "jwt_key": key,
                "last_used_at": None, "last_used_ip": None, "expire_at": None, "credential_id": None,
                "version": None}],
        })
        self.store("onboarding", {"done": ["user", "core_config", "analytics", "integration"]}, version=4)

        def part(value):
            return base64.urlsafe_b64encode(value).rstrip(b"=")

        now = int(time.time())
        signed = b".".join(part(json.dumps(value).encode()) for value in (
            {"alg": "HS256", "typ": "JWT"}, {"iss": token, "iat": now - 3600, "exp": now + 86400 * 365}))
        self.token = (signed + b"." + part(hmac.new(key.encode(), signed, hashlib.sha256).digest())).decode()

    def write_entry(self, protocol, prefix):
        """The broker's settings, as their first version had them: each newer one makes its own of them."""
        self.store("core.config_entries", {"entries": [{
            "entry_id": "0123456789abcdef0123456789abcdef", "version": 1, "domain": "mqtt", "title": "broker",
            "data": {"broker": "127.0.0.1", "port": 1883, "protocol": protocol, "discovery": True,
                     "discovery_prefix": prefix},
            "options": {}, "pref_disable_new_entities": False, "pref_disable_polling": False, "source": "user",
            "unique_id": None, "disabled_by": None}]})

    def set_prefix(self, prefix):
        """Another prefix for discovery, in the settings as they are now; while it is stopped."""
        file = self.folder / ".storage" / "core.config_entries"
        settings = json.loads(file.read_text())
        entry = next(entry for entry in settings["data"]["entries"] if entry["domain"] == "mqtt")
        place = "options" if "discovery_prefix" in entry["options"] else "data"
        entry[place]["discovery_prefix"] = prefix
        file.write_text(json.dumps(settings))

    # Its life.

    @property
    def inside(self):
        return "/srv/" + self.folder.name

    def start(self):
        self.log = open(self.folder / "output.log", "ab")
        self.process = subprocess.Popen(
            [shutil.which("chroot"), self.root, f"/core/{self.name}/bin/python", "-m", "homeassistant",
             "--config", self.inside, "--skip-pip", "--log-no-color"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            env={"PATH": f"/core/{self.name}/bin:/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC"})

    def wait_until_running(self):
        def running():
            if self.process.poll() is not None:
                raise SystemExit(f"Home Assistant ended with {self.process.returncode}:\n{self.output()[-3000:]}")
            return self.ask("get_config").get("state") == "RUNNING"
        wait("Home Assistant runs", running, PATIENCE)

    def stop(self, sign=signal.SIGTERM):
        self.forget()
        if self.process is None:
            return
        self.process.send_signal(sign)
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.log.close()

    def output(self):
        return (self.folder / "output.log").read_text(errors="replace")

    # What it knows.

    def forget(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def open(self):
        opened = Socket("/api/websocket")
        opened.receive()
        opened.send({"type": "auth", "access_token": self.token})
        answer = opened.receive()
        if answer["type"] != "auth_ok":
            raise SystemExit(f"Home Assistant says {answer}")
        return opened

    def states(self, entity):
        """Every state that an entity has from now on, in a list that grows until Home Assistant stops."""
        opened, states = self.open(), []
        opened.send({"id": 1, "type": "subscribe_events", "event_type": "state_changed"})
        assert opened.receive()["success"], "no events"
        opened.connection.settimeout(None)

        def follow():
            try:
                while True:
                    data = opened.receive()["event"]["data"]
                    if data["entity_id"] == entity and data["new_state"]:
                        states.append(data["new_state"]["state"])
            except OSError:
                pass
        threading.Thread(target=follow, daemon=True).start()
        return states

    def ask(self, kind, **fields):
        """The result of one command."""
        try:
            if self.socket is None:
                self.socket, self.number = self.open(), 0
            self.number += 1
            self.socket.send({"id": self.number, "type": kind, **fields})
            while True:
                answer = self.socket.receive()
                if answer.get("id") == self.number and answer["type"] == "result":
                    assert answer["success"], f"{kind}: {answer.get('error')}"
                    return answer["result"]
        except (OSError, ValueError):
            self.forget()
            raise

    def call(self, service, target, **data):
        domain, name = service.split(".")
        return self.ask("call_service", domain=domain, service=name, service_data=data, target={"entity_id": target})

    def devices(self):
        """Those of limpet, by its id."""
        return {
            identifier[1].removeprefix("limpet_"): device for device in self.ask("config/device_registry/list")
            for identifier in device["identifiers"] if identifier[0] == "mqtt"}

    def entities(self, device=None):
        """What it has by limpet's ids, such as board/load: its entry in the registry, with `state` and `attributes`."""
        states = {state["entity_id"]: state for state in self.ask("get_states")}
        result = {}
        for entry in self.ask("config/entity_registry/list"):
            id = entry.get("unique_id", "")
            if entry["platform"] == "mqtt" and (device is None or id.startswith(device + "/")):
                state = states.get(entry["entity_id"], {})
                result[id if device is None else id[len(device) + 1:]] = {
                    **entry, "state": state.get("state"), "attributes": state.get("attributes", {}),
                    "changed": state.get("last_changed"), "reported": state.get("last_reported")}
        return result

    def problems(self, begin=0):
        """Warnings and errors of mqtt, and of what it calls, since an offset of the output; without what Home Assistant
        says of a broker that is away."""
        found, taking = [], False
        for line in self.output()[begin:].splitlines():
            if re.match(r"\d{4}-\d\d-\d\d ", line):
                is_bad = re.search(r" (WARNING|ERROR|CRITICAL) ", line) is not None
                taking = is_bad and ("mqtt" in line.lower() or "limpet" in line.lower()) and not any(
                    text in line for text in AWAY)
                if taking:
                    found.append(line)
            elif taking and line.strip():
                found[-1] += " | " + line.strip()
        return found


# Said when the broker has gone, or is not there yet.
AWAY = ("failed to receive on socket", "Disconnected from MQTT server", "Failed to connect to MQTT server",
        "Error returned from MQTT server", "The client is not currently connected")
