"""The hub, played by a server on this machine: what is taken, and how soon silence is given up."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.sources.hub import HubUnreachable, hub_file, hub_folder
from autotune.sources.known_architectures import KNOWN

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
SAFETENSORS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(4)
TOKEN = "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"

REPOSITORIES: dict[str, dict[str, bytes]] = {
    "models/good/model": {
        "config.json": b'{"model_type": "llama"}',
        "tokenizer.json": b"{}",
        "model.safetensors": SAFETENSORS,
        "pytorch_model.bin": b"a pickle",
        "modeling_custom.py": b"raise SystemExit",
    },
    "models/old/pickles": {"config.json": b"{}", "pytorch_model.bin": b"a pickle"},
    "datasets/good/chat": {"README.md": b"# x", "chat.json": b"[]", "dataset_infos.json": b"{}"},
    "datasets/good/split": {"train.jsonl": b"{}\n", "test.jsonl": b"{}\n"},
    "datasets/many/files": {"a.json": b"[]", "b.json": b"[]"},
    "datasets/only/parquet": {"data/train.parquet": b"PAR1"},
}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as its client asks for to fetch files of a repository."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        if path.startswith("api/"):
            self._api(path.removeprefix("api/"))
        else:
            self._file(path)

    do_HEAD = do_GET

    def _api(self, path: str) -> None:
        files = next((f for name, f in REPOSITORIES.items() if path.startswith(name)), None)
        if files is None:
            self._send(b'{"error": "Repository not found"}', 404, error="RepoNotFound")
        elif "/tree/" in path:
            rows = [
                {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                for n, c in files.items()
            ]
            self._send(json.dumps(rows).encode())
        else:
            siblings = [{"rfilename": name} for name in files]
            info = {"id": "x/y", "sha": COMMIT, "siblings": siblings, "private": False}
            self._send(json.dumps(info).encode())

    def _file(self, path: str) -> None:
        repo, _, rest = path.partition("/resolve/")
        kind = "" if repo.startswith("datasets/") else "models/"
        content = REPOSITORIES.get(kind + repo, {}).get(rest.partition("/")[2])
        if content is None:
            self._send(b"", 404, error="EntryNotFound")
        else:
            self._send(content)

    def _send(self, body: bytes, status: int = 200, error: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """The address of a hub that holds `REPOSITORIES`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a machine that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def resolve(home: Path, endpoint: str, *questions: tuple[str, str]) -> list[tuple[str, float]]:
    """The label and path, or the error, of each (function, text), with the seconds it took.

    In a process of its own: the hub's client reads its settings when it is imported.
    """
    code = (
        "import sys, time\n"
        "import huggingface_hub, huggingface_hub.errors\n"
        "from autotune.base.errors import AutotuneError\n"
        "from autotune.sources.architecture import resolve_architecture\n"
        "from autotune.sources.dataset import demand_hub_data, resolve_data\n"
        "from autotune.sources.hub import as_hub_id\n"
        "from autotune.sources.model import ModelSource, demand_hub_model, resolve_model\n"
        "def demand_model(text):\n"
        "    demand_hub_model(as_hub_id(text))\n"
        "    return ModelSource('folder', 'is there', text)\n"
        "def demand_data(text):\n"
        "    demand_hub_data(as_hub_id(text))\n"
        "    return ModelSource('folder', 'is there', text)\n"
        "def without_weights(text):\n"
        "    return resolve_model(text, weights=False)\n"
        f"for name, text in {list(questions)!r}:\n"
        "    start = time.monotonic()\n"
        "    try:\n"
        "        found = globals()[name](text)\n"
        "        line = f'{found.label} {getattr(found, \"folder\", None) or found.path}'\n"
        "    except AutotuneError as error:\n"
        "        line = f'{type(error).__name__} {error}'\n"
        "    print(time.monotonic() - start, line, flush=True)\n"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environ |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "SMOLSFT_CACHE": str(home / "ours"),
        "NO_PROXY": "127.0.0.1",
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert "Retrying" not in done.stderr, "the hub's client says what only the last line is for"
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return [(text, float(seconds)) for seconds, _, text in lines]


def test_repositories_are_fetched_at_a_commit_without_pickles_or_code(
    hub: str, tmp_path: Path
) -> None:
    answers = resolve(
        tmp_path,
        hub,
        ("resolve_model", "good/model"),
        ("resolve_model", "old/pickles"),
        ("resolve_model", "no/such"),
        ("resolve_architecture", "no/such"),
        ("resolve_data", "good/chat"),
        ("resolve_data", "good/split"),
        ("resolve_data", "many/files"),
        ("resolve_data", "only/parquet"),
        ("resolve_data", "no/such"),
    )
    model, pickles, no_model, no_config, chat, split, many, parquet, no_data = (
        text for text, _ in answers
    )
    folder = Path(model.removeprefix("good/model "))
    assert folder.name == COMMIT
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert pickles.startswith("BadInput model old/pickles: the repository has no .safetensors")
    assert no_model.startswith("BadInput model no/such: the hub has no such model, or it is priva")
    assert no_config == no_model
    assert (
        chat.endswith("chat.json") and Path(chat.removeprefix("good/chat ")).read_bytes() == b"[]"
    )
    assert split.endswith("train.jsonl")
    assert many.startswith("BadInput data many/files: the dataset holds 2 JSON files (a.json, b.js")
    assert "holds no .json or .jsonl file, only .parquet" in parquet
    assert no_data.startswith("BadInput dataset no/such: the hub has no such dataset")


def test_what_was_fetched_before_is_used_when_the_hub_is_gone(hub: str, tmp_path: Path) -> None:
    asked = (
        ("resolve_architecture", "good/model"),
        ("resolve_model", "good/model"),
        ("resolve_data", "good/chat"),
    )
    online = [text for text, _ in resolve(tmp_path, hub, *asked)]
    offline = [text for text, _ in resolve(tmp_path, "http://127.0.0.1:9", *asked)]
    assert offline == online


def test_who_needs_a_tokenizer_only_fetches_no_weights_and_may_fetch_them_later(
    hub: str, tmp_path: Path
) -> None:
    light = ("without_weights", "good/model")
    whole = ("resolve_model", "good/model")
    ((text, _),) = resolve(tmp_path, hub, light)
    folder = Path(text.removeprefix("good/model "))
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "tokenizer.json"]
    again, missing = resolve(tmp_path, "http://127.0.0.1:9", light, whole)
    assert again[0] == text
    assert missing[0].startswith("EnvironmentFault model good/model: the Hugging Face hub cannot")
    assert resolve(tmp_path, hub, whole)[0][0] == text
    assert (folder / "model.safetensors").exists()


