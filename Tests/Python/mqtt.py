"""As much of MQTT as a witness needs: 3.1.1 and 5, over TCP. It sees what limpet's own library would hide."""

import collections
import socket
import threading
import time

Message = collections.namedtuple("Message", "time topic payload is_retained is_repeated")


def field(data):
    data = data.encode() if isinstance(data, str) else data
    return len(data).to_bytes(2, "big") + data


def packet(first, body):
    size, rest = b"", len(body)
    while True:
        byte, rest = rest % 128, rest // 128
        size += bytes([byte | (128 if rest else 0)])
        if not rest:
            return bytes([first]) + size + body


class Refused(ConnectionError):
    """CONNACK with this code."""


class Client:
    """A connection. `ending` is None while it lasts, then "closed" or "0x8E", as of a DISCONNECT."""

    def __init__(self, port, name, version=4, user=None, password="secret", is_clean=True, will=None, will_retain=True,
                 keep_alive=60, expiry=600, limit=20, hear=None):
        self.version, self.limit, self.ending = version, limit, None
        self.messages, self.hear = [], hear or (lambda message: self.messages.append(message))
        self.answers, self.arrived = {}, threading.Condition()
        self.number, self.connack = 0, None
        flags = 2 if is_clean else 0
        properties = b"\x11" + expiry.to_bytes(4, "big") if version == 5 and not is_clean else b""
        body = field("MQTT") + bytes([version])
        tail = field(name)
        if will:
            flags |= 0x04 | 0x08 | (0x20 if will_retain else 0)
            tail += (b"\x00" if version == 5 else b"") + field(will[0]) + field(will[1])
        if user is not None:
            flags |= 0x80 | 0x40
            tail += field(user) + field(password)
        body += bytes([flags]) + keep_alive.to_bytes(2, "big")
        if version == 5:
            body += bytes([len(properties)]) + properties
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=limit)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(packet(0x10, body + tail))
        self.socket.settimeout(None)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        code = self.answer("connack")
        if code != 0:
            self.close()
            raise Refused("closed" if code is None else f"0x{code:02x}")
        self.pulse = threading.Thread(target=self.ping, args=[keep_alive / 3], daemon=True)
        self.pulse.start()

    @property
    def has_session(self):
        return self.connack[0] & 1 == 1

    # What goes out

    def send(self, first, body=b""):
        try:
            self.socket.sendall(packet(first, body))
        except OSError:
            pass

    def ping(self, interval):
        while self.ending is None:
            self.send(0xc0)
            with self.arrived:
                self.arrived.wait_for(lambda: self.ending is not None, interval)

    def take_number(self):
        self.number = self.number % 65535 + 1
        return self.number

    def subscribe(self, *topics, qos=1):
        """The reason codes; None: the server closed on it."""
        number = self.take_number()
        body = number.to_bytes(2, "big") + (b"\x00" if self.version == 5 else b"")
        self.send(0x82, body + b"".join(field(topic) + bytes([qos]) for topic in topics))
        return self.answer(("suback", number))

    def begin(self, topic, payload, is_retained=False, qos=1):
        """A PUBLISH, whose PUBACK or PUBREC `answer` waits for."""
        number = self.take_number()
        payload = payload.encode() if isinstance(payload, str) else payload
        body = field(topic) + number.to_bytes(2, "big") + (b"\x00" if self.version == 5 else b"") + payload
        self.send(0x30 | qos << 1 | is_retained, body)
        return ("puback", number)

    def publish(self, topic, payload, is_retained=False, qos=1):
        """The reason code; None: the server closed on it. At QoS 2 the exchange ends as far as it comes here."""
        key = self.begin(topic, payload, is_retained, qos)
        code = self.answer(key)
        if qos == 2 and code is not None and code < 128:
            self.send(0x62, key[1].to_bytes(2, "big"))
        return code

    def answer(self, key):
        with self.arrived:
            if not self.arrived.wait_for(lambda: key in self.answers or self.ending is not None, self.limit):
                raise AssertionError(f"no answer within {self.limit} s: {key}")
            return self.answers.pop(key, None)

    def disconnect(self):
        self.send(0xe0)
        self.wait_for_end()

    def wait_for_end(self, limit=20):
        with self.arrived:
            self.arrived.wait_for(lambda: self.ending is not None, limit)
        self.close()
        return self.ending

    def close(self):
        """Without DISCONNECT."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    # What comes in

    def read(self):
        ending, data = "closed", b""
        try:
            while True:
                received = self.socket.recv(1 << 16)
                if not received:
                    break
                data += received
                while (whole := self.split(data)) is not None:
                    first, body, data = whole
                    ending = self.take(first, body) or ending
        except OSError:
            pass
        with self.arrived:
            self.ending = ending
            self.arrived.notify_all()

    @staticmethod
    def split(data):
        """The first packet of these bytes, and what follows it; None: it is not whole."""
        length, shift, place = 0, 0, 1
        while True:
            if place >= len(data):
                return None
            length |= (data[place] & 127) << shift
            shift += 7
            place += 1
            if data[place - 1] < 128:
                break
        if len(data) < place + length:
            return None
        return data[0], data[place:place + length], data[place + length:]

    def take(self, first, body):
        kind = first >> 4
        if kind == 3:
            return self.take_publish(first, body)
        if kind == 14:
            return f"0x{body[0] if body else 0:02X}"
        with self.arrived:
            if kind == 2:
                self.connack = body
                self.answers["connack"] = body[1]
            elif kind in (4, 5):
                self.answers["puback", int.from_bytes(body[:2], "big")] = body[2] if len(body) > 2 else 0
            elif kind == 9:
                start = 3 if self.version == 5 else 2
                codes = body[start + (body[2] if self.version == 5 else 0):]
                self.answers["suback", int.from_bytes(body[:2], "big")] = list(codes)
            self.arrived.notify_all()
        return None

    def take_publish(self, first, body):
        size = int.from_bytes(body[:2], "big")
        topic, rest = body[2:2 + size].decode(), body[2 + size:]
        if first & 6:
            number, rest = rest[:2], rest[2:]
            self.send(0x40, number)
        if self.version == 5:
            # None of those that are looked at has 128 bytes of properties.
            length, shift, place = 0, 0, 0
            while True:
                length |= (rest[place] & 127) << shift
                shift += 7
                place += 1
                if rest[place - 1] < 128:
                    break
            rest = rest[place + length:]
        self.hear(Message(time.monotonic(), topic, rest.decode(errors="replace"), bool(first & 1), bool(first & 8)))


def retained(port, topics, by_one=False, count=None):
    """What a node has kept, by topic, as a subscriber hears it that comes now.

    by_one: asks for each by its own name, for servers that send nothing of it to wildcards. count: no more are there."""
    kept, last, quiet, limit = {}, [0.0], 5, 60
    count = len(topics) if count is None else count

    def hear(message):
        last[0] = time.monotonic()
        if message.is_retained:
            kept[message.topic] = message.payload
    client = Client(port, f"look-{time.monotonic_ns()}", hear=hear)
    try:
        for start in range(0, len(topics), 50):
            codes = client.subscribe(*topics[start:start + 50], qos=0)
            assert codes is not None and max(codes) < 128, f"SUBACK {codes}"
        # Nobody says that it was all.
        last[0] = time.monotonic()
        end = last[0] + limit
        while time.monotonic() < min(end, last[0] + quiet) and len(kept) < count:
            time.sleep(0.02)
    finally:
        client.disconnect()
    return kept
