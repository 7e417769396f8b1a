"""Headless Chromium, driven by its DevTools protocol over two pipes: no driver program, no port, no package.

    with Browser.start() as browser:
        page = browser.open(file, width=390, height=844, dark=True)
        page.evaluate("document.title"), page.errors, page.screenshot()
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 60
# A root user has no sandbox, a machine without a network no updates; what is tested is our own page.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars", "--force-color-profile=srgb",
    "--remote-debugging-pipe",
]  # fmt: skip
# What reaches out of the window or of the main column at the right, outside of what scrolls by itself.
TOO_WIDE = """(() => {
  const width = document.documentElement.clientWidth, column = document.querySelector("main").getBoundingClientRect().right;
  const out = [...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, pre, .skip") &&
    e.getBoundingClientRect().right > (e.closest("main") ? column : width) + 1);
  const told = (e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`;
  return {page: document.documentElement.scrollWidth - width, out: out.map(told)};
})()"""
# Texts with less than 4.5 to 1 against what is behind them (WCAG 2 AA).
TOO_PALE = """(() => {
  const parse = (text) => {
    const n = text.match(/[\\d.]+/g).map(Number);
    return {rgb: n.slice(0, 3), alpha: n.length > 3 ? n[3] : 1};
  };
  const light = (rgb) => { const c = rgb.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.alpha === 1) return color.rgb;
    }
    return [255, 255, 255];
  };
  const pale = new Set();
  for (const e of document.querySelectorAll("body *:not(svg, svg *, script, style)")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color).rgb), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.add(`${e.tagName} ${e.className} ${ratio.toFixed(2)}`);
  }
  return [...pale];
})()"""


class Browser:
    """One Chromium; every page is a tab of its own."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int, profile: str):
        self.process, self.to, self.back, self.profile = process, to, back, profile
        self.number, self.rest, self.events = 0, b"", []

    @classmethod
    def start(cls) -> "Browser":
        program = shutil.which("chromium")
        assert program, "there is no chromium: deploy/setup browser"
        profile = tempfile.mkdtemp(prefix="browser-")
        theirs_in, to = os.pipe()
        back, theirs_out = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", script, "bash", program, *FLAGS, f"--user-data-dir={profile}"]
        nowhere = subprocess.DEVNULL
        process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stdin=nowhere, stdout=nowhere, stderr=nowhere)
        os.close(theirs_in)
        os.close(theirs_out)
        return cls(process, to, back, profile)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.call("Browser.close")
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.to)
            os.close(self.back)
            shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, object]:
        """Sends a command and waits for its answer; events that come meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(method)
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def wait(self, method: str, session: str) -> None:
        """Waits for an event."""
        while not any(event.get("method") == method and event.get("sessionId") == session for event in self.events):
            self.events.append(self._receive(method))

    def _receive(self, awaited: str) -> dict[str, object]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.back], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"chromium said nothing for {PATIENCE} s, {awaited} is awaited"
            piece = os.read(self.back, 1 << 20)
            assert piece, f"chromium ended, {awaited} was awaited"
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, place: Path | str, width: int, height: int, *, dark: bool = False, anchor: str = "") -> "Page":
        """Opens a file or an address in a window of this size; a narrow one is a phone."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        page.call("Page.navigate", url=(place.resolve().as_uri() if isinstance(place, Path) else place) + anchor)
        self.wait("Page.loadEventFired", session)
        return page


@dataclass
class Page:
    """One tab."""

    browser: Browser
    session: str
    target: str
    closed: bool = field(default=False)

    def call(self, method: str, **parameters: object) -> dict[str, object]:
        return self.browser.call(method, self.session, **parameters)

    def evaluate(self, expression: str) -> object:
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    @property
    def errors(self) -> list[str]:
        """What the console got, and what was thrown."""
        self.evaluate("1")  # everything said before this answer has been received
        events = [event for event in self.browser.events if event.get("sessionId") == self.session]
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in events if event.get("method") in kinds]

    def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG of the window, or of the whole page."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])

    def too_wide(self) -> dict[str, object]:
        """By how much the page is wider than its window, and what reaches out of it."""
        return self.evaluate(TOO_WIDE)

    def too_pale(self) -> list[str]:
        """Texts that are hard to read."""
        return self.evaluate(TOO_PALE)

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)


def different_lines(png: bytes) -> int:
    """How many different pixel lines a picture has; a blank one has one or two."""
    data, at, width = b"", 8, int.from_bytes(png[16:20])
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    pixels = zlib.decompress(data)
    line = 1 + width * (len(pixels) // int.from_bytes(png[20:24]) // width)
    return len({pixels[start : start + line] for start in range(0, len(pixels), line)})
