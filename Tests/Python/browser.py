"""A headless Chromium, driven by its own protocol (https://chromedevtools.github.io/devtools-protocol/)."""

import base64
import json
import os
import subprocess
import urllib.request

import websocket

from waiting import wait


class Browser:
    """One page of a browser of its own, and what its console said."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--remote-debugging-port=0", f"--user-data-dir={folder}", "--no-first-run", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
        self.number = 0
        self.problems = []
        port = wait("the browser's port", lambda: self.read_port(), 60)
        targets = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=20))
        page = next(target for target in targets if target["type"] == "page")
        self.socket = websocket.create_connection(
            page["webSocketDebuggerUrl"], timeout=60, suppress_origin=True, enable_multithread=True)
        for domain in ["Page", "Runtime", "Log", "Accessibility"]:
            self.call(domain + ".enable")

    def read_port(self):
        try:
            with open(os.path.join(self.folder, "DevToolsActivePort")) as file:
                return int(file.readline())
        except (OSError, ValueError):
            return None

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def note(self, event):
        """What no page of ours may say."""
        details = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(details["exceptionDetails"].get("text", "an exception"))
        if event.get("method") == "Log.entryAdded" and details["entry"]["level"] == "error":
            self.problems.append(f"{details['entry']['text']} {details['entry'].get('url', '')}")
        if event.get("method") == "Runtime.consoleAPICalled" and details["type"] == "error":
            self.problems.append(str(details["args"]))

    def ask(self, expression):
        """The value of an expression, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def go(self, url):
        self.call("Page.navigate", url=url)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path, **clip):
        """clip: x, y, width, height and scale of a part of the page."""
        data = self.call("Page.captureScreenshot", **({"clip": clip} if clip else {}))["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def stop(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()
