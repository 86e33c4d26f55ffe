"""picture.py PROGRAM ROOT NAME FOLDER PICTURE: Home Assistant's page of a device that has just been plugged in.

ROOT, NAME and FOLDER are those of homeassistant.py. The board has no GPIO: its door and its water meter are files and its
pump is an LED, each with the class that the README's recipes have.
"""

import json
import pathlib
import signal
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent / "Python"))
from board import Board, Mosquitto, publish
from browser import Browser
from home import CONFIGURATION, Home, PORT
from waiting import wait

program, root, name, folder, picture = sys.argv[1:6]
folder = pathlib.Path(folder)
# Two columns of cards, in a window that is wide enough for three.
WIDTH, HEIGHT, WINDOW = 672, 626, 1010
SENSORS = [
    "{name: door, type: file, path: /run/door, homeassistant: {class: door, as: binary_sensor}}",
    "{name: air, type: iio, device: air, channel: in_humidityrelative, title: Air humidity}",
    "{name: tank, type: w1, id: 28-0316a2795bff}",
    "{name: water, type: file, path: /run/water, unit: L, homeassistant: {class: water, precision: 1}}",
    "{name: load, type: system, value: load1}",
    "{name: memory_available, type: system, value: memory_available}",
]
OUTPUTS = ["{name: pump, type: led, led: lamp, homeassistant: {as: switch}}"]
# What a person sees, wherever the page's custom elements keep it.
TEXT = """(() => {
  const texts = [];
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    if (node.shadowRoot) visit(node.shadowRoot);
    node.childNodes.forEach(visit);
  };
  visit(document.body);
  return texts.join(' ');
})()"""

home = browser = board = None
broker = Mosquitto(folder / "broker")
try:
    home = Home(root, name, folder / "home", "5")
    (home.folder / "configuration.yaml").write_text(CONFIGURATION + "frontend:\n")
    home.start()
    home.wait_until_running()
    board = Board(program, folder / "board", "greenhouse", SENSORS, [], OUTPUTS,
                  device="{id: greenhouse, name: Greenhouse}")
    board.tree.write("/run/door", "1\n")
    board.tree.write("/run/water", "1042.5\n")
    board.start()

    def is_known():
        states = {id: one["state"] for id, one in home.entities("greenhouse").items() if not one["disabled_by"]}
        return len(states) > len(SENSORS) and not {None, "unknown", "unavailable"} & set(states.values())
    wait("the device with its values", is_known, 60)
    publish(board.topic("pump/set"), "on")
    wait("the pump", lambda: home.entities("greenhouse")["pump"]["state"] == "on")

    browser = Browser(str(folder / "browser"))
    browser.call("Emulation.setDeviceMetricsOverride", width=WINDOW, height=HEIGHT, deviceScaleFactor=1.5, mobile=False)
    address = f"http://127.0.0.1:{PORT}"
    browser.go(f"{address}/manifest.json")
    wait("a page of Home Assistant's", lambda: browser.ask("location.pathname") == "/manifest.json")
    # Logged in, as its frontend keeps it.
    tokens = {"hassUrl": address, "clientId": None, "expires": int(time.time() + 86400) * 1000, "refresh_token": "",
              "access_token": home.token, "expires_in": 86400, "token_type": "Bearer"}
    for key, value in {"hassTokens": tokens, "dockedSidebar": "always_hidden"}.items():
        browser.ask(f"localStorage.setItem({json.dumps(key)}, {json.dumps(json.dumps(value))})")
    device = home.devices()["greenhouse"]["id"]
    browser.go(f"{address}/config/devices/device/{device}")
    wait("the page with its values", lambda: all(
        word in browser.ask(TEXT) for word in ("Greenhouse", "Pump", "45.3", "1,042.5")), 60)
    # Icons and fonts are there when the browser has nothing more to load.
    wait("icons", lambda: browser.ask("document.fonts.ready.then(() => document.fonts.status)") == "loaded")
    browser.ask("new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 2000))"
                ".then(() => true)")
    browser.picture(picture, x=0, y=0, width=WIDTH, height=HEIGHT, scale=1)
finally:
    if browser:
        browser.stop()
    if board:
        board.end(signal.SIGKILL)
    if home:
        home.stop()
    broker.end()
