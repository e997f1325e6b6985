"""Headless Chromium, spoken to over its debugging pipe: what a page asked for, and what went wrong.

No library stands between: the protocol is JSON, each message ended by a zero byte, on descriptors 3
(to the browser) and 4 (from it).
"""

import json
import os
import select
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
)

SECONDS = 120.0
"""How long it may be silent: two busy cores need half a minute to start a browser."""


def found() -> str | None:
    """The browser on this machine, None where there is none or no way to speak to it."""
    if not hasattr(os, "posix_spawn"):
        return None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Browser:
    """One page of a browser. `messages` are its console's, `requests` all addresses asked for."""

    write: int
    read: int
    session: str = ""
    sent: int = 0
    buffer: bytes = b""
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.sent += 1
        message: dict[str, object] = {"id": self.sent, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode("utf-8") + b"\0")
        while (answer := self.next()).get("id") != self.sent:
            pass
        assert "error" not in answer, answer
        return dict(answer["result"])

    def next(self) -> dict[str, Any]:
        """The next message; events are noted on the way."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], SECONDS)
            assert ready, "the browser is silent"
            got = os.read(self.read, 1 << 16)
            assert got, "the browser is gone"
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        params, method = message.get("params", {}), str(message.get("method", ""))
        self.seen.add(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.messages.append(params["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.messages.append(json.dumps(params))
        return message

    def open(self, page: Path, width: int, *, dark: bool = False) -> None:
        """Show a file at this width in pixels, and wait until it is all there."""
        self.messages.clear()
        self.requests.clear()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                 mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.seen.clear()
        self.ask("Page.navigate", url=page.absolute().as_uri())
        while "Page.loadEventFired" not in self.seen:
            self.next()

    def value(self, expression: str) -> Any:
        """What an expression comes to on the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")


@contextmanager
def browser(path: str) -> Iterator[Browser]:
    """A browser with one empty page, its profile in a folder that goes with it."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        quiet = os.open(os.devnull, os.O_RDWR)
        pid = os.posix_spawn(
            path,
            [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            {**os.environ, "HOME": profile},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, quiet, 1),
                (os.POSIX_SPAWN_DUP2, quiet, 2),
                (os.POSIX_SPAWN_DUP2, to_read, 3),
                (os.POSIX_SPAWN_DUP2, from_write, 4),
            ],
        )
        for descriptor in (to_read, from_write, quiet):
            os.close(descriptor)
        page = Browser(to_write, from_read)
        try:
            target = page.ask("Target.createTarget", url="about:blank")["targetId"]
            attached = page.ask("Target.attachToTarget", targetId=target, flatten=True)
            page.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                page.ask(f"{domain}.enable")
            yield page
            page.session = ""
            page.ask("Browser.close")
        finally:
            os.close(to_write)
            os.close(from_read)
            os.waitpid(pid, 0)
