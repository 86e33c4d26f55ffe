"""pictures.py PROGRAM FOLDER PICTURES: the fleet's page and `limpet watch`, before and after a device was lost."""

import html
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent.parent / "Python"))
from browser import Browser
from processes import Broker
from waiting import free_port, wait

program, folder, pictures = sys.argv[1:4]
broker, page_port = Broker(f"{folder}/broker"), free_port()
url = f"mqtt://127.0.0.1:{broker.port}"
devices = {"greenhouse": "Greenhouse", "barn": "Barn", "cellar": "Cellar", "gate": "Gate", "pond": "Pond", "workshop": "Workshop"}
children = []


def start(*command, log):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(f"{folder}/{log}", "w"))
    children.append(child)
    return child


def agent(device, name):
    path = f"{folder}/{device}.yaml"
    with open(path, "w") as file:
        file.write(f"device: {{id: {device}, name: {name}}}\nbroker: {{url: '{url}'}}\nstorage: {{path: {folder}/{device}}}\n"
                   "sensors:\n  - {name: load, type: system, value: load1}\n")
    return start(program, "run", "--config", path, log=f"{device}.log")


def fleet(state):
    text = urllib.request.urlopen(f"http://127.0.0.1:{page_port}/metrics", timeout=20).read().decode()
    found = re.search(r'limpet_fleet_devices\{state="%s"\} (\d+)' % state, text)
    return int(found[1]) if found else 0


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", "limpet-pictures", "-f", "/dev/null", *arguments], check=True, capture_output=True,
                          text=True).stdout


def terminal():
    return tmux("capture-pane", "-e", "-p", "-t", "watch").rstrip("\n")


colours = {"31": "#ff6b6b", "32": "#69db7c", "33": "#ffd43b", "34": "#74c0fc", "35": "#e599f7", "36": "#66d9e8", "90": "#868e96",
           "91": "#ff6b6b", "92": "#69db7c", "93": "#ffd43b"}


def as_html(text):
    """What tmux captured, with its colours (ECMA-48, SGR)."""
    parts, styles = [], {}
    for piece in re.split(r"(\x1b\[[\d;]*m)", text):
        code = re.fullmatch(r"\x1b\[([\d;]*)m", piece)
        if not code:
            style = ";".join(f"{key}:{value}" for key, value in styles.items())
            parts.append(f'<span style="{style}">{html.escape(piece)}</span>')
            continue
        for number in (code[1] or "0").split(";"):
            if number == "0":
                styles = {}
            elif number == "1":
                styles["font-weight"] = "bold"
            elif number == "2":
                styles["opacity"] = "0.6"
            elif number == "7":
                styles.update({"background": "#dee2e6", "color": "#16181d"})
            elif number == "39":
                styles.pop("color", None)
            elif number in colours:
                styles["color"] = colours[number]
    return ("<!doctype html><meta charset=utf-8><body style='margin:0;background:#16181d'><pre id=text style='margin:0;"
            "display:inline-block;padding:14px 18px;color:#dee2e6;font:15px/1.35 \"DejaVu Sans Mono\"'>" + "".join(parts) + "</pre>")


def picture(path, width, height):
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1.5, mobile=False)
    # Two frames later what is drawn is what is there.
    browser.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => true)")
    browser.picture(f"{pictures}/{path}")


browser = None
try:
    broker.start()
    agents = {device: agent(device, name) for device, name in devices.items()}
    start(program, "watch", "--url", url, "--http", f"127.0.0.1:{page_port}", log="watch.log")
    wait("all devices", lambda: fleet("online") == len(devices), 60)
    tmux("new-session", "-d", "-s", "watch", "-x", "96", "-y", "11", program, "watch", "--url", url)
    wait("the table", lambda: terminal().count("online") >= len(devices))

    browser = Browser(f"{folder}/browser")
    browser.size(760, 345)
    browser.go(f"http://127.0.0.1:{page_port}")
    rows = "Array.from(document.querySelectorAll('.row'), (row) => row.innerText)"
    wait("the page", lambda: len(browser.ask(rows)) == len(devices), 30)
    picture("page-well.png", 760, 345)

    agents["pond"].send_signal(signal.SIGKILL)
    wait("it is lost", lambda: browser.ask(rows)[0].startswith("lost"), 30)
    picture("page.png", 760, 345)

    wait("it is lost in the table too", lambda: "lost" in terminal())
    with open(f"{folder}/watch.html", "w") as file:
        file.write(as_html(terminal()))
    browser.go(f"file://{folder}/watch.html")
    wait("the text", lambda: browser.ask("document.getElementById('text') !== null"))
    width, height = browser.ask("(() => { const box = document.getElementById('text').getBoundingClientRect();"
                                "return [Math.ceil(box.width), Math.ceil(box.height)]; })()")
    picture("watch.png", width, height)
finally:
    if browser:
        browser.stop()
    subprocess.run(["tmux", "-L", "limpet-pictures", "kill-server"], stderr=subprocess.DEVNULL)
    for child in reversed(children):
        child.kill()
        child.wait()
    broker.end()
