"""A download is in sight: a bar on a terminal, plain lines elsewhere, nothing where JSON stands."""

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autotune.cli.console import Speaker, human_console, say_on
from autotune.sources import download
from autotune.sources.download import arrived, download_lines, watched
from autotune.sources.wheel import wheel_file
from tests.sources.test_wheel import make_wheel, wanted

PIECES = 8


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, legacy_windows=False)


def shown(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_a_terminal_gets_a_bar_with_megabytes_and_a_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LOOK_SECONDS", 0.02)
    on = console(terminal=True)
    with watched(Speaker(on), "model.gguf", 4_000_000, tmp_path):
        for count in range(1, 5):
            (tmp_path / f"part{count}").write_bytes(bytes(1_000_000))
            time.sleep(0.15)
    assert "model.gguf" in shown(on)
    assert "2.0/4.0 MB" in shown(on)
    assert "MB/s" in shown(on)


def test_elsewhere_it_is_a_line_every_few_seconds() -> None:
    said: list[str] = []
    times = iter([0.0, 1.0, 5.0, 6.0, 9.0, 10.0])
    with download_lines(said.append, "model.gguf", 93_000_000, lambda: next(times)) as show:
        for megabytes in (3, 20, 21, 33, 40):
            show(megabytes * 1_000_000)
    assert said == [
        "fetching model.gguf: 20 of 93 MB, 4.0 MB/s",
        "fetching model.gguf: 40 of 93 MB, 4.0 MB/s",
    ]


def test_what_a_pipe_is_shown_has_no_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(download, "LINE_SECONDS", 0.0)
    on = console(terminal=False)
    with watched(say_on(on), "good/model", None, tmp_path):
        (tmp_path / "blob").write_bytes(bytes(2_000_000))
        time.sleep(0.1)
    lines = shown(on).splitlines()
    assert lines and all(line.startswith("fetching good/model: 2 MB, ") for line in lines)


def test_with_json_nothing_of_it_is_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(download, "LINE_SECONDS", 0.0)
    with watched(say_on(human_console(as_json=True)), "good/model", None, tmp_path):
        time.sleep(0.05)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "fetching good/model" in printed.err


def test_folders_that_go_while_they_are_looked_at_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip-unpack").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "part").write_bytes(bytes(7))
    scandir = os.scandir

    def racing(path: Any = ".") -> Any:
        if Path(path).name == "pip-unpack":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", racing)
    assert arrived(tmp_path) == 7


@pytest.fixture
def slow_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """A page with one wheel, which is sent piece by piece over two seconds; its content."""
    folder = tmp_path / "index"
    folder.mkdir()
    content = bytes(range(256)) * 4096
    make_wheel(folder, content)
    (wheel,) = folder.iterdir()
    sent = wheel.read_bytes()

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'<!DOCTYPE html><html><body><a href="{wheel.name}">x</a></body></html>'
            body = sent if self.path.endswith(".whl") else page.encode()
            self.send_response(200)
            kind = "application/zip" if body is sent else "text/html"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            size = len(body) // PIECES + 1
            for at in range(0, len(body), size):
                self.wfile.write(body[at : at + size])
                self.wfile.flush()
                time.sleep(0.2 if body is sent else 0)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "no-such-file"))
        monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield content
        server.shutdown()


class Seen:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.arrived: list[int] = []

    def __call__(self, line: str) -> None:
        self.said.append(line)

    @contextmanager
    def download(self, title: str, total_bytes: int | None) -> Iterator[Callable[[int], None]]:
        yield self.arrived.append


def test_what_pip_has_brought_so_far_is_seen(
    slow_index: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LOOK_SECONDS", 0.05)
    seen = Seen()
    assert wheel_file(wanted(slow_index), seen).read_bytes() == slow_index
    assert seen.said[0].startswith("fetching data.bin (1 MB, tiny-pkg==1.0)")
    between = {done for done in seen.arrived if 0 < done < len(slow_index) * 0.9}
    assert len(between) >= 3
