"""homeassistant.py PROGRAM ROOT NAME VERSION PROTOCOL FOLDER: what a real Home Assistant makes of limpet.

ROOT: the chroot that `core` made; NAME: the core there. FOLDER: /srv of the chroot, as it is seen here. The last line
is "N passed, N failed". Each check goes on from where the one before it has left things.
"""

import datetime
import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback

import readings
import tables
from board import Board, Broker, Witness
from home import PATIENCE, Home
from waiting import wait

program, root, name, version, protocol, folder = sys.argv[1:7]
folder = pathlib.Path(folder)
old = version.startswith("2024.")
# Values have to be there within this time (H1); Home Assistant itself takes about a second of it.
SOON = 5
passed = failed = 0


def check(name):
    """A row."""
    def run(test):
        global passed, failed
        try:
            detail = test() or ""
            passed += 1
            print(f"  ok   {version}: {name}{detail and ' (' + detail + ')'}", flush=True)
        except Exception as error:
            failed += 1
            print(f"  FAIL {version}: {name}: {error}", flush=True)
            if not isinstance(error, AssertionError):
                traceback.print_exc(limit=-4, file=sys.stdout)
    return run


def moment(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def problems(expected, entities):
    found = {id: one.problem(entities.get(id)) for id, one in expected.items()}
    return [f"{id} {problem}" for id, problem in found.items() if problem]


def settled(device, expected=readings.EXPECTED, limit=60):
    """Waits until all that is expected is there, and says when the last of it was, by Home Assistant's own clock."""
    def look():
        entities = home.entities(device)
        wrong = problems(expected, entities)
        assert not wrong, f"{len(wrong)} of {len(expected)}: {'; '.join(wrong[:6])}"
        return entities
    entities = wait(f"{device} in Home Assistant as it is", look, limit)
    return max(moment(entities[id]["changed"]) for id in expected)


def all_are(device, state, ids=readings.EXPECTED, limit=90):
    """Waits until entities have a state, and says when the last one had it."""
    def look():
        entities = home.entities(device)
        others = [f"{id} is {entities.get(id, {}).get('state')}" for id in ids
                  if entities.get(id, {}).get("state") != state]
        assert not others, f"{len(others)} of {len(ids)}: {'; '.join(others[:6])}"
        return entities
    entities = wait(f"all of {device} {state}", look, limit)
    return max(moment(entities[id]["changed"]) for id in ids)


def soon(begin, end, what="the values"):
    took = max(end - begin, 0)
    assert took <= SOON, f"{what} took {took:.1f} s, more than {SOON}"
    return f"{took:.1f} s"


def live(board, since, names):
    """Waits until each topic was told since a time, and says when the last one was."""
    def look():
        told = {topic: at for at, _, topic, _ in reversed(witness.since(since))}
        missing = [name for name in names if board.topic(name) not in told]
        assert not missing, f"not told again: {', '.join(missing[:6])}"
        return max(told[board.topic(name)] for name in names)
    return wait("every topic is told again", look, 30)


def topics(expected):
    return {id.split("/")[0] for id in expected}


def birth(since):
    """When Home Assistant said that it is there."""
    return wait("Home Assistant's birth", lambda: [
        message for message in witness.since(since, "homeassistant/status") if message[3] == "online"], PATIENCE)[-1][0]


def descriptions(board, prefix="homeassistant"):
    """What the board has said of itself, the newest first."""
    topic = re.compile(re.escape(prefix) + r"/device/limpet_[^/]*/config")
    return [json.loads(payload) for _, _, name, payload in reversed(list(witness.messages))
            if topic.fullmatch(name) and payload and f'"limpet_{board.device}"' in payload]


def description(board, prefix="homeassistant"):
    return descriptions(board, prefix)[0]


def new_board(id, sensors, inputs=(), outputs=(), **settings):
    board = Board(program, folder / f"board-{id}", id, sensors, inputs, outputs, **settings)
    boards.append(board)
    return board


def restart_home(between=lambda: None):
    """The time of its birth."""
    home.stop()
    between()
    begin = time.time()
    home.start()
    begin = birth(begin)
    home.wait_until_running()
    return begin


boards = []
broker = Broker(folder / "broker")
witness = Witness(folder)
home = Home(root, name, folder / "home", protocol)


def suite():
    @check(f"it starts, and speaks MQTT {protocol}")
    def starts():
        begin = time.time()
        home.start()
        home.wait_until_running()
        birth(begin)
        # Which connection is Home Assistant's, the broker says by what it subscribes to.
        def spoken():
            clients = set(re.findall(r"(?m)^\d+: (\S+) \d homeassistant/\S+/config$", broker.log()))
            return [kind for client in clients
                    for kind in re.findall(rf"as {re.escape(client)} \((p\d)", broker.log())]
        wanted = {"5": "p5", "3.1.1": "p2"}[protocol]
        kinds = wait("Home Assistant subscribes", spoken)
        assert set(kinds) == {wanted}, f"the broker saw {kinds}, not {wanted}"
        assert home.ask("get_config")["version"] == version, home.ask("get_config")["version"]
        return f"{time.time() - begin:.0f} s"

    if failed:
        print(home.output()[-3000:])
        return

    # Every source, in both formats.
    shed = new_board(
        "shed", readings.SENSORS + PRESENTED, INPUTS, readings.OUTPUTS, device="{id: shed, name: Garden shed}",
        homeassistant="{enabled: true, suggested_area: Garden}", health="{interval: 2s}")
    plain = new_board("plain", readings.SENSORS, format="plain")
    begin = time.time()
    shed.start()
    plain.start()
    for source, entries in readings.SOURCES.items():
        @check(f"{source}: entities with value, unit and class")
        def source_is_there(entries=entries):
            expected = {id: one for _, entities in entries for id, one in entities.items()}
            end = settled("shed", expected)
            return f"{len(expected)} entities, {end - begin:.1f} s after the start"
    for source, entries in readings.SOURCES.items():
        @check(f"{source}: the same in the format plain")
        def plain_is_there(entries=entries):
            expected = {id: one for _, entities in entries for id, one in entities.items()}
            settled("plain", expected)
            return f"{len(expected)} entities"

    @check("H1: first readings are there soon after the description, hourly ones and those that do not change")
    def first():
        described = [message[0] for message in witness.since(begin, "homeassistant/device/limpet_shed/config")]
        return soon(described[0], settled("shed"), "the first values")

    @check("H3: every component has its qos, and Home Assistant subscribes with it")
    def qos():
        without = [id for id, one in description(shed)["cmps"].items() if one.get("qos") != 1]
        assert not without, f"no qos 1: {', '.join(without)}"
        client = re.findall(r"(?m)^\d+: (\S+) (\d) limpet/shed/cpu_temperature$", broker.log())
        granted = {number for name, number in client if not name.startswith(("shed", "auto-", "mosq"))} or {
            number for _, number in client}
        assert granted == {"1"}, f"{granted} at the broker"

    @check("H8: hwmon and iio by label have unit and class")
    def labels():
        settled("shed", {
            "l_case": readings.Expected("31.25", "°C", "temperature"),
            "l_five": readings.Expected("5.02", "V", "voltage"),
            "l_supply": readings.Expected("1.5", "V", "voltage")}, 10)

    @check("H8: the online and present of a power supply are on or off")
    def flags():
        def look():
            entities = home.entities("shed")
            found = [f"{entities[id]['entity_id']} is {entities[id]['state']}" for id in ("p_online", "p_present")]
            assert all(one.startswith("binary_sensor.") and one.endswith(" is on") for one in found), ", ".join(found)
            return True
        wait("flags", look, 10)

    @check("H8: names are for people")
    def names():
        entities = home.entities("shed")
        titles = {id: entities[id]["original_name"] for id in (
            "h_both/temp1", "i_both/in_temp", "i_both/in_pressure", "cpu_temperature", "p_both/voltage_now")}
        raw = {id: title for id, title in titles.items() if re.search(r"_|\btemp\d?\b|\bin\b", title or "_")}
        assert not raw, f"raw: {raw}"
        return ", ".join(titles.values())

    @check("H8: a text that is None stays a text")
    def none_text():
        settled("shed", {"f_none": readings.text("None")}, 10)

    @check("presentation: title, class, icon, category, precision, as, and disabled at first")
    def presentation():
        entities = home.entities("shed")
        door = entities["front"]
        assert door["original_name"] == "Front door", door["original_name"]
        assert door["entity_id"].startswith("binary_sensor."), door["entity_id"]
        attributes = door["attributes"]
        assert attributes.get("device_class") == "door" and attributes.get("icon") == "mdi:door", attributes
        assert door["state"] == "on", door["state"]
        assert door["entity_category"] == "diagnostic", door["entity_category"]
        assert entities["s_load"]["entity_category"] == "diagnostic", entities["s_load"]
        assert entities["hidden"]["disabled_by"] == "integration", entities["hidden"]
        precision = home.ask("config/entity_registry/get", entity_id=entities["precise"]["entity_id"])["options"]
        shown = precision.get("sensor", {}).get("suggested_display_precision")
        assert shown == 2, precision

    @check("default_entity_id" + (" is not known to this version, and does no harm" if old else " is followed"))
    def entity_id():
        found = home.entities("shed")["cpu_temperature"]["entity_id"]
        wanted = "sensor.garden_shed_cpu_temperature" if old else "sensor.shed_cpu_temperature"
        assert found == wanted, f"{found}, not {wanted}"

    @check("inputs without a GPIO chip: water, gas, energy, a rate, a button; unknown or unavailable, not wrong")
    def inputs():
        entities = home.entities("shed")
        found = {id: (entities.get(id, {}).get("attributes", {}).get("device_class"),
                      entities.get(id, {}).get("attributes", {}).get("unit_of_measurement"),
                      entities.get(id, {}).get("attributes", {}).get("state_class"))
                 for id in ("water", "water/rate", "gas", "meter", "meter/rate", "door", "button")}
        wanted = {
            "water": ("water", "L", "total_increasing"), "water/rate": ("volume_flow_rate", "L/min", "measurement"),
            "gas": ("gas", "m³", "total_increasing"), "meter": ("energy", "kWh", "total_increasing"),
            "meter/rate": ("power", "kW", "measurement"), "door": ("door", None, None),
            "button": ("button", None, None)}
        different = {id: (found[id], wanted[id]) for id in wanted if found[id] != wanted[id]}
        assert not different, f"found, wanted: {different}"
        states = {id: entities[id]["state"] for id in wanted}
        assert set(states.values()) <= {"unknown", "unavailable"}, states
        return ", ".join(f"{id} {state}" for id, state in states.items())

    @check("the device page: name, maker, model, serial number, MAC, version, area")
    def page():
        device = home.devices()["shed"]
        found = {key: device.get(key) for key in ("name", "manufacturer", "model", "serial_number", "sw_version")}
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        wanted = {"name": "Garden shed", "manufacturer": "Raspberry Pi", "model": "Raspberry Pi 4 Model B Rev 1.4",
                  "serial_number": shed.tree.read("/proc/device-tree/serial-number").rstrip("\0"), "sw_version": shown}
        assert found == wanted, f"{found}, not {wanted}"
        mac = shed.tree.read("/sys/class/net/eth0/address").strip()
        assert ["mac", mac] in device["connections"], device["connections"]
        assert device["area_id"] == "garden", device["area_id"]

    @check("the device page has a link for support")
    def support():
        origin = description(shed)["o"]
        assert origin.get("url") or origin.get("support_url"), f"the origin is {origin}"

    @check("diagnostics: connected, with reason and since; how the agent is doing")
    def diagnostics():
        # The one that is not about a reading has no unit of its own to check.
        expected = {
            "limpet/connection": readings.Expected("on", None, "connectivity", None, "binary_sensor"),
            "limpet/uptime": readings.Expected("*", "s", "duration"), "limpet/waiting": readings.Expected("*"),
            "limpet/dropped": readings.Expected("0"), "limpet/losses": readings.Expected("0"),
            "limpet/memory": readings.Expected("*", "B", "data_size")}
        settled("shed", expected)
        entities = home.entities("shed")
        assert all(entities[id]["entity_category"] == "diagnostic" for id in expected), entities
        attributes = entities["limpet/connection"]["attributes"]
        assert attributes.get("event") == "birth" and attributes.get("since") and attributes.get("reason"), attributes

    @check("outputs: a number, a light and a fan are off, and follow commands")
    def outputs():
        settled("shed", {
            "strip": readings.Expected("0", "%", None, None, "number"),
            "lamp": readings.Expected("off", None, None, None, "light"),
            "cooling": readings.Expected("off", None, None, None, "fan")})
        ids = {id: one["entity_id"] for id, one in home.entities("shed").items()}
        def is_driven(file, content, id, state):
            def look():
                assert shed.tree.read(file).strip() == content, f"{file} is {shed.tree.read(file).strip()}"
                found = home.entities("shed")[id]["state"]
                assert readings.is_same(found, state), f"{id} is {found}"
                return True
            wait(f"{id} {state}", look)
        strip, lamp = "/sys/class/leds/strip/brightness", "/sys/class/leds/lamp/brightness"
        home.call("number.set_value", ids["strip"], value=40)
        is_driven(strip, "40", "strip", "40")
        home.call("light.turn_on", ids["lamp"], brightness=255)
        is_driven(lamp, "255", "lamp", "on")
        home.call("light.turn_on", ids["lamp"], brightness=51)
        is_driven(lamp, "51", "lamp", "on")
        wait("brightness 51", lambda: home.entities("shed")["lamp"]["attributes"].get("brightness") == 51)
        home.call("light.turn_off", ids["lamp"])
        is_driven(lamp, "0", "lamp", "off")
        home.call("fan.set_percentage", ids["cooling"], percentage=100)
        is_driven("/sys/class/hwmon/hwmon1/pwm1", "255", "cooling", "on")
        home.call("fan.turn_off", ids["cooling"])
        is_driven("/sys/class/hwmon/hwmon1/pwm1", "0", "cooling", "off")

    @check("a reading that goes bad is unknown, with the reason; one that comes back has its value")
    def bad():
        shed.tree.write("/run/fast", "seven\n")
        wait("unknown", lambda: home.entities("shed")["fast"]["state"] == "unknown")
        attributes = home.entities("shed")["fast"]["attributes"]
        assert attributes.get("quality") == "bad" and attributes.get("error"), attributes
        shed.tree.write("/run/fast", "8\n")
        settled("shed", {"fast": readings.Expected("8")})
        return attributes["error"]

    # Two boards whose ids differ by what a discovery topic cannot have.
    twins = [new_board(id, [readings.SOURCES["system"][0][0]]) for id in ("cd.e", "cd_e")]

    @check("H5: boards cd.e and cd_e are two devices, each with its entities")
    def two_boards():
        for board in twins:
            board.start()
        for board in twins:
            settled(board.device, {"s_load": readings.Expected("0.25")})
        devices = home.devices()
        assert devices["cd.e"]["id"] != devices["cd_e"]["id"], "they are one device"
        found = {board.device: home.entities(board.device)["s_load"]["entity_id"] for board in twins}
        assert len(set(found.values())) == 2, found
        return ", ".join(found.values())

    @check("H5: one of them leaves, and the other stays")
    def one_leaves():
        twins[0].settings["homeassistant"] = "{enabled: false}"
        twins[0].reload()
        wait("cd.e has left", lambda: not home.entities("cd.e"))
        settled("cd_e", {"s_load": readings.Expected("0.25")})
        twins[0].end()

    units = new_board("units", *unit_entries())

    @check("H6: every unit that limpet classes is taken, with its class")
    def every_unit():
        since = len(home.output())
        units.start()
        expected = {}
        for index, (unit, (device_class, _)) in enumerate(tables.MEASURED.items()):
            expected[f"m{index}"] = (device_class, "measurement")
        def look():
            entities = home.entities("units")
            wrong = []
            for id, (device_class, state_class) in expected.items():
                attributes = entities.get(id, {}).get("attributes", {})
                found = (attributes.get("device_class"), attributes.get("state_class"))
                if found != (device_class, state_class):
                    wrong.append(f"{id} ({UNIT_OF.get(id)}) has {found}")
                if entities.get(id, {}).get("state") in (None, "unknown", "unavailable"):
                    wrong.append(f"{id} ({UNIT_OF.get(id)}) is {entities.get(id, {}).get('state')}")
            assert not wrong, "; ".join(wrong[:6])
            return True
        wait("every unit", look)
        complaints = [line for line in home.problems(since) if not is_known_unit(line)]
        assert not complaints, complaints[:3]
        return f"{len(expected)} units"

    @check("H6: units of newer versions are named where people look, and are shown all the same")
    def new_units():
        manual = pathlib.Path("packaging/manuals/limpet-topics.7.md").read_text()
        said = r"[µμ]V, mW and mWh are units in Home Assistant since 2025\.1\.4"
        assert re.search(said, manual), "not in the manual"
        def look():
            entities = home.entities("units")
            for unit in {*tables.SINCE_2025} & {*tables.MEASURED}:
                entity = entities[next(id for id, one in UNIT_OF.items() if one == unit and id.startswith("m"))]
                assert readings.is_same(entity["state"], "42"), f"{unit}: {entity['state']}"
            return True
        wait("their values", look, 10)

    # Availability.

    @check("killed: unavailable, and the connection is off")
    def killed():
        begin = time.time()
        shed.end(signal.SIGKILL)
        end = all_are("shed", "unavailable")
        connection = all_are("shed", "off", ["limpet/connection"])
        all_are("shed", "unavailable", ["strip", "lamp", "cooling"])
        return f"after {max(end, connection) - begin:.1f} s"

    @check("H1: back after a kill: available, with values")
    def back():
        begin = time.time()
        shed.start()
        online = wait("online", lambda: [
            message for message in witness.since(begin, shed.topic("status")) if message[3] == "online"])[0][0]
        end = settled("shed")
        settled("shed", {"limpet/connection": readings.Expected("on", None, "connectivity", None, "binary_sensor")})
        return soon(online, end)

    @check("stopped: unavailable, the connection is off, and its attributes say why")
    def stopped():
        begin = time.time()
        shed.end()
        end = all_are("shed", "unavailable")
        all_are("shed", "off", ["limpet/connection"])
        def look():
            attributes = home.entities("shed")["limpet/connection"]["attributes"]
            assert attributes.get("event") == "stop" and attributes.get("reason"), attributes
            return attributes
        reason = wait("the attributes", look)["reason"]
        return f"after {end - begin:.1f} s, reason {reason}"

    @check("H1: started again: available, with values")
    def started():
        begin = time.time()
        shed.start()
        online = wait("online", lambda: [
            message for message in witness.since(begin, shed.topic("status")) if message[3] == "online"])[0][0]
        return soon(online, settled("shed"))

    @check("the broker restarts: all is there again")
    def broker_restart():
        broker.stop()
        all_are("shed", "unavailable")
        begin = time.time()
        broker.start()
        end = max(settled(device, limit=120) for device in ("shed", "plain"))
        return f"{end - begin:.1f} s after the broker's start"

    @check("H1: Home Assistant restarts: hourly and unchanged values are there")
    def restart():
        begin = restart_home()
        end = max(settled("shed"), settled("plain"), settled("cd_e", {"s_load": readings.Expected("0.25")}))
        told = max(live(board, begin, topics(readings.EXPECTED)) for board in (shed, plain))
        soon(begin, told, "telling again")
        return f"{soon(begin, end)} after its birth; told again after {told - begin:.1f} s"

    @check("H1: Home Assistant is killed and starts: the same")
    def crash():
        home.stop(signal.SIGKILL)
        begin = time.time()
        home.start()
        begin = birth(begin)
        home.wait_until_running()
        end = max(settled("shed"), settled("plain"))
        return f"{soon(begin, end)} after its birth"

    @check("H1: a reload that changes a description: the new one is shown, with all values")
    def reload():
        begin = time.time()
        index = next(index for index, one in enumerate(shed.sensors) if "name: h_temp1," in one)
        shed.sensors[index] = shed.sensors[index].replace("interval: 1h", "interval: 1h, title: Case inside")
        index = next(index for index, one in enumerate(shed.sensors) if "name: kept," in one)
        shed.sensors[index] = shed.sensors[index].replace("retain: true", "retain: true, title: Kept by the broker")
        said = shed.reload()
        wait("the new name", lambda: home.entities("shed")["h_temp1"]["attributes"].get(
            "friendly_name") == "Garden shed Case inside")
        kept = {"kept": readings.Expected("42", "lx", "illuminance")}
        end = settled("shed", {**readings.EXPECTED, **kept})
        told = live(shed, begin, topics(readings.EXPECTED) | {"kept"})
        return f"{soon(begin, max(end, told))}; limpet: {', '.join(said)}"

    @check("H1: a reload that changes a unit: the entity has it, and its value")
    def reload_unit():
        begin = time.time()
        index = next(index for index, one in enumerate(shed.sensors) if "name: f_level," in one)
        before = shed.sensors[index]
        shed.sensors[index] = before.replace("unit: mm", "unit: cm")
        shed.reload()
        end = settled("shed", {"f_level": readings.Expected("812", "cm", "distance")}
                      if old else {"f_level": readings.Expected("*", "cm", "distance")})
        shed.sensors[index] = before
        shed.reload()
        settled("shed", {"f_level": readings.Expected("812", "mm", "distance")})
        return soon(begin, end)

    @check("H1: switched off, all leaves; switched on, all is back with its values")
    def switched():
        shed.settings["homeassistant"] = "{enabled: false}"
        shed.reload()
        # What was never enabled Home Assistant keeps, for whoever enables it.
        wait("all has left", lambda: not {
            id for id, one in home.entities("shed").items() if one["disabled_by"] is None})
        begin = time.time()
        shed.settings["homeassistant"] = "{enabled: true, suggested_area: Garden}"
        shed.reload()
        return soon(begin, settled("shed"))

    @check("what leaves the configuration leaves Home Assistant")
    def removal():
        shed.sensors = [one for one in shed.sensors if "name: w_solar," not in one]
        shed.reload()
        def look():
            entities = home.entities("shed")
            assert "w_solar" not in entities, "w_solar is still there"
            return "w_tank" in entities
        wait("w_solar has left", look)
        rest = {id: one for id, one in readings.EXPECTED.items() if id != "w_solar"}
        settled("shed", rest)

    gone = {"w_solar", "w_tank", "h_both/temp1", "h_both/humidity1", "h_alarm", "strip", "door"}
    rest = {id: one for id, one in readings.EXPECTED.items() if id not in gone}
    final = {id: one for id, one in rest.items() if not id.startswith("p_both/")}

    def no_orphans(device, ids):
        def look():
            orphans = ids & set(home.entities(device))
            assert not orphans, f"orphans: {', '.join(sorted(orphans))}"
            return True
        wait("no orphans", look, 20)

    @check("H4: what leaves while Home Assistant is down has left when it is back, of every kind")
    def removal_unseen():
        def leave():
            def stays(entry):
                return not any(f"name: {name}," in entry for name in ("w_tank", "h_both", "h_alarm", "strip", "door"))
            shed.sensors = [one for one in shed.sensors if stays(one)]
            shed.inputs = [one for one in shed.inputs if stays(one)]
            shed.outputs = [one for one in shed.outputs if stays(one)]
            shed.reload()
        begin = restart_home(leave)
        no_orphans("shed", gone)
        end = settled("shed", rest)
        return f"{len(gone) - 1} entities; the values of the others after {end - begin:.1f} s"

    @check("H4: also where limpet itself was down meanwhile")
    def removal_restarted():
        def leave():
            for board in (shed, plain):
                board.end()
                board.sensors = [one for one in board.sensors if "name: p_both," not in one]
                begin = time.time()
                board.start()
                wait("it is described without", lambda: [
                    one for at, _, _, payload in witness.since(begin) if f'"limpet_{board.device}"' in payload
                    for one in [json.loads(payload)["cmps"]] if "p_capacity" in one and "p_both/capacity" not in one])
            # Once more: the process that took them away is not the one that Home Assistant meets.
            plain.end()
            plain.start()
        restart_home(leave)
        settled("shed", final)
        no_orphans("shed", {"p_both/capacity", "p_both/voltage_now"})

    @check("H4: also where limpet has been restarted since")
    def removal_restarted_twice():
        settled("plain", {id: one for id, one in readings.EXPECTED.items() if not id.startswith("p_both/")})
        no_orphans("plain", {"p_both/capacity", "p_both/voltage_now"})

    @check("H2: a broker that lost all: what is retained is there again, and the values are")
    def lost():
        def kept():
            return set(broker.retained("limpet/shed/#")) | set(broker.retained("homeassistant/device/limpet_shed/#"))
        before = kept()
        assert shed.topic("kept") in before, before
        broker.stop()
        broker.forget()
        begin = time.time()
        broker.start()
        def look():
            missing = before - kept()
            assert not missing, f"not retained: {', '.join(sorted(missing))}"
            return True
        wait("what was retained", look, 30)
        end = max(settled("shed", {**final, "kept": readings.Expected("42", "lx", "illuminance")}, 120),
                  settled("plain", {id: one for id, one in readings.EXPECTED.items() if id in final}, 120))
        return f"{len(before)} topics; values {end - begin:.1f} s after the broker's start"

    @check("H7: another prefix, with Home Assistant's birth where it is by default")
    def other_prefix():
        def move():
            home.set_prefix("home/assistant")
            shed.settings["homeassistant"] = "{enabled: true, prefix: home/assistant}"
            shed.reload()
            wait("it is described there", lambda: description(shed, "home/assistant"))
        begin = restart_home(move)
        end = settled("shed", final)
        kept = broker.retained("homeassistant/device/limpet_shed/config")
        assert not kept, f"the old description is still retained: {kept}"
        told = live(shed, begin, topics(final))
        soon(begin, told, "telling again")
        return f"{soon(begin, end)} after its birth"

    @check("Home Assistant's log has no warning and no error of mqtt")
    def log():
        found = home.problems()
        known = [line for line in found if is_known_unit(line)]
        found = [line for line in found if line not in known]
        # When triggers of a device leave, Home Assistant clears the topic itself, and complains of its own message.
        cleared = [client for client in re.findall(
            r"Received PUBLISH from (\S+) .*/config', \.\.\. \(0 bytes\)", broker.log())
            if client not in {board.device for board in boards}]
        complaints = [line for line in found if "No device components to cleanup" in line]
        if len(complaints) <= len(cleared):
            found = [line for line in found if line not in complaints]
        assert not found, f"{len(found)}: " + "; ".join(line[:600] for line in found[:4])
        return f"but for {len(known)} about units of newer versions" if known else ""

    @check("nothing went wrong at limpet: no error in its logs")
    def limpet_log():
        found = [line for board in boards for line in board.log().splitlines()
                 if re.search(r"\b(error|critical|fault)\b.*\b(discovery|homeassistant|Home Assistant)\b", line, re.I)]
        assert not found, found[:3]


def is_known_unit(line):
    """A warning of an old version about a unit that it does not know, as the manual says."""
    return old and any(f"'{unit}'" in line for unit in tables.SINCE_2025) and "unit" in line


# Beside the sources: what an entry can say of its entity, and what is looked at alone.
PRESENTED = [
    "{name: l_case, type: hwmon, chip: board, label: Case, interval: 1h}",
    "{name: l_five, type: hwmon, chip: board, label: Five volts, interval: 1h}",
    "{name: l_supply, type: iio, device: ads1015, label: supply, interval: 1h}",
    "{name: p_online, type: power_supply, supply: BAT0, property: online, interval: 1h}",
    "{name: p_present, type: power_supply, supply: BAT0, property: present, interval: 1h}",
    "{name: f_none, type: file, path: /run/text, text: true, interval: 1h}",
    "{name: front, type: file, path: /run/number, interval: 1h, title: Front door, "
    "homeassistant: {class: door, icon: 'mdi:door', category: diagnostic, as: binary_sensor}}",
    "{name: hidden, type: file, path: /run/number, interval: 1h, homeassistant: {enabled: false}}",
    "{name: precise, type: file, path: /run/number, unit: V, interval: 1h, homeassistant: {precision: 2}}",
    "{name: kept, type: file, path: /run/number, unit: lx, interval: 1h, retain: true}",
    "{name: fast, type: file, path: /run/fast, interval: 200ms}",
]
INPUTS = [
    "{name: water, line: GPIO4, mode: counter, scale: 0.5, unit: L}",
    "{name: gas, line: GPIO5, mode: counter, scale: 0.01, unit: m³}",
    "{name: meter, line: GPIO6, mode: counter, scale: 0.001, unit: kWh}",
    "{name: door, line: GPIO17, homeassistant: {class: door}}",
    "{name: button, line: GPIO18, mode: gesture}",
]
UNIT_OF = {}


def unit_entries():
    """A file for every unit that goes up and down, a counter for each that only goes up."""
    sensors, inputs = [], []
    for index, unit in enumerate(tables.MEASURED):
        UNIT_OF[f"m{index}"] = unit
        sensors.append(f'{{name: m{index}, type: file, path: /run/number, unit: "{unit}", interval: 1h}}')
    for index, unit in enumerate(tables.TOTALS):
        UNIT_OF[f"t{index}"] = unit
        inputs.append(f'{{name: t{index}, line: GPIO{index}, mode: counter, unit: "{unit}"}}')
    return sensors, inputs


def end():
    for board in boards:
        board.end(signal.SIGKILL)
    home.stop()
    witness.stop()
    broker.stop()


try:
    suite()
    for row in tables.rows(root, name, program, old, lambda: [
            one for board in boards for one in descriptions(board)]):
        check(row.__doc__)(row)
except Exception:
    failed += 1
    traceback.print_exc(file=sys.stdout)
finally:
    end()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
