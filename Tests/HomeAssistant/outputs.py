"""What Home Assistant makes of outputs: that each kind is made, switches, snaps back, and is unavailable."""

import time

import readings
import scene
from board import publish
from scene import home, is_known_unit, new_board, settled, witness
from waiting import wait

# Without GPIO: LEDs are driven as a relay is. The valve is a line, which nobody holds here.
OUTPUTS = [
    "{name: pump, type: led, led: pump, homeassistant: {as: switch}, interlock: [drain]}",
    "{name: drain, type: led, led: drain, homeassistant: {as: switch}}",
    "{name: lamp, type: led, led: lamp, homeassistant: {as: light}}",
    "{name: strip, type: led, led: strip, max: 80}",
    "{name: screen, type: backlight, backlight: panel}",
    "{name: cooling, type: fan, chip: pwmfan, channel: pwm1}",
    "{name: gate, type: led, led: gate, pulse: 1s}",
    "{name: water, line: GPIO24, homeassistant: {as: valve}}",
]
EXPECTED = {
    "pump": readings.Expected("off", None, None, None, "switch"),
    "drain": readings.Expected("off", None, None, None, "switch"),
    "lamp": readings.Expected("off", None, None, None, "light"),
    "strip": readings.Expected("0", "%", None, None, "number"),
    "screen": readings.Expected("0", "%", None, None, "number"),
    "cooling": readings.Expected("off", None, None, None, "fan"),
    "gate": readings.Expected("unknown", None, None, None, "button"),
    "gate/state": readings.Expected("off", None, None, None, "binary_sensor"),
    "water": readings.Expected("unavailable", None, None, None, "valve"),
}
# In both formats, since each has templates of its own.
FORMATS = ("json", "plain")


def rows():
    boards = {}
    for form in FORMATS:
        board = boards[form] = new_board(f"bench-{form}", [], outputs=OUTPUTS, format=form)
        for led in ("pump", "drain", "gate"):
            board.tree.files(f"/sys/class/leds/{led}", brightness=0, max_brightness=255)
        board.tree.files("/sys/class/backlight/panel", brightness=0, max_brightness=100)
    for board in boards.values():
        rows_of(board)
        board.end()


def rows_of(board):
    id = board.device

    def check(name):
        return scene.check(f"outputs, format {board.settings['format']}: {name}")

    def entity(name):
        return home.entities(id)[name]

    def call(service, name, **data):
        home.call(service, entity(name)["entity_id"], **data)

    def led(name):
        return board.tree.read(f"/sys/class/leds/{name}/brightness").strip()

    def is_so(name, state, file=None, content=None):
        def look():
            found = entity(name)["state"]
            assert readings.is_same(found, state), f"it is {found}"
            assert file is None or board.tree.read(file).strip() == content, f"{file} is {board.tree.read(file)}"
            return True
        wait(f"{name} {state}", look)

    @check("switch, light, number, fan, button and valve are made, without a warning")
    def made():
        since = len(home.output())
        board.start()
        settled(id, EXPECTED)
        complaints = [line for line in home.problems(since) if not is_known_unit(line)]
        assert not complaints, complaints[:3]
        return f"{len(EXPECTED)} entities"

    @check("a switch switches")
    def switches():
        for service, state, content in (("turn_on", "on", "255"), ("turn_off", "off", "0"), ("toggle", "on", "255")):
            call(f"switch.{service}", "pump")
            is_so("pump", state, "/sys/class/leds/pump/brightness", content)

    @check("a switch that limpet refuses snaps back: it was never on")
    def snaps_back():
        # The pump is on, and excludes it.
        states = home.states(entity("drain")["entity_id"])
        begin = time.time()
        call("switch.turn_on", "drain")
        wait("the state once more", lambda: witness.since(begin, board.topic("drain")))
        call("switch.turn_off", "pump")
        is_so("pump", "off")
        assert entity("drain")["state"] == "off" and "on" not in states, (entity("drain")["state"], states)
        assert led("drain") == "0", led("drain")
        call("switch.turn_on", "drain")
        is_so("drain", "on", "/sys/class/leds/drain/brightness", "255")
        call("switch.turn_off", "drain")
        is_so("drain", "off")

    @check("light, number and fan take values, and their bounds are those of the output")
    def values():
        call("light.turn_on", "lamp", brightness=128)
        is_so("lamp", "on", "/sys/class/leds/lamp/brightness", "128")
        call("number.set_value", "strip", value=35)
        is_so("strip", "35", "/sys/class/leds/strip/brightness", "35")
        bounds = entity("strip")["attributes"]
        assert (bounds["min"], bounds["max"]) == (0, 80), bounds
        call("number.set_value", "screen", value=100)
        is_so("screen", "100", "/sys/class/backlight/panel/brightness", "100")
        call("fan.set_percentage", "cooling", percentage=40)
        is_so("cooling", "on", "/sys/class/hwmon/hwmon1/pwm1", "102")
        wait("its percentage", lambda: entity("cooling")["attributes"].get("percentage") == 40)
        for service, name in (("light.turn_off", "lamp"), ("fan.turn_off", "cooling")):
            call(service, name)
            is_so(name, "off")

    @check("a button presses: its state goes on and off by itself")
    def presses():
        states = home.states(entity("gate/state")["entity_id"])
        call("button.press", "gate")
        wait("on, then off", lambda: [state for state in states if state in ("on", "off")] == ["on", "off"])
        assert led("gate") == "0", led("gate")

    @check("an output whose device is gone is unavailable, not off; when it is back it is as `start` says")
    def gone():
        call("switch.turn_on", "pump")
        is_so("pump", "on")
        folder, away = (board.tree.folder / "sys" / place for place in ("class/leds/pump", "pump-away"))
        folder.rename(away)
        is_so("pump", "unavailable")
        assert entity("drain")["state"] == "off", "another output is not concerned"
        # A device that comes back is another folder of the kernel's.
        board.tree.files("/sys/class/leds/pump", brightness=0, max_brightness=255)
        is_so("pump", "off")
        call("switch.turn_on", "pump")
        is_so("pump", "on", "/sys/class/leds/pump/brightness", "255")
        call("switch.turn_off", "pump")
        is_so("pump", "off")

    @check("a valve opens and closes by what limpet publishes; one that is not held goes back to unavailable")
    def valve():
        published = '{"value":%s,"cause":"command","seq":1}' if board.settings["format"] == "json" else "%s"

        def shows(value, state):
            # limpet, which knows better, may publish that it does not hold the line.
            publish(board.topic("water"), published % value)
            return entity("water")["state"] == state
        for value, state in (("true", "open"), ("false", "closed"), ("true", "open")):
            wait(f"water {state}", lambda value=value, state=state: shows(value, state), pause=0.5)
        begin = time.time()

        def closes():
            if shows("true", "open"):
                call("valve.close_valve", "water")
            return [one for one in witness.since(begin, board.topic("water/set")) if one[3] == "off"]
        wait("the command", closes, pause=0.5)
        is_so("water", "unavailable")

    @check("stopped: all are unavailable")
    def stopped():
        board.end()
        scene.all_are(id, "unavailable", EXPECTED)
