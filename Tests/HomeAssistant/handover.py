"""A board that mqtt-io has run so far, each of its entities described alone, and that limpet takes over."""

import json
import subprocess
import time

from board import Board, publish
from scene import boards, broker, check, folder, home, program, restart_home, witness
from waiting import wait

CLIENT = "mqtt-io-shed"
# With a thermometer, since lines are not there: their values say nothing here, but their entities do.
CONFIGURATION = f"""\
mqtt:
  host: 127.0.0.1
  client_id: {CLIENT}
  topic_prefix: old/shed
  ha_discovery: {{enabled: true, name: Old shed}}
gpio_modules:
  - {{name: rpi, module: raspberrypi}}
digital_inputs:
  - {{name: gate, module: rpi, pin: 17, retain: true, ha_discovery: {{device_class: garage_door}}}}
digital_outputs:
  - {{name: heater, module: rpi, pin: 27, retain: true}}
sensor_modules:
  - {{name: ds18, module: ds18b, type: DS18B20, address: 0316a2795bff}}
sensor_inputs:
  - {{name: tank, module: ds18, interval: 3600, retain: true, ha_discovery: {{device_class: temperature}},
     unit_of_measurement: °C}}
"""


def described():
    """What mqtt-io publishes of it: topic and payload."""
    for component, module, place, name, own, value in (
            ("binary_sensor", "rpi", "input", "gate",
             {"device_class": "garage_door", "payload_on": "ON", "payload_off": "OFF"}, "ON"),
            ("switch", "rpi", "output", "heater",
             {"command_topic": "old/shed/output/heater/set", "payload_on": "ON", "payload_off": "OFF"}, "OFF"),
            ("sensor", "ds18", "sensor", "tank",
             {"device_class": "temperature", "unit_of_measurement": "°C", "expire_after": 7205}, "19.5")):
        payload = {
            "name": name, **own, "availability_topic": "old/shed/status", "payload_available": "running",
            "payload_not_available": "dead", "unique_id": f"{CLIENT}_{module}_{place}_{name}",
            "state_topic": f"old/shed/{place}/{name}",
            "device": {"manufacturer": "MQTT IO", "identifiers": ["mqtt-io", CLIENT], "name": "Old shed"}}
        yield f"homeassistant/{component}/{CLIENT}/{name}/config", payload, value


IDS = {payload["name"]: payload["unique_id"] for _, payload, _ in described()}
TOPICS = [topic for topic, _, _ in described()]


class Successor(Board):
    """limpet with the configuration that it has made of mqtt-io's."""

    def write(self):
        file = self.folder / "mqtt-io.yml"
        file.write_text(CONFIGURATION)
        imported = subprocess.run(
            [self.program, "import", "mqtt-io", file], capture_output=True, text=True, check=True).stdout
        self.configuration.write_text(f"{imported}storage: {{path: {self.folder}/storage}}\n")
        self.configuration.chmod(0o600)


def entities():
    """By mqtt-io's names."""
    known = home.entities()
    return {name: known[id] for name, id in IDS.items() if id in known}


def registered():
    """What the registry has of them: `id` is what histories hang on, beside entity_id."""
    return {name: {key: one[key] for key in ("id", "entity_id", "name", "icon", "area_id")}
            for name, one in entities().items()}


def requests(begin):
    return [topic for _, _, topic, payload in witness.since(begin) if "migrate_discovery" in payload]


def rows():
    board = boards["old"] = Successor(program, folder / "board-old", "old")
    chosen, others = {}, set(home.entities())

    @check("handover: what mqtt-io described is there, and its user names it")
    def before():
        publish("old/shed/status", "running", "-r")
        for topic, payload, value in described():
            publish(topic, json.dumps(payload), "-r")
            publish(payload["state_topic"], value, "-r")
        def look():
            states = {name: one["state"] for name, one in entities().items()}
            assert states == {"gate": "on", "heater": "off", "tank": "19.5"}, states
            return entities()
        found = wait("three entities", look)
        for name, wanted in (("gate", {"name": "Gate to the street", "new_entity_id": "binary_sensor.entrance"}),
                             ("heater", {"icon": "mdi:radiator", "area_id": "garden"}),
                             ("tank", {"name": "Water", "new_entity_id": "sensor.water_tank_temperature"})):
            home.ask("config/entity_registry/update", entity_id=found[name]["entity_id"], **wanted)
        chosen.update(registered())
        assert chosen["gate"]["entity_id"] == "binary_sensor.entrance", chosen
        assert chosen["tank"]["name"] == "Water" and chosen["heater"]["area_id"] == "garden", chosen
        return ", ".join(one["entity_id"] for one in chosen.values())

    def is_taken_over():
        """The same entities, of another device, with limpet's values; and nothing else of what was there."""
        def look():
            assert registered() == chosen, f"{registered()}, not {chosen}"
            states = {name: one["state"] for name, one in entities().items()}
            # Nobody holds the lines of a board without GPIO.
            assert states == {"gate": "unknown", "heater": "unavailable", "tank": "23.13"}, states
            device = next(one for one in home.ask("config/device_registry/list")
                          if one["id"] == entities()["tank"]["device_id"])
            identifiers = [two for _, two in device["identifiers"]]
            assert len(identifiers) == 1 and identifiers[0].startswith("limpet_"), identifiers
            prefix = identifiers[0].removeprefix("limpet_") + "/limpet/"
            more = {id: one["entity_id"] for id, one in home.entities().items()
                    if id not in others and id not in IDS.values() and not id.startswith(prefix)}
            assert not more, f"more than there was: {more}"
            kept = {topic: payload for topic, payload in broker.retained("homeassistant/#").items() if CLIENT in topic}
            assert not kept, f"still retained: {kept}"
            return device
        return wait("the entities with limpet's values", look)

    @check("handover: limpet with the imported configuration has the same entities, names and ids; old topics are clear")
    def taken_over():
        publish("old/shed/status", "dead", "-r")
        begin, since = time.time(), len(home.output())
        board.start()
        device = is_taken_over()
        assert sorted(requests(begin)) == sorted(TOPICS), requests(begin)
        complaints = home.problems(since)
        assert not complaints, complaints[:3]
        # As limpet-topics(7) says, Home Assistant leaves the device of the other program to its owner.
        left = [one["id"] for one in home.ask("config/device_registry/list") if ["mqtt", CLIENT] in one["identifiers"]]
        full = [one["entity_id"] for one in home.entities().values() if one["device_id"] in left]
        assert not full, f"the device of mqtt-io has entities still: {full}"
        return f"{len(chosen)} entities, now of {device['name']}; {len(left)} empty device left"

    @check("handover: limpet's log names each entity and its old topic, once")
    def logged():
        lines = [line for line in board.log().splitlines() if "took over" in line]
        missing = [topic for topic in TOPICS if sum(topic in line for line in lines) != 1]
        assert len(lines) == len(TOPICS) and not missing, lines
        return lines[0].split(": ", 1)[-1]

    @check("handover: a second start hands nothing over again")
    def again():
        board.end()
        begin = time.time()
        board.start()
        wait("it is described", lambda: [
            one for one in witness.since(begin) if one[2].startswith("homeassistant/device/") and IDS["tank"] in one[3]])
        is_taken_over()
        assert not requests(begin), requests(begin)
        written = [one for one in witness.since(begin) if CLIENT in one[2]]
        assert not written, written

    @check("handover: after a restart of Home Assistant they are the same still")
    def restarted():
        restart_home()
        is_taken_over()
    board.end()
