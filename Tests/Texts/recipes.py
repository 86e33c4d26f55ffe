"""recipes.py PROGRAM FOLDER: the README's recipes and the payloads of the manuals, as the program itself publishes them
of a board that is a folder. With gpio behind it: those that need lines, on gpio-sim in the guest of Tests/Hardware/vm.

The last line is "N passed, N failed". The recipes are taken from the README as they are; only their times are shorter.
"""

import contextlib
import datetime
import json
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent / "Python"))
from mqtt import Client, retained
from processes import Broker, Process, stop_all
from rows import check, finish
from shapes import blocks, code, look, payloads, read, recipes
from tree import Tree
from waiting import wait

program, folder = str(pathlib.Path(sys.argv[1]).absolute()), pathlib.Path(sys.argv[2]).absolute()
has_gpio = sys.argv[3:] == ["gpio"]
MANUALS = "packaging/manuals/"
# As the pages write it.
DEVICE = "DEVICE"


class Agent(Process):
    """limpet with these entries, and what a subscriber hears of it."""

    def __init__(self, name, entries, root="/", keepalive="30s"):
        self.place = folder / name
        self.place.mkdir(parents=True)
        path = self.place / "limpet.yaml"
        path.write_text(f"device: {{id: {DEVICE}, name: Greenhouse 3}}\nbroker: {{url: 'mqtt://127.0.0.1:{broker.port}', keepalive: {keepalive}}}\n"
                        f"storage: {{path: {self.place}/storage}}\n{entries}")
        super().__init__("limpet", self.place, [program, "run", "--root", root, "--config", path])
        self.path = path
        self.witness = Client(broker.port, f"witness-{name}")
        assert self.witness.subscribe("limpet/#") == [1]

    def start(self):
        super().start()
        wait("online", lambda: "online" in self.heard("status")[-1:])

    def heard(self, name):
        """The payloads of a topic, without what the broker had kept."""
        return [message.payload for message in list(self.witness.messages)
                if message.topic == f"limpet/{DEVICE}/{name}" and not message.is_retained]

    def readings(self, name):
        return [json.loads(payload) for payload in self.heard(name)]

    def values(self, name):
        return [reading["value"] for reading in self.readings(name)]

    def last(self, name, value=None):
        """The newest payload, once it has this value."""
        def is_there():
            payload = self.heard(name)[-1]
            assert value is None or json.loads(payload)["value"] == value, payload
            return payload
        return wait(f"{name} {'' if value is None else value}", is_there, 60)

    def ask(self, *arguments):
        return subprocess.run([program, *arguments, "--config", self.path], capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def running(*arguments, **options):
    """An agent that is gone afterwards, with what the broker keeps of it."""
    agent = Agent(*arguments, **options)
    try:
        agent.start()
        yield agent
    except AssertionError as error:
        raise AssertionError(f"{error}; its log: {agent.tail()}") from error
    finally:
        agent.end()
        agent.witness.close()
        broker.end()
        broker.start()


def shorter(entries, **times):
    """The same with other times, each in the place of one that is there."""
    for key, value in times.items():
        entries, count = re.subn(rf"\b{key}: \w+", f"{key}: {value}", entries)
        assert count == 1, f"{count} times {key} in {entries}"
    return entries


def topics(text):
    """Those that a result names, without what all have in common."""
    return [one.removeprefix(f"limpet/{DEVICE}/") for one in code(text) if one.startswith(f"limpet/{DEVICE}/")]


def accepted():
    for title, (entries, _) in written.items():
        path = folder / "recipe.yaml"
        path.write_text("broker: {url: mqtt://localhost}\n" + entries)
        outcome = subprocess.run([program, "check", "--offline", "--config", path], capture_output=True, text=True)
        assert outcome.returncode == 0, f"{title}: {outcome.stdout}{outcome.stderr}"
    return f"{len(written)} recipes"


# What needs no kernel


def thermometer():
    """A thermometer: each change by 0.1 °C, none that is smaller, and one more after max_age."""
    entries, result = written["DS18B20"]
    id = re.search(r"id: ([\w-]+)", entries)[1]
    tree = Tree(folder / "board")
    path = f"/sys/devices/w1_bus_master1/{id}/temperature"
    tree.write(path, "21500\n")
    tree.link(f"/sys/bus/w1/devices/{id}", f"../../../devices/w1_bus_master1/{id}")
    (name,), (payload,) = topics(result), payloads(result)
    with running("thermometer", shorter(entries, interval="100ms", max_age="3s"), tree.folder) as agent:
        look(payload, agent.last(name, 21.5), ["value", "unit"])
        look(blocks(MANUALS + "limpet-topics.7.md", "Readings")[0], agent.last(name, 21.5), ["value", "unit"])
        tree.write(path, "21550\n")
        # Longer than max_age: only then is it there.
        wait("21.55 after max_age", lambda: 21.55 in agent.values(name))
        first, second = [reading["time"] for reading in agent.readings(name)][-2:]
        between = datetime.datetime.fromisoformat(second) - datetime.datetime.fromisoformat(first)
        assert between.total_seconds() > 2.5, f"a change by 0.05 °C was published: {first} {second}"
        tree.write(path, "21650\n")
        wait("21.65", lambda: 21.65 in agent.values(name))
    return payload


def channels():
    """Several channels of one device."""
    tree = Tree(folder / "board")
    tree.files("/sys/class/hwmon/hwmon0", name="board", temp1_input=21500, humidity1_input=45300)
    entries = "sensors:\n  - {name: air, type: hwmon, chip: board, channels: [temp1, humidity1], interval: 1s}\n"
    with running("channels", entries, tree.folder) as agent:
        look(blocks(MANUALS + "limpet-topics.7.md", "Readings")[1], agent.last("air"), ["values", "units"])


def presence():
    """A birth, the health reading, and what `limpet watch` says of a crash."""
    tree = Tree(folder / "board")
    entries = "health: {interval: 1s}\n"
    birth, = blocks(MANUALS + "limpet-topics.7.md", "Presence")
    health, = blocks(MANUALS + "limpet-topics.7.md", "Health")
    line, = blocks(MANUALS + "limpet.1.md", "Watching a fleet")
    with running("presence", entries, tree.folder) as agent:
        # README, "A status that you can act on": 51 s.
        first = wait("a birth", lambda: agent.heard("presence"))[0]
        look(birth, first, ["event", "reason", "detect_within", "name"], ["conflict"])
        look(health, wait("a health reading", lambda: agent.heard("health"))[0], is_part=True)
        watch = Process("watch", agent.place, [
            program, "watch", "--url", f"mqtt://127.0.0.1:{broker.port}", "--json"])
        watch.start()
        wait("the retained status", lambda: '"state":"online"' in watch.log())
        agent.end(signal.SIGKILL)
        last = wait("its end", lambda: [one for one in watch.log().splitlines() if '"ended":"lost"' in one])[-1]
        watch.end()
        look(line, last, ["state", "previous", "reason", "ended", "retained"], ["conflict"])


def status():
    """What `limpet status` prints after the installation."""
    tree = Tree(folder / "board")
    shown = re.search(
        r"`limpet status` prints, among others:\n\n```text\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)[1]
    degrees, memory = re.search(r" ([\d.]+) °C ", shown)[1], re.search(r" ([\d.]+) GB ", shown)[1]
    tree.write("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    tree.write("/sys/class/thermal/thermal_zone0/temp", f"{round(float(degrees) * 1000)}\n")
    tree.write("/proc/meminfo", f"MemTotal: 8000000 kB\nMemAvailable: {round(float(memory) * 1e9) // 1024} kB\n")
    entries = ("sensors:\n  - {name: cpu_temperature, type: thermal, zone: cpu-thermal}\n"
               "  - {name: memory_available, type: system, value: memory_available}\n")

    def plain(text):
        """Without what differs from call to call: times, numbers of readings, the broker's address, the terminal's width."""
        text = re.sub(r"mqtt://\S+", "URL", " ".join(text.split()))
        return re.sub(r"\bfor [\d.]+ m?s,|\b[\d.]+ m?s \d+", "N", text)
    with running("status", entries, tree.folder) as agent:
        agent.last("memory_available")
        wait("the lines that the README shows", lambda: agent.ask("status").stdout.count("good") == 2)
        printed = agent.ask("status").stdout
        page, = re.findall(r"^\$ limpet status\n(.*?)^READING", read(MANUALS + "limpet.1.md"), re.MULTILINE | re.DOTALL)
        # There has been no error here.
        parts, wanted = ([one for one in re.findall(r"^(\w+(?: \w+)?)  ", text, re.MULTILINE) if one != "last error"]
                         for text in (printed.partition("READING")[0], page))
        assert parts == wanted, f"the manual has {wanted}, limpet prints {parts}"
        # Among others.
        missing = [line for line in shown.splitlines() if plain(line) not in plain(printed)]
        assert not missing, f"no {missing} in {printed}"


def without_gpio():
    check("each recipe is a configuration")(accepted)
    for row in (thermometer, channels, presence, status):
        check(row.__doc__.rstrip("."))(row)


# What needs lines


class Lines:
    """A chip of gpio-sim whose lines have the names that the recipes use."""

    def __init__(self, names):
        chip = pathlib.Path("/sys/kernel/config/gpio-sim/recipes")
        bank = chip / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text("28")
        for name in names:
            line = bank / f"line{self.offset(name)}"
            line.mkdir()
            (line / "name").write_text(name)
        (chip / "live").write_text("1")
        self.folder = pathlib.Path("/sys/devices/platform") / (chip / "dev_name").read_text().strip() / (
            bank / "chip_name").read_text().strip()

    @staticmethod
    def offset(name):
        return int(name.removeprefix("GPIO"))

    def pull(self, name, is_up):
        (self.folder / f"sim_gpio{self.offset(name)}" / "pull").write_text("pull-up" if is_up else "pull-down")

    def level(self, name):
        return (self.folder / f"sim_gpio{self.offset(name)}" / "value").read_text().strip()

    def press(self, name, seconds=0.1):
        self.pull(name, False)
        time.sleep(seconds)
        self.pull(name, True)
        time.sleep(0.1)


def line(name):
    """The line that a recipe gives to a name."""
    return re.search(rf"name: {name}, line: (\w+)", "".join(entries for entries, _ in written.values()))[1]


def door():
    """A door contact and a button."""
    entries, result = written["door"]
    name, other = topics(result)
    with running("door", entries) as agent:
        agent.last(name, False)
        lines.pull(line(name), False)
        payload = agent.last(name, True)
        look(payloads(result)[0], payload, ["value"])
        assert re.search(r"\.\d{6}Z\"", payload), f"no six decimals: {payload}"
        kept = wait("the broker keeps it", lambda: retained(broker.port, [f"limpet/{DEVICE}/{name}"], count=1))
        assert kept == {f"limpet/{DEVICE}/{name}": payload}, kept
        words = [one for one in code(result) if one.isalpha()]
        assert words == ["single", "double", "long"], words
        for count, presses in enumerate([[0.1], [0.1, 0.1], [1.2]], 1):
            for seconds in presses:
                lines.press(line(other), seconds)
            wait(f"press {count}", lambda: len(agent.values(other)) == count)
        assert agent.values(other) == words, agent.values(other)
    return ", ".join(words)


def water():
    """A water meter, whose total survives a restart."""
    entries, result = written["water"]
    (name,), (payload,) = topics(result), payloads(result)
    scale = float(re.search(r"scale: ([\d.]+)", entries)[1])
    with running("water", shorter(entries, interval="500ms")) as agent:
        agent.last(name, 0)
        for _ in range(5):
            lines.press(line(name), 0.05)
        look(payload, agent.last(name, 5 * scale), ["unit"])
        assert any(reading["rate"] > 0 for reading in agent.readings(name)), agent.heard(name)
        agent.end()
        before = len(agent.heard(name))
        agent.start()
        wait("a reading of the new process", lambda: len(agent.heard(name)) > before)
        lines.press(line(name), 0.05)
        agent.last(name, 6 * scale)
        assert min(agent.values(name)[before:]) >= 5 * scale, agent.values(name)
    return f"{6 * scale} L"


def relay():
    """A relay: refused, on by either way, and off again by itself."""
    entries, result = written["relay"]
    (command, name), (payload,) = topics(result), payloads(result)
    answers = blocks(MANUALS + "limpet-outputs.7.md", "Commands")
    state, = blocks(MANUALS + "limpet-outputs.7.md", "States")
    assert "limpet set pump on" in code(result), result

    def request():
        return subprocess.run(
            ["mosquitto_rr", "-p", str(broker.port), "-V", "5", "-q", "1", "-W", "20", "-t", f"limpet/{DEVICE}/{command}",
             "-e", "answers/1", "-m", "on"], capture_output=True, text=True).stdout.strip()
    with running("relay", shorter(entries, max_on="3s")) as agent:
        look(answers[1], request(), ["ok", "error", "value"])
        accepted = wait("it may go on", lambda: one if '"ok":true' in (one := request()) else None, pause=0.5)
        look(answers[0], accepted, ["ok", "value"])
        for page in (state, payload):
            look(page, agent.last(name, True), ["value", "cause"])
        assert lines.level(line(name)) == "1"
        agent.last(name, False)
        causes = [reading["cause"] for reading in agent.readings(name)]
        assert causes[-1] == "max_on" and lines.level(line(name)) == "0", causes
        wait("limpet set pump on", lambda: agent.ask("set", "pump", "on").returncode == 0)
        look(state, agent.last(name, True), ["value", "cause"])


def silence():
    """A relay whose broker falls silent: off, with the reason once the broker is back."""
    entries, result = written["relay"]
    _, name = topics(result)
    # The keepalive is shorter too, since `after` must be 1.5 × keepalive + 6 s or longer.
    with running("silence", shorter(entries, after="10s"), keepalive="2s") as agent:
        wait("limpet set pump on", lambda: agent.ask("set", name, "on").returncode == 0, pause=0.5)
        agent.last(name, True)
        broker.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            wait("the line is off", lambda: lines.level(line(name)) == "0")
            took = time.monotonic() - began
        finally:
            broker.process.send_signal(signal.SIGCONT)
        # What the broker sent last may be a keepalive old.
        assert took > 6, f"after {took:.1f} s"
        agent.last(name, False)
        wait("its cause", lambda: agent.readings(name)[-1]["cause"] == "lost")
    return f"after {took:.1f} s"


def modes():
    """The further members of inputs that count or are pressed."""
    entries = "".join(f"  - {{name: {mode}, line: {place}, pull: up, active_low: true, mode: {mode}{more}}}\n" for
                      mode, place, more in (("event", "GPIO17", ""), ("counter", "GPIO22", ", interval: 500ms"),
                                            ("gesture", "GPIO4", "")))
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", read(MANUALS + "limpet-topics.7.md"), re.MULTILINE)
    table = {mode: code(text) for mode, text in rows}
    with running("modes", "inputs:\n" + entries) as agent:
        agent.last("counter", 0)
        for place in ("GPIO17", "GPIO22"):
            lines.press(place)
        for _ in range(2):
            lines.press("GPIO4")
        assert table["event"][0] in agent.heard("event")[0], agent.heard("event")
        wait("the other edge", lambda: table["event"][1] in agent.heard("event")[1])
        assert set(table["counter"]) <= set(json.loads(agent.last("counter", 1))), agent.heard("counter")
        assert table["gesture"][0] in agent.last("gesture"), agent.heard("gesture")


def with_gpio():
    for row in (door, water, relay, silence, modes):
        check(row.__doc__.rstrip("."))(row)


written = recipes()
folder.mkdir(parents=True, exist_ok=True)
broker = Broker(folder / "broker")
try:
    broker.start()
    if has_gpio:
        lines = Lines(re.findall(r"line: (GPIO\d+)", "".join(entries for entries, _ in written.values())))
        with_gpio()
    else:
        without_gpio()
finally:
    stop_all()
finish()
