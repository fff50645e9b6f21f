"""A real Chromium without a window, spoken to over a pipe by its DevTools protocol: no driver, no port, nothing from the network.

``accessibility_faults`` has axe-core check whatever page is open; it comes in a package, too.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS = 30
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--mute-audio",
)


def browser() -> str | None:
    """Where a Chromium is; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@dataclass
class Tab:
    """A page in a browser."""

    write: BinaryIO
    read: BinaryIO
    session: str = ""
    said: list[str] = field(default_factory=list[str])
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def call(self, method: str, **parameters: Any) -> Any:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while (found := self._next()).get("id") != number:
            self._note(found)
        assert "error" not in found, found["error"]
        return found["result"]

    def _next(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self.read.read(1)) != b"\0":
            assert byte, "the browser has ended"
            content += byte
        return json.loads(content)

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what the page complains of: exceptions, refused loads, violations of its policy."""
        if event.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.said.append(json.dumps(event["params"]))

    def evaluate(self, script: str) -> Any:
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, script: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.evaluate(script):
            assert time.monotonic() < deadline, f"it did not happen in time: {script}; {self.said}"
            time.sleep(0.05)

    def open(self, address: str, **headers: str) -> None:
        self.call("Network.enable")
        self.call("Network.setExtraHTTPHeaders", headers=headers)
        self.call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def text(self, selector: str) -> str:
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int = 0, text: str = "") -> None:
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def look(self, *, width: int = 1100, height: int = 900, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, place: Path) -> None:
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        place.write_bytes(base64.b64decode(found["data"]))


def accessibility_faults(page: Tab) -> list[str]:
    """What axe-core finds serious or critical on the page as it is now: the rule, in words, and where."""
    page.evaluate((files("axe_core_python") / "axe.min.js").read_text())
    found = json.loads(page.evaluate("axe.run().then((found) => JSON.stringify(found.violations))"))
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']}: {one['help']}: {node['target']}" for one in serious for node in one["nodes"]]


@contextmanager
def tab() -> Generator[Tab]:
    """Open a browser with one tab; it ends with the block."""
    found = browser()
    assert found
    (browser_reads, writes), (reads, browser_writes) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = " ".join([*OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"])
        command = f"exec {found} {options} 3<&{browser_reads} 4>&{browser_writes} 2>/dev/null"
        process = subprocess.Popen(["bash", "-c", command], pass_fds=(browser_reads, browser_writes))
        os.close(browser_reads)
        os.close(browser_writes)
        with os.fdopen(writes, "wb") as write, os.fdopen(reads, "rb") as read:
            try:
                page = Tab(write, read)
                targets = page.call("Target.getTargets")["targetInfos"]
                (target,) = [one["targetId"] for one in targets if one["type"] == "page"]
                page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
                for domain in ("Page", "Runtime", "Log"):
                    page.call(f"{domain}.enable")
                yield page
            finally:
                process.terminate()
                process.wait(PATIENCE_SECONDS)
