"""mosquitto of Debian 12 beside that of Debian 13: what a client sees of each, and what limpet makes of that."""

import pathlib
import time

from configurations import mosquitto
from engines import version
from fleet import Agent
from mqtt import Client, Refused
from rows import check, table
from waiting import wait

# By the release: what is known of it.
KNOWN = {
    "takeover, MQTT 5": ("closed", "DISCONNECT 0x8E"),
    "takeover, MQTT 3.1.1": ("closed", "closed"),
    "denied PUBLISH of QoS 1, MQTT 5": ("0x87, dropped", "0x87, dropped"),
    "denied PUBLISH of QoS 1, MQTT 3.1.1": ("0x00, dropped", "0x00, dropped"),
    "denied PUBLISH of QoS 2, MQTT 5": ("0x87, dropped", "0x87, dropped"),
    "denied PUBLISH of QoS 2, MQTT 3.1.1": ("0x00, dropped", "0x00, dropped"),
    "denied SUBSCRIBE, MQTT 5": ("granted, nothing comes", "granted, nothing comes"),
    "denied SUBSCRIBE, MQTT 3.1.1": ("granted, nothing comes", "granted, nothing comes"),
    "denied will, MQTT 5": ("taken, not published", "taken, not published"),
    "denied will, MQTT 3.1.1": ("taken, not published", "taken, not published"),
}


def look(port):
    """What a server does, by the line of the table."""
    found = {}
    for level, text in ((5, "MQTT 5"), (4, "MQTT 3.1.1")):
        first = Client(port, "one-name", level, "greenhouse")
        second = Client(port, "one-name", level, "greenhouse")
        ending = first.wait_for_end()
        found[f"takeover, {text}"] = "closed" if ending == "closed" else f"DISCONNECT {ending}"
        second.disconnect()
        home = Client(port, "home", level, "home")
        home.subscribe("limpet/#")
        device = Client(port, "device", level, "greenhouse")
        other = Client(port, "other", level, "other")

        def has_heard(client, payload):
            """Whether it came; what is published after it says when it would have."""
            end = f"end-{time.monotonic_ns()}"
            other.publish("limpet/other/status", end)
            wait("what comes after it", lambda: any(message.payload == end for message in home.messages), 20)
            return any(message.payload == payload for message in client.messages)
        for qos in (1, 2):
            code = device.publish("limpet/other/status", f"denied-{qos}", qos=qos)
            heard = has_heard(home, f"denied-{qos}")
            found[f"denied PUBLISH of QoS {qos}, {text}"] = "closed" if code is None else (
                f"0x{code:02X}, {'passed on' if heard else 'dropped'}")
        codes = device.subscribe("limpet/other/uptime")
        other.publish("limpet/other/uptime", "secret")
        found[f"denied SUBSCRIBE, {text}"] = "closed" if codes is None else (
            f"SUBACK 0x{codes[0]:02X}" if codes[0] >= 128 else
            f"granted, {'it comes' if has_heard(device, 'secret') else 'nothing comes'}")
        try:
            Client(port, "liar", level, "greenhouse", will=("limpet/other/status", "lie")).close()
            found[f"denied will, {text}"] = (
                "taken, " + ("published" if has_heard(home, "lie") else "not published"))
        except Refused as error:
            found[f"denied will, {text}"] = f"CONNACK {error}"
        for client in (device, other, home):
            client.disconnect()
    return found


def rows(program, folder, newer):
    """newer: mosquitto of Debian 13."""
    folder = pathlib.Path(folder) / "releases"
    folder.mkdir()
    releases = [version("mosquitto"), newer.version]
    brokers = [mosquitto(folder / "12"), mosquitto(folder / "13", newer.command)]
    found = [{}, {}]
    try:
        for place, broker in enumerate(brokers):
            broker.start()
            port, release = broker.nodes[0].port, releases[place]

            @check(f"mosquitto {release}: takeovers and denials are those that are known of it")
            def known():
                found[place].update(look(port))
                wrong = [f"{line}: {found[place].get(line)}, not {texts[place]}" for line, texts in KNOWN.items()
                         if found[place].get(line) != texts[place]]
                assert not wrong, "; ".join(wrong)

            @check(f"mosquitto {release}: limpet names another device of its client id, and neither ends")
            def twins():
                agents = [Agent(program, folder / str(12 + place), [port], name) for name in ("greenhouse", "other")]
                for agent in agents:
                    agent.path.write_text(agent.path.read_text().replace(
                        "broker:\n", "broker:\n  username: greenhouse\n  password: secret\n"
                        "  client_id: greenhouse\n", 1).replace("id: other", "id: greenhouse"))
                began = time.monotonic()
                for agent in agents:
                    agent.start()

                def named():
                    texts = [agent.status()["presence"].get("conflict") for agent in agents if agent.is_running]
                    return next((text for text in texts if text), None)
                try:
                    text = wait("one of them says so", named, 90, 0.5)
                    took = time.monotonic() - began
                    assert all(agent.is_running for agent in agents), "one has ended"
                finally:
                    for agent in agents:
                        agent.end()
                return f"after {took:.1f} s: {text}"
    finally:
        for broker in brokers:
            broker.stop()
    table("mosquitto of Debian 12 and 13, with mosquitto.conf and mosquitto.acl of etc/", releases,
          [[line, *(one.get(line, "-") for one in found)] for line in KNOWN])
