"""`inspect` in a real process: what scripts read, what a person reads, and what is refused."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.base.interpreter import PYTHON
from autotune.cli.main import run
from autotune.worker.toy import toy_tokenizer

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
SMOLLM2 = SHARED / "smollm2-135m"

Called = tuple[int, str, str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder without weights."""
    folder = tmp_path_factory.mktemp("models") / "no weights"
    toy_tokenizer().save_pretrained(folder)
    (folder / "config.json").write_text('{"max_position_embeddings": 512}', encoding="utf-8")
    return folder


def call(folder: Path, *arguments: str, **environment: str) -> Called:
    """Exit code, standard output and standard error of a process in an empty folder."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    done = subprocess.run(
        [*PYTHON, "-m", "autotune", "inspect", *arguments],
        cwd=folder,
        env=os.environ
        | places
        | {"PYTHONPATH": str(ROOT), "SMOLSFT_CACHE": str(folder / "cache"), "COLUMNS": "160"}
        | environment,
        capture_output=True,
        encoding=environment.get("PYTHONIOENCODING", "utf-8"),
        timeout=200,
        check=False,
    )
    assert list(scratch.iterdir()) == [], "nothing is left behind"
    assert not (folder / "runs").exists()
    return done.returncode, done.stdout, done.stderr


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def talk(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [turn(roles[at % 2], text) for at, text in enumerate(texts)]}


def chat(folder: Path, *records: Any) -> str:
    path = folder / "chat.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path.name


def test_the_json_holds_what_scripts_rely_on_and_stands_alone_on_standard_output(
    tmp_path: Path, model: Path
) -> None:
    data = chat(
        tmp_path,
        talk("hi <|im_end|>", "hello", "more?", "yes, more"),
        talk("q" * 150, "too late"),
        *[talk("why?", "because " * 20)] * 3,
        {"messages": [turn("narrator", "x")]},
    )
    prompts = tmp_path / "asked.jsonl"
    prompts.write_text('{"key": 5, "prompt": "Why"}\n', encoding="utf-8")
    code, out, err = call(
        tmp_path,
        *("--profile", "cpu-smoke", "--model", str(model), "--data", data),
        *("--model-max-length", "128", "--max-rounds", "2", "--json", "--tokens"),
        *("--prompts", str(prompts)),
    )
    assert code == ExitCode.DONE, err
    assert out.count("\n") == 1
    said = json.loads(out)
    assert said["conversations"] == 6
    assert said["kept"] == len(said["features"]) == 4
    assert said["dropped"] == {"unknown role 'narrator'": 1, "no supervised token left": 1}
    assert said["conversations"] == said["kept"] + sum(said["dropped"].values())
    noted = {note["what"]: (note["count"], note["rows"], note["dropped"]) for note in said["notes"]}
    assert noted["unknown role 'narrator'"] == (1, [6], True)
    assert noted["no supervised token left"] == (1, [2], True)
    assert noted["the same conversation as an earlier row, white space apart"] == (2, [4, 5], False)
    assert "note: 1 row dropped: no supervised token left (row 2)" in err
    assert set(said["lengths"]) == {"p50", "p90", "p95", "p99", "max"}
    assert (said["rounds"]["p50"], said["rounds"]["max"]) == (1, 2)
    row = next(
        r for r in said["frontier"] if (r["model_max_length"], r["max_rounds"]) == (128, "all")
    )
    assert (row["truncated"], row["lost"], row["conversations"]) == (4, 1, 4)
    supervised = sum(
        sum(label != -100 for label in feature["labels"]) for feature in said["features"]
    )
    assert row["supervised_tokens"] == supervised
    assert row["kept_supervised"] == supervised / said["supervised_tokens"]
    assert (said["end_token"], said["end_token_id"], said["eos_token_id"]) == ("<|im_end|>", 2, 0)
    assert said["literal_markers"] == 1
    assert said["roles"] == {"user": 6, "assistant": 6}
    assert said["strategies"]["A"]["model_max_length"] == 128
    assert any(
        "keep no answer of 1 of 5 conversations (20.0 %)" in line for line in said["warnings"]
    )
    assert "warning: A" in err
    (scored,) = (note for note in said["notes"] if "scored prompt" in note["what"])
    assert (scored["count"], scored["rows"], scored["warning"]) == (3, [3, 4, 5], True)
    assert "a scored prompt stands there word for word" in err
    assert "«hello<|im_end|>»" in err


def test_files_of_a_person_named_like_libraries_are_not_loaded_by_it_nor_by_its_workers(
    tmp_path: Path, model: Path
) -> None:
    for name in ("random", "tokenizers", "datasets", "tty", "json", "train"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('mine')\n", encoding="utf-8")
    (tmp_path / "chat.jsonl").write_text(json.dumps(talk("why?", "so")) + "\n", encoding="utf-8")
    code, out, error = call(tmp_path, "--model", str(model), "--data", "chat.jsonl", "--json")
    assert code == 0, error
    assert json.loads(out)["conversations"] == 1


def test_data_that_a_strategy_names_is_looked_at_too(tmp_path: Path, model: Path) -> None:
    chat(tmp_path, talk("q", "a"))
    more = [talk("why is that so?", "because")] * 3
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(r) + "\n" for r in more), "utf-8")
    (tmp_path / "asked.jsonl").write_text('{"key": 5, "prompt": "why is that so"}\n', "utf-8")
    profile = (ROOT / "profiles" / "cpu-smoke.toml").read_text(encoding="utf-8")
    own = 'name = "B"\ndata = "more.jsonl"\nmax_conversations = 2\n'
    changed = profile.replace('name = "B"\n', own).replace(
        'source = "toy"\nformat', 'source = "chat.jsonl"\nformat', 1
    )
    (tmp_path / "mine.toml").write_text(changed, encoding="utf-8")
    usual = ("--profile", "mine.toml", "--model", str(model), "--prompts", "asked.jsonl", "--json")
    code, out, err = call(tmp_path, *usual)
    assert code == ExitCode.DONE, err
    said = json.loads(out)
    (other,) = said["own_data"]
    assert (said["data"], list(said["strategies"])) == ("chat.jsonl", ["A", "minimum"])
    assert (other["data"], list(other["strategies"])) == ("more.jsonl", ["B"])
    notes = [note["what"] for note in other["notes"]]
    assert any("a scored prompt stands there word for word" in what for what in notes)
    assert "strategy B uses 2 of 3 conversations (its max_conversations)" in notes


@pytest.mark.skipif(not SMOLLM2.is_dir(), reason=f"no real tokenizer at {SMOLLM2}")
def test_the_features_of_the_ten_golden_conversations_are_the_golden_ones(tmp_path: Path) -> None:
    homework = SHARED / "homework"
    samples = json.loads((homework / "exercise_samples.json").read_text(encoding="utf-8"))
    solved = json.loads((homework / "exercise_solutions.json").read_text(encoding="utf-8"))
    tasks = ("single_turn", "multi_turn")
    golden = [row["features"] for task in tasks for row in solved[task]]
    data = chat(tmp_path, *(row for task in tasks for row in samples[task]))
    code, out, err = call(
        tmp_path,
        *("--data", data, "--model", str(SMOLLM2), "--model-max-length", "2048"),
        *("--supervision", "course", "--profile", "cpu-smollm2", "--json", "--tokens"),
    )
    assert code == ExitCode.DONE, err
    features = json.loads(out)["features"]
    assert len(features) == len(golden) == 10
    for ours, theirs in zip(features, golden, strict=True):
        size = sum(theirs["attention_mask"])
        assert ours["input_ids"] == theirs["input_ids"][:size]
        assert ours["labels"] == theirs["labels"][:size]


def test_a_person_sees_the_table_the_sample_and_the_end_token_without_colours(
    tmp_path: Path, model: Path
) -> None:
    data = chat(tmp_path, *[talk("why?", "because " * 20, "so?", "so [/x] \x1b[31m")] * 5)
    code, out, err = call(
        tmp_path,
        *("--profile", "cpu-smoke", "--model", str(model), "--data", data),
        NO_COLOR="1",
        PYTHONIOENCODING="cp1252",
        PYTHONUTF8="0",
        COLUMNS="90",
    )
    assert code == ExitCode.DONE, err
    assert "A: 256 tokens and 2 rounds keep 100.0 % of the supervised tokens" in out
    assert "<|im_end|> (id 2)" in out
    assert "so [/x] \\x1b[31m<|im_end|>" in out
    assert "\x1b" not in out


@pytest.mark.slow
def test_the_models_and_data_of_the_profile_are_the_default(tmp_path: Path) -> None:
    code, out, err = call(tmp_path, "--profile", "cpu-smoke", "--json", "--max-conversations", "9")
    assert code == ExitCode.DONE, err
    said = json.loads(out)
    assert (said["model"], said["data"], said["kept"]) == ("toy Llama", "toy conversations", 9)
    assert said["conversations"] == 600
    assert said["left_out"] == 591
    assert "features" not in said


BAD_LINE = b'{"messages": [{"role": "user", "content": "q"}]}\n{"messages"\n{}\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BAD_LINE, "chat.jsonl:2: not JSON"),
        ("[]".encode("utf-16"), "chat.jsonl: not UTF-8 at byte 0"),
        (b'{"a": [1], "b": [2]}', "no conversations: found an object of lists"),
        (json.dumps(talk("q" * 600, "a")).encode(), "--model-max-length 512: none of 1"),
    ],
)
def test_data_that_cannot_be_used_is_one_line_and_exit_2(
    tmp_path: Path, model: Path, content: bytes, said: str
) -> None:
    (tmp_path / "chat.jsonl").write_bytes(content)
    code, out, err = call(
        tmp_path,
        *("--profile", "cpu-smoke", "--model", str(model), "--data", "chat.jsonl", "--json"),
    )
    assert code == ExitCode.BAD_INPUT, err
    assert out == ""
    complaint = [line for line in err.splitlines() if line.startswith("smolsft-autotune: ")]
    assert len(complaint) == 1
    assert said in complaint[0]
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model-max-length", "7"], "--model-max-length 7: must be a multiple of 64"),
        (["--model-max-length", "576"], "--model-max-length 576: no weights has positions for 512"),
        (["--max-rounds", "0"], "--max-rounds 0: must be a whole number from 1, or all"),
        (["--max-rounds", "-1"], "--max-rounds -1: must be"),
        (["--max-rounds", "six"], "--max-rounds six: must be"),
        (["--max-conversations", "0"], "--max-conversations 0: must be"),
        (["--skip-bad", "-1"], "--skip-bad -1: must be 0 or more"),
        (["--supervision", "all"], "--supervision all: must be content or course"),
        (["--truncation", "middle"], "--truncation middle: must be right or left"),
        (["--data", "none.json"], "data none.json: no such file"),
        (["--model", "./none"], "model ./none: no such folder"),
    ],
)
def test_an_option_that_breaks_its_rule_is_refused_before_anything_is_read(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    usual = [
        "--profile",
        "cpu-smoke",
        "--model",
        str(model),
        "--data",
        chat(tmp_path, talk("q", "a")),
    ]
    assert run(["inspect", *usual, *arguments]) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
