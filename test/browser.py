"""A headless browser, driven by the WebDriver protocol: what a person sees of a page."""

import base64
import json
import os
import pathlib
import shutil
import tempfile
import urllib.error
import urllib.request

from peers import eventually
from processes import Process, free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, width=1280, height=900, dark=False):
        self.port = free_port()
        # Its profile and sockets must lie on a short path.
        self.home = tempfile.mkdtemp(prefix="browser-")
        driver = shutil.which("chromedriver")
        assert driver, "there is no chromedriver: ./dev test installs it"
        self.driver = Process([driver, f"--port={self.port}"], env={"HOME": self.home, "TMPDIR": self.home})
        self.session = ""
        eventually(self.ready, "chromedriver")
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        arguments += [f"--window-size={width},{height}", "--no-proxy-server", "--disable-background-networking"]
        arguments += ["--blink-settings=preferredColorScheme=0"] if dark else []
        options = {"args": arguments, "binary": shutil.which("chromium")}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.call("DELETE", self.session)
        finally:
            self.driver.__exit__(*exception)
            shutil.rmtree(self.home, ignore_errors=True)

    def ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(json.load(e)["value"]["message"]) from None

    def open(self, url):
        self.call("POST", self.session + "/url", {"url": url})

    def find(self, css):
        return self.call("POST", self.session + "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", f"{self.session}/element/{self.find(css)}/click")

    def type(self, css, text):
        self.call("POST", f"{self.session}/element/{self.find(css)}/value", {"text": text})

    def run(self, script, *arguments):
        return self.call("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, css="body"):
        """What is visible of it; nothing while the page is being changed."""
        return self.run("const found = document.querySelector(arguments[0]); return found ? found.innerText : ''", css)

    def wait_text(self, text, css="body"):
        def shown():
            try:
                return text in self.text(css)
            except AssertionError:  # The element is not there yet.
                return False

        eventually(shown, f"{text!r} in {css}")

    def complaints(self):
        """What the browser's console says of errors."""
        log = self.call("POST", self.session + "/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def picture(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("GET", self.session + "/screenshot")))


def keep_picture(browser, name):
    """Into the folder $PICTURES, if there is one."""
    if folder := os.environ.get("PICTURES"):
        browser.picture(pathlib.Path(folder) / f"{name}.png")