def test_no_hub_is_one_line_that_names_the_demo(tmp_path: Path) -> None:
    answers = resolve(
        tmp_path,
        "http://127.0.0.1:9",
        ("resolve_model", "HuggingFaceTB/SmolLM2-135M"),
        ("resolve_architecture", "some/model"),
        ("resolve_data", "PeterV09/smol-smoltalk-6k"),
    )
    for text, seconds in answers:
        assert text.startswith("EnvironmentFault")
        assert "hub cannot be reached" in text
        assert "smolsft-autotune demo" in text
        assert seconds < 5  # one connection, and no retry


def test_the_architecture_of_a_known_model_needs_no_hub(tmp_path: Path) -> None:
    asked = [("resolve_architecture", name) for name in KNOWN]
    answers = resolve(tmp_path, "http://127.0.0.1:9", *asked)
    assert [text.split()[0] for text, _ in answers] == list(KNOWN)
    for text, _ in answers:
        folder = Path(text.partition(" ")[2])
        assert folder.is_relative_to(tmp_path)
        assert json.loads((folder / "config.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "millions"), [("135M", 134.5), ("360M", 361.8), ("1.7B", 1711.4)])
def test_a_known_architecture_has_as_many_parameters_as_its_model(
    name: str, millions: float
) -> None:
    config = KNOWN[f"HuggingFaceTB/SmolLM2-{name}"]
    width, inner = config["hidden_size"], config["intermediate_size"]
    keys = width // config["num_attention_heads"] * config["num_key_value_heads"]
    layer = 2 * width * width + 2 * width * keys + 3 * width * inner + 2 * width
    parameters = config["vocab_size"] * width + config["num_hidden_layers"] * layer + width
    assert round(parameters / 1e6, 1) == millions


def test_what_the_hub_has_not_is_known_before_anything_is_fetched(hub: str, tmp_path: Path) -> None:
    asked = [("demand_model", name) for name in ("good/model", "old/pickles", "no/such")]
    asked += [("demand_data", name) for name in ("good/chat", "many/files", "no/such")]
    answers = [text for text, _ in resolve(tmp_path, hub, *asked)]
    assert answers[0::3] == ["good/model is there", "good/chat is there"]
    assert "never loaded; choose a model with safetensors" in answers[1]
    assert answers[2].startswith("BadInput model no/such: the hub has no such model")
    assert "the dataset holds 2 JSON files (a.json, b.json)" in answers[4]
    assert answers[5].startswith("BadInput dataset no/such: the hub has no such dataset")
    assert not list(tmp_path.rglob("*.json*")) and not list(tmp_path.rglob("*.safetensors"))
    resolve(tmp_path, hub, ("resolve_model", "good/model"), ("resolve_data", "good/chat"))
    offline = resolve(tmp_path, "http://127.0.0.1:9", *asked[0::3], ("demand_model", "no/copy"))
    assert [text for text, _ in offline[:2]] == answers[0::3], "a copy will do"
    assert "cannot be reached and no copy is cached" in offline[2][0]


XET = "Task error: File reconstruction error: {}"
"""How the library that brings the hub's large files speaks: all that goes wrong is this one type,
or a type of its own that derives from one of Python's."""

FULL = (
    "Es steht nicht genug Speicherplatz zur Verfügung. (os error 112)"
    if os.name == "nt"
    else "No space left on device (os error 28)"
)


def refused_token(text: str) -> Exception:
    """An error of that library's own, which Python takes for one of the disk."""
    kind = type("XetAuthenticationError", (PermissionError,), {"__module__": "hf_xet"})
    return kind(text)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            RuntimeError(XET.format("CAS Client Error: Request error: connection closed")),
            HubUnreachable,
            None,
        ),
        (refused_token("401 Unauthorized"), HubUnreachable, None),
        (
            RuntimeError(XET.format(f"IO Error: {FULL}")),
            EnvironmentFault,
            r"dataset good/chat: cannot be stored \(no space left.*\); free disk space or set",
        ),
    ],
)
def test_a_download_that_breaks_off_is_no_fault_of_the_tool(
    error: Exception, kind: type[Exception], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_off(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", breaks_off)
    monkeypatch.setattr("huggingface_hub.snapshot_download", breaks_off)
    with pytest.raises(kind, match=said):
        hub_file("good/chat", "dataset", None, "chat.json")
    with pytest.raises(kind, match=said):
        hub_folder("good/chat", "dataset", None, ("*.json",))
    with pytest.raises(kind, match=said):
        hub_file("good/chat", "dataset", None, "chat.json", lambda _: None)


@pytest.mark.slow
def test_a_hub_that_never_answers_is_given_up_within_15_seconds(
    silent: str, tmp_path: Path
) -> None:
    ((text, seconds),) = resolve(tmp_path, silent, ("resolve_model", "good/model"))
    assert "hub cannot be reached" in text
    assert seconds < 15
