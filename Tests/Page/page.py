"""page.py PROGRAM FOLDER PICTURES: what a person sees who opens the fleet's page, and what others must not."""

import base64
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent.parent / "Python"))
import rows as suite
from browser import Browser
from mqtt import Client, field, packet
from processes import Broker
from waiting import free_port, wait

program, folder, pictures = sys.argv[1:4]
is_whole = "all" in os.environ.get("LIMPET_TESTS", "").split()
devices = 10_000
broker = Broker(f"{folder}/broker", keeps=True, settings="max_queued_messages 0\nsys_interval 1\n")
broker_port, page_port = broker.port, free_port()
url = f"http://127.0.0.1:{page_port}"


def publish(topic, payload):
    subprocess.run(["mosquitto_pub", "-p", str(broker_port), "-r", "-q", "1", "-t", topic, "-s"],
                   input=payload, check=True)


def clear(topic):
    """mosquitto_pub sends no empty text."""
    client = Client(broker_port, "clear")
    client.socket.sendall(packet(0x31, field(topic)))
    client.disconnect()


def fill(numbers=range(devices), payload=None):
    """One connection for all of them: mosquitto_pub takes one topic only."""
    client = Client(broker_port, "fill")
    client.socket.sendall(b"".join(
        packet(0x31, field(f"limpet/board-{number:05d}/status")
               + (payload or (b"offline" if number % 100 == 0 else b"online")))
        for number in numbers))
    client.disconnect()


def status(request):
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def rows():
    return browser.ask("Array.from(document.querySelectorAll('.row'), (row) => row.innerText)")


def count():
    return browser.ask("document.getElementById('counts').textContent")


def is_shown(text):
    return any(text in row for row in rows())


def write(field, text):
    browser.ask(f"(() => {{ const field = document.getElementById('{field}'); field.value = {text!r};"
                "field.dispatchEvent(new Event('input')); })()")


def check(name):
    """A row, in which the page's console stays silent too."""
    def run(test):
        def look():
            detail = test()
            problems, browser.problems = browser.problems, []
            assert not problems, f"the console says: {problems}"
            return detail
        return suite.check(name)(look)
    return run


broker.start()
fill()
expected = f"{folder}/expected"
with open(expected, "w") as file:
    file.write("board-00001\nnever-seen\n")


def start_watch():
    return subprocess.Popen(
        [program, "watch", "--url", f"mqtt://127.0.0.1:{broker_port}", "--http", f"127.0.0.1:{page_port}",
         "--expect-file", expected],
        stdout=subprocess.DEVNULL, stderr=open(f"{folder}/watch.log", "w"))


