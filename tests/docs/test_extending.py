"""docs/extending.md: what it tells to write is taken from the page and done."""

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from autotune.base.errors import BadInput
from autotune.base.manifest import weights_in
from autotune.cli.main import run
from autotune.config.load import profile_path, read_profile
from autotune.data.formats import FORMATS
from autotune.data.load import load_conversations
from autotune.export.place import Made, whole_export
from autotune.protocol.job import on_the_computer
from autotune.protocol.plan import DataSpec
from autotune.score.registry import SCORERS
from autotune.sources.digest import sha256_of
from autotune.worker.memory.base import MemoryBackend
from tests.docs.pages import fenced_under, page
from tests.worker.memory.memory_contract import MIB, MemoryContract

PAGE = page("extending.md")
LACKS = "no text under 'question' or 'answer'"
LAST_STRATEGY = re.compile(r"^\[\[strategy\]\](?!.*^\[\[strategy\]\])", re.MULTILINE | re.DOTALL)


def written(heading: str) -> dict[str, Any]:
    """What the one Python block below a heading defines."""
    (code,) = fenced_under(PAGE, heading, "python")
    found: dict[str, Any] = {"__name__": "the_page"}
    exec(compile(code, f"docs/extending.md, {heading}", "exec"), found)
    return found


def lines(path: Path, *records: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return str(path)


def test_its_commands_write_a_profile_that_takes_the_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy, measured, _ = fenced_under(PAGE, "A profile", "bash")[0].splitlines()
    assert run(shlex.split(copy, comments=True)[1:]) == 0
    assert run([*shlex.split(measured, comments=True)[1:], "--device", "cpu"]) == 0
    assert read_profile(tmp_path / "here.toml").machine.device == "cpu"
    path, (table, _) = tmp_path / "mine.toml", fenced_under(PAGE, "A profile", "toml")
    text = path.read_text(encoding="utf-8")
    (last,) = LAST_STRATEGY.finditer(text)
    at = last.start()
    path.write_text(f"{text[:at]}{table}\n{text[at:]}", encoding="utf-8")
    *_, mine, fallback = read_profile(path).strategies
    assert (mine.name, mine.learning_rate, mine.model_max_length) == ("F", 2e-4, "fits")
    assert mine.search and fallback.fallback


def test_what_is_wrong_in_a_profile_is_said_as_the_page_has_it(tmp_path: Path) -> None:
    _, table = fenced_under(PAGE, "A profile", "toml")
    (expected,) = fenced_under(PAGE, "A profile", "text")
    shipped = profile_path("rtx4060-laptop-8gb").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(f"{shipped}\n{table}", encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_profile(path)
    assert str(caught.value).replace(str(path), path.name) == expected.rstrip("\n")


def test_its_scorer_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = fenced_under(PAGE, "A scorer", "text")
    name, where = re.findall(r'"([^"]+)"', line)
    scorer = written("A scorer")[where.partition(":")[2]]
    monkeypatch.setitem(SCORERS, name, scorer)
    texts = ("It is wide and grey.", "It is " + "very " * 20 + "wide.", "")
    asked = [{"prompt": f"Describe sea number {at}.", "words": 12} for at in range(3)]
    given = [
        {"prompt": a["prompt"], "response": t, "finish": "stop"}
        for a, t in zip(asked, texts, strict=True)
    ]
    arguments = [
        *("eval", "--scorer", name, "--prompts", lines(tmp_path / "p.jsonl", *asked)),
        *("--responses", lines(tmp_path / "a.jsonl", *given), "--json"),
    ]
    assert run(arguments) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert (found["scorer"], found["n"], found["prompt_strict"]["passes"]) == (name, 3, 1)
    assert "23 words, 1 to 12 are right" in " ".join(told.err.replace("│", " ").split())
    bad = lines(tmp_path / "bad.jsonl", {"prompt": "Describe.", "words": "few"})
    arguments[arguments.index("--prompts") + 1] = bad
    assert run(arguments) == 2
    assert "bad.jsonl:1: needs a prompt and words" in capsys.readouterr().err


def test_its_data_format_is_detected_and_what_lacks_a_text_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "question_answer", FORMATS["alpaca"])  # so the page's goes again
    written("A data format")
    data = lines(
        tmp_path / "qa.jsonl",
        {"question": "How wide is the sea?", "answer": "Wide."},
        {"question": "How deep is it?", "answer": 11},
    )
    found = load_conversations(DataSpec(path=data, format="auto"))
    assert (found.format, found.dropped) == ("question_answer", {LACKS: 1})
    (talk,) = found.conversations
    assert talk.rounds[0].user.content == "How wide is the sea?"


def test_its_export_is_whole_and_takes_the_place_of_its_own_kind_only(tmp_path: Path) -> None:
    export = written("An export")["export_checksums"]
    model, out = tmp_path / "model", tmp_path / "out"
    model.mkdir()
    weights = model / "model.safetensors"
    weights.write_bytes(b"weights")
    made = Made.model_construct(to=cast(Any, "checksums"), weights=weights_in(model))
    with whole_export(out, made) as work:
        export(model, work)
    expected = f"{sha256_of(weights)}  model.safetensors\n"
    assert (out / "SHA256SUMS").read_text(encoding="utf-8") == expected
    with (
        pytest.raises(ZeroDivisionError),
        whole_export(tmp_path / "half", made) as work,
    ):
        export(model, work)
        raise ZeroDivisionError
    assert not (tmp_path / "half").exists()


class Block:
    """Memory of the played device; it is given back when nothing refers to it."""

    def __init__(self, held: list[int], size: int) -> None:
        self.held, self.size = held, size
        held.append(size)

    def __del__(self) -> None:
        self.held.remove(self.size)


@pytest.mark.torch
class TestItsMeter(MemoryContract):
    @pytest.fixture
    def held(self) -> list[int]:
        return [MIB]

    @pytest.fixture
    def backend(self, held: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryBackend]:
        import torch

        played: dict[str, Callable[..., Any]] = {
            "current_allocated_memory": lambda: sum(held),
            "driver_allocated_memory": lambda: sum(held),
            "recommended_max_memory": lambda: 2**34,
            "set_per_process_memory_fraction": lambda fraction: None,
            "empty_cache": lambda: None,
        }
        for name, does in played.items():
            assert hasattr(torch.mps, name)
            monkeypatch.setattr(torch.mps, name, does)
        yield written("A device")["open_mps"](on_the_computer()).memory

    @pytest.fixture
    def take(self, held: list[int]) -> Callable[[int], Any]:
        return lambda size: Block(held, size)


def test_every_file_that_the_page_names_is_there_and_holds_what_it_says() -> None:
    package = Path(__file__).resolve().parents[2]
    named = set(
        re.findall(
            r"`((?:autotune|tests|profiles|protocol|device|worker|export|cli)/[\w/.]*)`", PAGE
        )
    )
    told_to_write = {"autotune/score/brief/scorer.py"}
    assert len(named) > 12
    for name in sorted(named - told_to_write):
        assert (package / name).exists() or (package / "autotune" / name).exists(), name
    holds = {
        "score/registry.py": "SCORERS",
        "data/formats.py": "FORMATS",
        "protocol/device_kind.py": "OWN_MEMORY",
        "export/place.py": "Form",
        "cli/export.py": "next_step",
    }
    for file, word in holds.items():
        tree = ast.parse((package / "autotune" / file).read_text(encoding="utf-8"))
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        names |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        assert word in names, file
