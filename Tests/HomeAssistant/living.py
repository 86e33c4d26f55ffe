"""What Home Assistant shows when something ends, starts, is lost, or is configured anew."""

import json
import re
import signal
import time

import readings
from board import Line
from scene import (
    all_are, birth, boards, broker, check, description, home, is_known_unit, live, new_board, old, restart_home,
    settled, soon, topics, witness)
from waiting import wait


def rows():
    shed, plain = boards["shed"], boards["plain"]

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
        broker.end()
        all_are("shed", "unavailable")
        begin = time.time()
        broker.start()
        end = max(settled(device, limit=120) for device in ("shed", "plain"))
        return f"{end - begin:.1f} s after the broker's start"

    @check("readings of an outage come late, and take no value back")
    def backlog():
        far = new_board("far", ["{name: fast, type: file, path: /run/fast, interval: 200ms}"])
        line = Line(1884)
        far.port = line.port

        def measure(number):
            far.tree.write("/run/fast", f"{number}\n")
            def is_read():
                said = json.loads(far.run("status", "--json").stdout)["readings"]
                return [one for one in said if one["name"] == "fast" and one["value"] == number]
            wait(f"limpet has read {number}", is_read)

        far.start()
        settled("far", {"fast": readings.Expected("7")})
        states = home.states(home.entities("far")["fast"]["entity_id"])
        line.cut()
        all_are("far", "unavailable", ["fast"])
        for number in range(100, 105):
            measure(number)
        begin = time.time()
        line.mend()
        settled("far", {"fast": readings.Expected("104")})
        def published():
            return [json.loads(payload)["value"] for _, _, _, payload in witness.since(begin, far.topic("fast"))]
        wait("the backlog", lambda: {*range(100, 105)} <= {*published()})
        measure(105)
        settled("far", {"fast": readings.Expected("105")})
        shown = [float(state) for state in states if state not in ("unavailable", "unknown")]
        assert shown == sorted(shown), f"it showed {shown}; limpet published {published()}"
        far.end()
        return f"{len(published())} readings"

    @check("H1: Home Assistant restarts: hourly and unchanged values are there")
    def restart():
        begin = restart_home()
        end = max(settled("shed"), settled("plain"), settled("cd_e", {"s_load": readings.Expected("0.25")}))
        published = max(live(board, begin, topics(readings.EXPECTED)) for board in (shed, plain))
        soon(begin, published, "publishing again")
        return f"{soon(begin, end)} after its birth; published again after {published - begin:.1f} s"

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
        published = live(shed, begin, topics(readings.EXPECTED) | {"kept"})
        return f"{soon(begin, max(end, published))}; limpet: {', '.join(said)}"

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
        broker.end()
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
        published = live(shed, begin, topics(final))
        soon(begin, published, "publishing again")
        return f"{soon(begin, end)} after its birth"

    @check("Home Assistant's log has no warning and no error of mqtt")
    def log():
        found = home.problems()
        known = [line for line in found if is_known_unit(line)]
        found = [line for line in found if line not in known]
        # When triggers of a device leave, Home Assistant clears the topic itself, and complains of its own message.
        cleared = [client for client in re.findall(
            r"Received PUBLISH from (\S+) .*/config', \.\.\. \(0 bytes\)", broker.log())
            if client not in boards]
        complaints = [line for line in found if "No device components to cleanup" in line]
        if len(complaints) <= len(cleared):
            found = [line for line in found if line not in complaints]
        assert not found, f"{len(found)}: " + "; ".join(line[:600] for line in found[:4])
        return f"but for {len(known)} about units of newer versions" if known else ""

    @check("nothing went wrong at limpet: no error in its logs")
    def limpet_log():
        found = [line for board in boards.values() for line in board.log().splitlines()
                 if re.search(r"\b(error|critical|fault)\b.*\b(discovery|homeassistant|Home Assistant)\b", line, re.I)]
        assert not found, found[:3]