watch = start_watch()
browser = Browser(f"{folder}/browser")
browser.size(1000, 700)
try:
    wait("the page", lambda: os.path.getsize(f"{folder}/watch.log") > 0)
    wait("all devices", lambda: f"{devices - devices // 100} online" in urllib.request.urlopen(
        f"{url}/metrics", timeout=20).read().decode().replace('limpet_fleet_devices{state="online"} ', "").replace(
            "\n", " online\n"), 60)

    @check("10,000 devices are there, those that need a look first, and few of them are in the document")
    def first_view():
        browser.go(url)
        wait("the counts", lambda: f"{devices - devices // 100} online" in count(), 30)
        assert "1 missing" in count() and f"{devices // 100} lost" in count(), count()
        shown = rows()
        assert 5 < len(shown) < 60, len(shown)
        assert shown[0].startswith("lost"), shown[0]
        browser.picture(f"{pictures}/page.png")
        return count()

    @check("search, filter and sort are in the address, and a reload keeps them")
    def search():
        write("search", "board-0010")
        wait("ten rows", lambda: len(rows()) == 10)
        assert "q=board-0010" in browser.ask("location.search")
        write("state", "online")
        wait("nine rows", lambda: len(rows()) == 9)
        browser.call("Page.reload")
        wait("nine rows again", lambda: len(rows()) == 9 and "board-0010" in browser.ask("location.search"), 30)
        write("search", "")
        write("state", "missing")
        wait("what is expected and was never heard of", lambda: [row for row in rows() if "never-seen" in row])
        write("state", "")

    @check("a change is seen as it happens, in the row and in the title")
    def live():
        write("search", "board-00777")
        wait("one row", lambda: len(rows()) == 1 and rows()[0].startswith("online"))
        started = time.monotonic()
        publish("limpet/board-00777/status", b"offline")
        wait("it is lost", lambda: rows()[0].startswith("lost"))
        taken = time.monotonic() - started
        wait("the title", lambda: browser.ask("document.title").startswith(f"({devices // 100 + 2})"))
        return f"{taken * 1000:.0f} ms with the publisher's connection"

    @check("what is hostile in names and payloads is text")
    def hostile():
        name = '<img src=x onerror="document.title=1">\u202e'
        publish(f"limpet/{name}/status", b"online")
        publish("limpet/big/status", b"<script>alert(1)</script>" + b"x" * 1_000_000)
        write("search", "<img")
        wait("the name", lambda: is_shown('<img src=x onerror="document.title=1">\\u202e'))
        write("search", "big")
        wait("the payload", lambda: is_shown("<script>alert(1)</script>"))
        assert browser.ask("document.images.length") == 0

    @check("a title that is too long is cut, and neither the id nor the marks beside it")
    def long_title():
        device = "Q4ZMX0K7T2B9V6N1C8R5LJ"
        for turn in range(6):
            publish(f"limpet/{device}/status", b"online" if turn % 2 else b"offline")
        title = "Greenhouse behind the old barn, next to the pond with the pump that was repaired in spring"
        publish(f"limpet/{device}/presence", json.dumps({"event": "birth", "epoch": 1, "name": title}).encode())
        write("search", "behind the old barn")
        visible = """(() => {
            const row = document.querySelector('.row'), box = row?.getBoundingClientRect();
            return Array.from(row?.querySelectorAll('.title, .mark, .id') ?? [], (part) => {
              const own = part.getBoundingClientRect();
              const isWhole = part.scrollWidth <= part.clientWidth && own.width > 0 && own.left >= box.left
                && own.right <= box.right && own.top >= box.top && own.bottom <= box.bottom;
              return [part.className, part.textContent, isWhole];
            });
          })()"""
        for width, height, name in ((1000, 700, "titles"), (360, 640, "titles-phone")):
            browser.size(width, height)
            wait("its row", lambda: len(rows()) == 1 and "flapping" in rows()[0] and device in rows()[0])
            parts = browser.ask(visible)
            assert parts == [["title", title, False], ["mark", " flapping", True], ["id", device, True]], parts
            write("search", "")
            write("state", "flapping")
            wait("other rows", lambda: is_shown(device))
            browser.picture(f"{pictures}/{name}.png")
            write("state", "")
            write("search", "behind the old barn")
        browser.size(1000, 700)

    @check("details open by the keyboard, and Escape leads back")
    def details():
        write("search", "board-00777")
        wait("one row", lambda: len(rows()) == 1 and "board-00777" in rows()[0])
        browser.ask("document.querySelector('.row').focus()")
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r")
        browser.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter")
        wait("the details", lambda: "board-00777" in browser.ask("document.getElementById('details').innerText"))
        assert "lost" in browser.ask("document.getElementById('details-list').innerText")
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="Escape", code="Escape")
        wait("they are gone", lambda: browser.ask("document.getElementById('details').hidden"))
        assert browser.ask("document.activeElement.className").startswith("row")

    @check("what a device said before it says something else is not shown any more, nor what was cleared")
    def stale():
        write("search", "board-00001")
        wait("one row", lambda: len(rows()) == 1 and "board-00001" in rows()[0])
        browser.ask("document.querySelector('.row').click()")
        def shown():
            return browser.ask("document.getElementById('details-list').innerText")
        publish("limpet/board-00001/status", b"rebooting")
        wait("the payload", lambda: "rebooting" in shown() and "since" in shown())
        publish("limpet/board-00001/status", b"online")
        wait("it is online", lambda: "online" in shown())
        assert "rebooting" not in shown() and "payload" not in shown(), shown()
        clear("limpet/board-00001/status")
        wait("it is missing", lambda: rows()[0].startswith("missing"))
        assert is_shown("has reported before") and not is_shown("just now"), rows()
        wait("nothing of before", lambda: "missing" in shown() and "since" not in shown())
        assert browser.ask("document.querySelectorAll('#details-history li').length") == 0
        browser.ask("document.getElementById('close').click()")
        write("search", "never-seen")
        wait("the other", lambda: len(rows()) == 1 and is_shown("has never reported"))
        publish("limpet/board-00001/status", b"online")

    @check("readings of a device are there while its details are open, and not subscribed to else")
    def readings():
        def subscriptions():
            return subprocess.run(["mosquitto_sub", "-p", str(broker_port), "-C", "1", "-W", "20", "-t",
                                   "$SYS/broker/subscriptions/count"], capture_output=True, text=True).stdout.strip()

        publish("limpet/board-00778/door", b'{"time":"2026-11-20T12:00:00.123Z","value":true,"seq":7}')
        publish("limpet/board-00778/x<b>&", b"<img src=x onerror=alert(1)>")
        write("search", "board-00778")
        wait("one row", lambda: len(rows()) == 1 and "board-00778" in rows()[0])
        before = subscriptions()
        browser.ask("document.querySelector('.row').click()")
        def shown():
            return browser.ask("document.getElementById('readings').innerText")
        wait("the retained readings", lambda: "door" in shown() and "true" in shown())
        assert "<img src=x" in shown() and browser.ask("document.images.length") == 0, shown()
        wait("its subscription", lambda: subscriptions() != before)
        publish("limpet/board-00778/door", b'{"time":"2026-11-20T12:00:01.123Z","value":21.5,"unit":"\xc2\xb0C"}')
        wait("the next one", lambda: "21.5 \u00b0C" in shown())
        assert "status" not in shown(), shown()
        browser.ask("document.getElementById('close').click()")
        wait("no subscription", lambda: subscriptions() == before, 30)
        codes = [status(f"{url}/readings?device={name}") for name in ("%2B", "%23", "nobody", "board-00778%2Fx", "%zz")]
        assert codes == [404] * 5, codes

    @check("a screen reader finds names and roles")
    def accessible():
        nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
        named = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if "role" in node}
        roles = {role for role, _ in named}
        assert {"list", "listitem", "button", "searchbox", "status", "heading"} <= roles, roles
        assert ("list", "Devices") in named
        assert all(name for role, name in named if role in ("button", "searchbox", "combobox"))

    @check("a phone's width needs no sideways scrolling")
    def phone():
        write("search", "")
        browser.size(360, 640)
        wait("it fits", lambda: browser.ask("document.documentElement.scrollWidth <= 360 && "
                                            "document.getElementById('list').scrollWidth <= 360"))
        browser.picture(f"{pictures}/phone.png")
        browser.size(1000, 700)

    @check("a broker that is away is said within 5 s, and its return too")
    def away():
        broker.end()
        wait("the banner", lambda: "broker" in browser.ask("document.getElementById('banner').innerText"), 20)
        assert status(f"{url}/healthz") == 503
        browser.picture(f"{pictures}/away.png")
        broker.start()
        wait("it is gone", lambda: browser.ask("document.getElementById('banner').hidden"), 60)
        assert status(f"{url}/healthz") == 200

    if is_whole:
        @check("500 changes a second leave the page free")
        def storm():
            browser.ask("window.long = []; new PerformanceObserver((list) => window.long.push("
                        "...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' }), 0")
            for turn in range(10):
                fill(range(turn * 500, turn * 500 + 500), b"offline")
                time.sleep(1)
            long = browser.ask("window.long")
            # What follows looks at devices that are online.
            fill(range(5000))
            assert len([one for one in long if one > 100]) == 0, long
            return f"{len(long)} tasks above 50 ms"

    @check("a broker that answers no more, its connection still there, is said within 5 s")
    def hung():
        broker.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        try:
            wait("the banner", lambda: not browser.ask("document.getElementById('banner').hidden"), 30)
            seconds = time.monotonic() - started
        finally:
            broker.process.send_signal(signal.SIGCONT)
        # 2 s of keepalive, and half as much for the answer.
        assert seconds < 5, seconds
        wait("its return", lambda: browser.ask("document.getElementById('banner').hidden"), 60)
        return f"{seconds:.1f} s"

    @check("a watch that is gone is said, and one that is back is found")
    def gone():
        watch.send_signal(signal.SIGSTOP)
        wait("the banner", lambda: "limpet watch" in browser.ask("document.getElementById('banner').innerText"), 20)
        unseen = browser.ask("gaps(Date.now() - 1000, Date.now() + 3600000).map(([from, until]) => until - from)")
        watch.send_signal(signal.SIGCONT)
        assert len(unseen) == 1 and unseen[0] > 3_500_000, f"an hour from now on is not seen: {unseen}"
        wait("it is gone", lambda: browser.ask("document.getElementById('banner').hidden"), 30)

    @check("a watch that was started again is followed: what changes then is seen")
    def again():
        global watch
        write("search", "board-00778")
        wait("one row", lambda: len(rows()) == 1 and rows()[0].startswith("online"))
        watch.kill()
        watch.wait()
        watch = start_watch()
        wait("it is found", lambda: browser.ask("document.getElementById('banner').hidden")
             and len(rows()) == 1 and status(f"{url}/healthz") == 200, 30)
        publish("limpet/board-00778/status", b"offline")
        wait("it is lost", lambda: rows()[0].startswith("lost"), 30)
        # The browser says that the connection ended, which is what this is about.
        browser.problems = [problem for problem in browser.problems if "net::ERR" not in problem]

    @check("what nobody watched is not known: in the strip, in a device's history, also after a kill")
    def unknown():
        file, hour = f"{folder}/history.db", 3_600_000_000
        now = int(time.time() * 1_000_000)
        store = sqlite3.connect(file)
        store.executescript("CREATE TABLE change (device TEXT NOT NULL, time INTEGER NOT NULL, state TEXT NOT NULL,"
                            "PRIMARY KEY (device, time)) WITHOUT ROWID;"
                            "CREATE TABLE watched (start INTEGER PRIMARY KEY, until INTEGER NOT NULL);"
                            "PRAGMA user_version = 2")
        for hours, word in ((12, "online"), (10, "offline"), (8, "lost")):
            store.execute("INSERT INTO change VALUES ('board-00001', ?, ?)", (now - hours * hour, word))
        store.execute("INSERT INTO watched VALUES (?, ?)", (now - 12 * hour, now - 6 * hour))
        store.commit()
        store.close()
        port = free_port()

        started = []

        def start():
            other = subprocess.Popen(
                [program, "watch", "--url", f"mqtt://127.0.0.1:{broker_port}", "--http", f"127.0.0.1:{port}",
                 "--devices", "board-00001", "--history", file],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            started.append(other)
            def answers():
                try:
                    return b'"state":"online"' in urllib.request.urlopen(
                        f"http://127.0.0.1:{port}/devices", timeout=20).read()
                except OSError:
                    return False
            wait("it answers", answers, 30)
            return other
        try:
            other = start()
            # The minute's beat has not come: a watch that is killed now leaves nothing of its time.
            other.kill()
            other.wait()
            other = start()
            browser.go(f"http://127.0.0.1:{port}")
            wait("the row", lambda: len(rows()) == 1)
            def colour(hours):
                return browser.ask("Array.from(document.querySelector('canvas').getContext('2d').getImageData("
                                   f"{int(120 - hours * 5)}, 8, 1, 1).data).join()")
            wait("green, while somebody watched", lambda: colour(11) == "45,164,78,255")
            assert colour(9) == "33,139,255,255", f"it said offline itself: {colour(9)}"
            assert colour(7) == "207,34,46,255", f"it was lost: {colour(7)}"
            words = browser.ask("document.querySelector('canvas').getAttribute('aria-label')")
            assert words == "last 24 hours: online, offline, lost, not known", words
            assert colour(3) == colour(18) and colour(3).endswith(",85"), (colour(3), colour(18))
            browser.ask("document.querySelector('.row').click()")
            def history():
                return browser.ask("Array.from(document.querySelectorAll('#details-history li'), (line) => line.innerText)")
            wait("the history", lambda: len(history()) >= 5)
            ends = [line.split()[-1] for line in history()]
            assert ends[0] == "online" and ends[-3:] == ["lost", "offline", "online"], history()
            assert "not known" in history()[-4], history()
            browser.picture(f"{pictures}/history.png")
        finally:
            browser.go(url)
            for other in started:
                other.kill()
                other.wait()

    @check("on a Unix socket a proxy asks, under its own name")
    def unix():
        path = f"{folder}/page.sock"
        arguments = [program, "watch", "--url", f"mqtt://127.0.0.1:{broker_port}", "--http", f"unix:{path}",
                     "--http-host", "fleet.example"]
        other = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def ask(host):
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(path)
                    connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                    answer = b""
                    while part := connection.recv(4096):
                        answer += part
                    return int(answer.split()[1])
            def served():
                try:
                    return ask("fleet.example") == 200
                except OSError:
                    return False
            wait("it answers", served, 30)
            assert os.stat(path).st_mode & 0o777 == 0o660, oct(os.stat(path).st_mode)
            assert ask("localhost") == 421
            second = subprocess.run(arguments, capture_output=True, text=True)
            assert second.returncode == 1 and "another program listens" in second.stderr, second
            other.kill()
            other.wait()
            assert os.path.exists(path)
            other = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait("it takes the place of the socket that was left", served, 30)
            other.terminate()
            other.wait()
            assert not os.path.exists(path)
        finally:
            other.kill()
            other.wait()

    @check("other names, pages of other sites and other methods are refused")
    def refused():
        def ask(path="/devices", method="GET", **headers):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            return status(urllib.request.Request(url + path, headers=names, method=method))
        assert ask() == 200
        assert ask(Host="evil.example") == 421
        assert ask(Origin="http://evil.example") == 403
        assert ask(Sec_Fetch_Site="cross-site") == 403
        assert ask(method="POST") == 405
        assert ask("/elsewhere") == 404
        assert ask("/") == 200 and ask("/page.js") == 200 and ask("/page.css") == 200

    @check("elsewhere than on loopback a password is needed, and ten wrong ones a minute are all that is listened to")
    def password():
        file = f"{folder}/password"
        with open(file, "w") as out:
            out.write("se:cret\n")
        open_one = subprocess.run(
            [program, "watch", "--url", f"mqtt://127.0.0.1:{broker_port}", "--http", "0.0.0.0:1"], capture_output=True)
        assert open_one.returncode == 64 and b"--http-password-file" in open_one.stderr, open_one
        port = free_port()
        other = subprocess.Popen(
            [program, "watch", "--url", f"mqtt://127.0.0.1:{broker_port}", "--http", f"0.0.0.0:{port}",
             "--http-password-file", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def ask(text):
                headers = {"Authorization": "Basic " + base64.b64encode(text).decode()} if text else {}
                return status(urllib.request.Request(f"http://127.0.0.1:{port}/devices", headers=headers))
            def first():
                try:
                    return ask(None)
                except OSError:
                    return None
            assert wait("it listens", first) == 401
            assert ask(b"any:se:cret") == 200
            assert [ask(b"any:wrong") for _ in range(10)] == [401] * 10
            assert ask(b"any:se:cret") == 429
        finally:
            other.kill()
            other.wait()
finally:
    browser.stop()
    watch.kill()
    watch.wait()
    broker.end()
suite.finish()
