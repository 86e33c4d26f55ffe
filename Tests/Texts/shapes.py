"""What a page shows of a payload, beside what the program publishes: the same members in the same order, of the same
types, and the same values where they follow from what the page says goes in."""

import json
import re


def recipes(page="README.md"):
    """Of each recipe, by the first word of its title: its YAML, and the text of its result."""
    section = re.search(r"^## Four recipes\n(.*?)^## ", read(page), re.MULTILINE | re.DOTALL)[1]
    found = {}
    for part in re.split(r"^An? \*\*", section, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("**")
        block = re.search(r"^```yaml\n(.*?)^```\n(.*)", rest, re.MULTILINE | re.DOTALL)
        found[title.split()[0]] = block[1], block[2]
    assert list(found) == ["door", "DS18B20", "water", "relay"], f"{page} has the recipes {list(found)}"
    return found


def read(page):
    with open(page) as file:
        return file.read()


def code(text):
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def payloads(text):
    return [one for one in code(text) if one.startswith("{")]


def blocks(page, title):
    """The payloads of a chapter of a manual that are blocks of their own."""
    chapter = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## )", read(page), re.MULTILINE | re.DOTALL)[1]
    return re.findall(r"^```json\n(.*?)\n```", chapter, re.MULTILINE | re.DOTALL)


def members(text):
    """An ellipsis is a value that is left out, at the end any number of members."""
    text = re.sub(r",…\}$", ',"…":"…"}', text).replace(":…", ':"…"')
    return json.loads(text, object_pairs_hook=lambda pairs: pairs)


def kind(value):
    if isinstance(value, list):
        return {name: kind(one) for name, one in value}
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, (int, float)) else "text"


def look(shown, published, same=(), either=(), is_part=False):
    """same: members whose values are equal; either: those that may be null in one and not in the other; is_part: there
    are more members than those that are shown."""
    both = f"shown {shown}, published {published}"
    wanted, found = members(shown), members(published)
    if "time_uncertain" not in dict(wanted):
        # That depends on the clock of this machine.
        found = [member for member in found if member[0] != "time_uncertain"]
    names = [name for name, _ in wanted]
    if is_part:
        found = [member for member in found if member[0] in names]
    if names[-1] == "…":
        wanted.pop()
        names.pop()
        found = found[:len(names)]
    assert names == [name for name, _ in found], f"other members: {both}"
    for (name, one), (_, other) in zip(wanted, found):
        if one == "…" or (name in either and None in (one, other)):
            continue
        assert kind(one) == kind(other), f"{name} is of another type: {both}"
        if name in ("time", "since"):
            assert re.sub(r"\d", "0", one) == re.sub(r"\d", "0", other), f"{name} is written differently: {both}"
        assert name not in same or one == other, f"{name} has another value: {both}"
    assert not set(same) - set(names), f"no {set(same) - set(names)} in {shown}"
