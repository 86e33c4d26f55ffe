"""requirements.py DOMAIN...: what pip has to install so that Home Assistant can set these integrations up, and those
that it always does, without asking an index itself. Runs in the chroot, with the core that it is about.
"""

import json
import pathlib
import sys

import homeassistant
from homeassistant import bootstrap

components = pathlib.Path(homeassistant.__file__).parent / "components"
waiting = {*sys.argv[1:], *bootstrap.CORE_INTEGRATIONS, *bootstrap.DEFAULT_INTEGRATIONS}
seen, requirements = set(), set()
while waiting:
    domain = waiting.pop()
    seen.add(domain)
    try:
        manifest = json.loads((components / domain / "manifest.json").read_text())
    except FileNotFoundError:
        continue
    requirements.update(manifest.get("requirements", []))
    waiting |= {*manifest.get("dependencies", [])} - seen
print("\n".join(sorted(requirements)))
