"""The survey job's rows for people and for scripts: samples, features, roles, stop tokens."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autotune.data.load import load_conversations
from autotune.data.survey import Survey, SurveyFile
from autotune.protocol.choices import Supervision, Truncation
from autotune.protocol.inspection import Inspection, InspectionSpec
from autotune.protocol.job import SurveyJob
from autotune.worker.channel import Pipe
from autotune.worker.model import load_tokenizer
from autotune.worker.survey import job as survey_module
from autotune.worker.survey.job import survey
from autotune.worker.survey.samples import text_runs
from autotune.worker.tokens.encode import IGNORED, ChatCodec, Row, kept_rows
from autotune.worker.toy import toy_tokenizer
from tests.worker import toys

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer and nothing else."""
    folder = tmp_path_factory.mktemp("tokenizer")
    toy_tokenizer().save_pretrained(folder)
    return folder


def talk(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": t} for at, t in enumerate(texts)]}


def surveyed(
    folder: Path,
    model: Path,
    *records: dict[str, Any],
    length: int = 512,
    rounds: Any = "all",
    samples: int = 2,
    features: bool = True,
    **data: Any,
) -> tuple[Survey, Inspection, list[dict[str, list[int]]], SurveyJob]:
    """Do a survey job here, and read all that it writes."""
    chat = folder / "chat.jsonl"
    chat.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    job = SurveyJob(
        device=toys.device(),
        model_folder=str(model),
        data=toys.data_spec(chat, **data),
        out=str(folder / "survey.json"),
        inspection=InspectionSpec(
            model_max_length=length,
            max_rounds=rounds,
            samples=samples,
            out=str(folder / "inspection.json"),
            features=str(folder / "features.jsonl") if features else None,
        ),
    )
    survey(job, Pipe(io.BytesIO()))
    file = SurveyFile.model_validate_json((folder / "survey.json").read_bytes())
    found = Inspection.model_validate_json((folder / "inspection.json").read_bytes())
    path = folder / "features.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if features else []
    return Survey(file, job.data.truncation), found, [json.loads(x) for x in lines], job


RECORDS = [
    talk("hi", "hello", "more?", "yes, more"),
    talk("p" * 200, "too late"),
    talk("why?", "because " * 20),
    {"messages": [{"role": "narrator", "content": "x"}]},
]


@pytest.mark.parametrize("truncation", Truncation)
@pytest.mark.parametrize("supervision", Supervision)
def test_features_are_the_rows_that_training_keeps_unpadded_and_in_order(
    tmp_path: Path, model: Path, supervision: Supervision, truncation: Truncation
) -> None:
    data, _, features, job = surveyed(
        *(tmp_path, model, *RECORDS),
        length=128,
        rounds=1,
        supervision=supervision,
        truncation=truncation,
    )
    codec = ChatCodec(load_tokenizer(model), supervision)
    rows = kept_rows(
        codec,
        load_conversations(job.data).conversations,
        max_rounds=1,
        model_max_length=128,
        truncation=truncation,
    )
    assert features == [{"input_ids": r.input_ids, "labels": r.labels} for r in rows]
    kept = data.kept(128, 1)
    assert len(features) == kept.conversations
    assert sum(len(f["input_ids"]) for f in features) == kept.tokens
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_samples_are_the_first_rows_that_keep_something_with_their_text(
    tmp_path: Path, model: Path
) -> None:
    _, found, features, _ = surveyed(tmp_path, model, *RECORDS, length=128)
    assert [s.conversation for s in found.samples] == [0, 2]
    assert [s.tokens for s in found.samples] == [len(f["input_ids"]) for f in features]
    first = found.samples[0]
    assert "".join(run.text for run in first.runs) == (
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>\n"
        "<|im_start|>user\nmore?<|im_end|>\n<|im_start|>assistant\nyes, more<|im_end|>\n"
    )
    trained = "".join(run.text for run in first.runs if run.trained)
    assert trained == "hello<|im_end|>yes, more<|im_end|>"
    assert first.supervised_tokens == sum(len(run.ids) for run in first.runs if run.trained)
    assert [i for run in first.runs for i in run.ids] == features[0]["input_ids"]


def test_the_survey_is_the_same_with_and_without_an_inspection(tmp_path: Path, model: Path) -> None:
    looked = surveyed(tmp_path, model, *RECORDS, features=False)
    job = looked[3].model_copy(update={"inspection": None, "out": str(tmp_path / "other.json")})
    survey(job, Pipe(io.BytesIO()))
    assert (tmp_path / "other.json").read_bytes() == (tmp_path / "survey.json").read_bytes()
    assert len(looked[1].samples) == 2
    assert not (tmp_path / "features.jsonl").exists()


def test_roles_are_counted_as_they_stand_and_by_the_side_that_they_speak_for(
    tmp_path: Path, model: Path
) -> None:
    def turn(role: str) -> dict[str, str]:
        return {"from": role, "value": "x"}

    records = [
        {"conversations": [turn("system"), turn("human"), turn("gpt")]},
        {"conversations": [turn("observation"), turn("function_call")]},
        {"conversations": [turn("human"), turn("gpt"), turn("tool")]},
        {"conversations": [turn("human"), turn("narrator")]},
        {"conversations": [turn("gpt"), turn("human")]},
        {"conversations": [turn("human"), turn("human"), turn("gpt")]},
        {"conversations": [turn("system")]},
    ]
    data, found, _, _ = surveyed(tmp_path, model, *records, max_conversations=2)
    assert found.roles == {"system": 1, "user": 2, "assistant": 2}
    assert found.source_roles == {
        "system": 1,
        "human": 2,
        "gpt": 2,
        "observation": 1,
        "function_call": 1,
        "tool": 1,
    }
    assert (found.format, found.left_out, found.trimmed) == ("conversations", 1, 1)
    assert data.file.dropped == {
        "unknown role 'narrator'": 1,
        "first turn by the assistant": 1,
        "two user turns running": 1,
        "only system": 1,
    }


def test_the_token_that_ends_a_turn_is_reported_beside_the_tokenizers_eos(
    tmp_path: Path, model: Path
) -> None:
    stop = surveyed(tmp_path, model, *RECORDS)[1].stop
    assert (stop.end_token, stop.end_id) == ("<|im_end|>", 2)
    assert (stop.eos_token, stop.eos_id) == ("<|endoftext|>", 0)


def test_a_template_token_in_a_text_is_counted_and_never_shown_as_one(
    tmp_path: Path, model: Path
) -> None:
    data, found, features, _ = surveyed(
        tmp_path, model, talk("say <|im_end|>", "I will: <|im_end|> there")
    )
    assert data.file.literal_markers == 2
    runs = found.samples[0].runs
    assert [run.text for run in runs if run.marker].count("<|im_end|>") == 2
    assert "I will: <|im_end|> there" in [run.text for run in runs]
    assert features[0]["input_ids"].count(2) == 2


def test_a_long_run_shows_its_ends_and_counts_the_rest(model: Path) -> None:
    tokenizer = load_tokenizer(model)
    ids = tokenizer.encode("e" + "é" * 500 + "e")
    runs = text_runs(Row(ids, ids), tokenizer, frozenset({1, 2}))
    assert [run.trained for run in runs] == [True, True, True]
    assert sum(len(run.ids) + run.hidden_tokens for run in runs) == len(ids) == 1002
    assert runs[1].hidden_tokens > 900 and runs[1].text == ""
    assert set(runs[0].text + runs[2].text) == {"e", "é"}, "a character that is cut is left out"


def test_a_row_of_hundreds_of_turns_is_shown_by_its_first(model: Path) -> None:
    tokenizer = load_tokenizer(model)
    ids = [1, 100, 2] * 400
    runs = text_runs(Row(ids, [IGNORED] * len(ids)), tokenizer, frozenset({1, 2}))
    assert len(runs) < 30
    assert sum(len(run.ids) + run.hidden_tokens for run in runs) == len(ids)


def test_a_long_survey_says_now_and_then_that_it_goes_on_and_loads_no_model_code(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_module, "SIGN_OF_LIFE_ROWS", 2)
    chat = tmp_path / "chat.jsonl"
    chat.write_text("".join(json.dumps(talk("q", "a")) + "\n" for _ in range(7)), encoding="utf-8")
    job = SurveyJob(
        device=toys.device(),
        model_folder=str(model),
        data=toys.data_spec(chat),
        out=str(tmp_path / "survey.json"),
    )
    said = io.BytesIO()
    survey(job, Pipe(said))
    signs = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [sign["kind"] for sign in signs] == ["phase"] * 5 + ["surveyed"]
    code = "import sys, autotune.worker.survey.job; print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
