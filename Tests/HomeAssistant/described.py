"""What Home Assistant shows of boards that it sees for the first time."""

import pathlib
import re
import subprocess
import time

import readings
import tables
from rows import tally
from scene import (
    birth, broker, check, description, home, is_known_unit, new_board, old, program, protocol, settled, soon, version,
    witness)
from waiting import wait


def rows():
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

    if tally["failed"]:
        raise AssertionError(home.output()[-3000:])

    # Every source, in both formats.
    shed = new_board(
        "shed", readings.SENSORS + readings.PRESENTED, readings.INPUTS, readings.OUTPUTS,
        device="{id: shed, name: Garden shed}",
        homeassistant="{enabled: true, suggested_area: Garden, support_url: 'https://wiki.example.com/boards'}",
        health="{interval: 2s}")
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

    @check("H8: a text that is None stays a text, in other letters, since that word is Home Assistant's for no value")
    def none_text():
        settled("shed", {"f_none": readings.text("none")}, 10)

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

    @check("the page for support is the one that the configuration names")
    def support():
        origin = description(shed)["o"]
        assert origin.get("url") == "https://wiki.example.com/boards", f"the origin is {origin}"
        assert home.devices()["shed"], "Home Assistant took no device with it"

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

    units = new_board("units", *readings.unit_entries(tables.MEASURED, tables.TOTALS))

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
                    wrong.append(f"{id} ({readings.UNIT_OF.get(id)}) has {found}")
                if entities.get(id, {}).get("state") in (None, "unknown", "unavailable"):
                    wrong.append(f"{id} ({readings.UNIT_OF.get(id)}) is {entities.get(id, {}).get('state')}")
            assert not wrong, "; ".join(wrong[:6])
            return True
        wait("every unit", look)
        complaints = [line for line in home.problems(since) if not is_known_unit(line)]
        assert not complaints, complaints[:3]
        return f"{len(expected)} units"

    @check("H6: units of newer versions are named where people look, and are shown all the same")
    def new_units():
        manual = pathlib.Path("packaging/manuals/limpet-topics.7.md").read_text()
        said = r"Home Assistant takes [µμ]V since 2024\.12, mWh since 2025\.1 and mW since 2025\.3"
        assert re.search(said, manual), "not in the manual"
        def look():
            entities = home.entities("units")
            for unit in {*tables.SINCE_2025} & {*tables.MEASURED}:
                entity = entities[f"m{[*tables.MEASURED].index(unit)}"]
                assert readings.is_same(entity["state"], "42"), f"{unit}: {entity['state']}"
            return True
        wait("their values", look, 10)
