"""What the rows of the suite share: one Home Assistant, one broker, the boards, and how to wait for them."""

import datetime
import json
import pathlib
import re
import sys
import time

import readings
import rows
import tables
from board import Board, Mosquitto, Witness
from home import PATIENCE, Home
from waiting import wait

program, root, name, version, protocol, folder = sys.argv[1:7]
folder = pathlib.Path(folder)
old = version.startswith("2024.")
# Values have to be there within this time (H1); Home Assistant itself takes about a second of it.
SOON = 5


def check(name):
    return rows.check(f"{version}: {name}")


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
    """Waits until limpet has published to each topic since a time, and says when it did to the last one."""
    def look():
        published = {topic: at for at, _, topic, _ in reversed(witness.since(since))}
        missing = [name for name in names if board.topic(name) not in published]
        assert not missing, f"not published again: {', '.join(missing[:6])}"
        return max(published[board.topic(name)] for name in names)
    return wait("every topic once more", look, 30)


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
    boards[id] = board
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


def is_known_unit(line):
    """A warning of an old version about a unit that it does not know, as the manual says."""
    return old and any(f"'{unit}'" in line for unit in tables.SINCE_2025) and "unit" in line


# By their ids.
boards = {}
broker = Mosquitto(folder / "broker")
witness = Witness(folder)
home = Home(root, name, folder / "home", protocol)
