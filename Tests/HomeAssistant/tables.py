"""limpet's tables of classes and units against Home Assistant's own."""

import json
import pathlib
import re
import shutil
import subprocess

source = pathlib.Path("Sources/Planning/HomeAssistantClass.swift").read_text()


def spelled(unit):
    """One of the two characters for micro, as Home Assistant makes it of what comes by MQTT."""
    return unit.replace("\u03bc", "\u00b5")


def table(name):
    """By unit: the class, and where it stands."""
    body = re.search(rf"static let {name} = table\(\[(.*?)\n  \]\)", source, re.S)[1]
    return {
        spelled(unit): (device_class, name) for device_class, units in re.findall(r'\("(\w+)", \[(.*?)\]\)', body)
        for unit in re.findall(r'"(.*?)"', units)}


MEASURED = table("measured")
TOTALS = table("totals")
# As limpet-topics(7) says.
SINCE_2025 = (spelled("µV"), "mW", "mWh")


def rows(root, name, program, old, descriptions):
    """Checks, with their names as documentation. descriptions: gives all that were seen."""
    text = subprocess.run(
        [shutil.which("chroot"), root, f"/core/{name}/bin/python", "-"], capture_output=True, text=True, check=True,
        input=(pathlib.Path(__file__).parent / "classes.py").read_text(),
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp"}).stdout
    known = json.loads(text.splitlines()[-1])
    units = {name: {spelled(unit) for unit in units} for name, units in known["units"].items()}

    def flaws(device_class, unit, state_class):
        if device_class not in known["sensor"]:
            return "is no class"
        if unit not in units.get(device_class, {""}) and not (old and unit in SINCE_2025):
            return f"has no unit {unit!r}"
        if state_class and state_class not in known["states"].get(device_class, ["measurement"]):
            return f"is not {state_class}"
        return None

    def classes():
        """tables: each of limpet's classes and units is one there"""
        wrong = []
        for unit, (device_class, _) in MEASURED.items():
            wrong.append((device_class, unit, flaws(device_class, "%" if unit == "%RH" else unit, "measurement")))
        for unit, (device_class, _) in TOTALS.items():
            wrong.append((device_class, unit, flaws(device_class, unit, "total_increasing")))
        wrong = [" ".join(map(str, one)) for one in wrong if one[2]]
        assert not wrong, "; ".join(wrong)
        return f"{len(MEASURED)} units measured, {len(TOTALS)} counted"

    def described():
        """tables: so is each that limpet has described"""
        wrong, seen = [], set()
        for description in descriptions():
            for id, one in description["cmps"].items():
                device_class, platform = one.get("dev_cla"), one["p"]
                if one.get("ent_cat", "diagnostic") not in known["categories"]:
                    wrong.append(f"{id}: category {one['ent_cat']}")
                if device_class is None or (id, json.dumps(one)) in seen:
                    continue
                seen.add((id, json.dumps(one)))
                if platform == "sensor":
                    flaw = flaws(device_class, one.get("unit_of_meas", ""), one.get("stat_cla"))
                    if flaw:
                        wrong.append(f"{id}: {device_class} {flaw}")
                elif device_class not in known.get(platform, [device_class]):
                    wrong.append(f"{id}: {device_class} is no class of {platform}")
        assert not wrong, "; ".join(wrong)
        return f"{len(seen)} entities with a class"

    def choices():
        """tables: each class that a configuration may name is one there, and each there may be named"""
        schema = json.loads(subprocess.run([program, "schema"], capture_output=True, text=True, check=True).stdout)
        named = next(one for one in enums(schema) if "garage_door" in one)
        all_of_them = {*known["sensor"], *known["binary_sensor"], *known["event"]}
        extra = set(named) - all_of_them - {"none"}
        missing = all_of_them - set(named)
        # An old version does not have them all, and the newest may be named where it has more.
        wrong = ([] if old else [f"not there: {', '.join(sorted(extra))}"] if extra else []) + (
            [f"not to be named: {', '.join(sorted(missing))}"] if missing else [])
        assert not wrong, "; ".join(wrong)
        return f"{len(all_of_them)} classes" + (f", {len(extra)} of newer versions" if extra else "")

    return classes, described, choices


def enums(value):
    if isinstance(value, dict):
        if isinstance(value.get("enum"), list):
            yield value["enum"]
        for one in value.values():
            yield from enums(one)
    elif isinstance(value, list):
        for one in value:
            yield from enums(one)
