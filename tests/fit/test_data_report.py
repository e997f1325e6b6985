"""What `inspect` counts, warns of and refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.data.survey import Survey, SurveyFile
from autotune.device.find import find_device
from autotune.fit.data_report import NO_TOKEN_LEFT, inspect_data
from autotune.protocol.choices import Truncation
from autotune.protocol.failure import Failure
from autotune.protocol.inspection import InspectionSpec
from autotune.protocol.job import Job, SurveyJob
from tests import inspections, setups
from tests.setups import Played


def survey_with_dropped(*rows: list[int], prompt: int = 3) -> SurveyFile:
    file = setups.survey(*rows, prompt=prompt).file
    return file.model_copy(update={"dropped": {"no assistant": 2}, "literal_markers": 1})


def test_records_are_kept_dropped_or_left_out_and_add_up() -> None:
    data = Survey(survey_with_dropped([60], [60], [60]), Truncation.RIGHT)
    seen = inspections.inspected(data, left_out=4)
    assert (seen.records, seen.chosen.conversations, seen.dropped) == (9, 3, {"no assistant": 2})


def test_a_prompt_longer_than_the_length_is_dropped_by_reason_and_warned_of() -> None:
    data = setups.survey([300], *([[100]] * 60), prompt=70)
    few = setups.survey([300], *([[100]] * 120), prompt=20)
    seen = inspections.inspected(data, length=128)
    assert seen.dropped == {}
    assert seen.warnings == ()
    strategies = [setups.strategy("A", model_max_length=64), setups.strategy("B")]
    profile = setups.profile(*strategies)
    seen = inspections.inspected(data, profile, length=128)
    assert seen.warnings == (
        "A: 64 tokens and 2 rounds keep no answer of 61 of 61 conversations (100.0 %)",
    )
    assert inspections.inspected(few, profile).warnings == ()


def test_rounds_that_lose_every_answer_are_named_beside_the_length() -> None:
    data = setups.survey([30, 30], prompt=10)
    first, second = data.file.conversations[0]
    silent = replace(first, end=first.start)  # only the next round's answer is supervised
    file = data.file.model_copy(update={"conversations": ((silent, second),)})
    strategies = (setups.strategy("A", max_rounds=1), setups.strategy("B"))
    seen = inspections.inspected(Survey(file, data.truncation), setups.profile(*strategies))
    assert seen.warnings == (
        "A: 128 tokens and 1 round keep no answer of 1 of 1 conversation (100.0 %)",
    )


def test_one_percent_of_the_conversations_may_be_lost_without_a_warning() -> None:
    def lost(of: int) -> tuple[str, ...]:
        rows = setups.survey(*([[100]] * (of - 1)), [300], prompt=3).file.conversations
        late = replace(rows[-1][0], start=200)
        file = SurveyFile(conversations=(*rows[:-1], (late,)), dropped={}, literal_markers=0)
        seen = inspections.inspected(Survey(file, Truncation.RIGHT), length=128)
        assert seen.dropped == {NO_TOKEN_LEFT: 1}
        return seen.warnings

    assert lost(100) == ()
    assert lost(99) == ("A, B: 128 tokens keep no answer of 1 of 99 conversations (1.0 %)",)


def test_a_length_that_loses_all_is_refused_in_one_line() -> None:
    data = setups.survey([300], [200], prompt=150)
    with pytest.raises(BadInput, match=r"--model-max-length 128: none of 2 conversations") as error:
        inspections.inspected(data, length=128)
    assert "\n" not in str(error.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder that holds a tokenizer and no weights; nothing is in the cache."""
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"max_position_embeddings": 512}', encoding="utf-8")
    (model / "tokenizer.json").write_text("{}", encoding="utf-8")
    (tmp_path / "chat.jsonl").write_text("{}\n", encoding="utf-8")
    return tmp_path


def looked_at(
    folder: Path,
    script: object,
    *,
    prompts: str = "demo",
    data: dict[str, object] | None = None,
    **asked: object,
) -> object:
    tree = json.loads(setups.profile().model_dump_json(by_alias=True))
    tree["model"]["source"] = str(folder / "model")
    tree["data"] |= {"source": str(folder / "chat.jsonl"), **(data or {})}
    tree["prompts"]["source"] = prompts
    chosen = type(setups.profile()).model_validate_json(json.dumps(tree))
    session, runner = setups.session(folder / "run", script)  # type: ignore[arg-type]
    with session.rundir:
        seen = inspect_data(session, chosen, lambda _: None, **asked)  # type: ignore[arg-type]
    job = runner.jobs[0]
    assert isinstance(job, SurveyJob)
    return seen, job


def plays(job: Job) -> Played:
    """A survey worker that finds three conversations."""
    assert isinstance(job, SurveyJob) and job.inspection is not None
    survey = survey_with_dropped([60], [60, 60], [90])
    Path(job.out).parent.mkdir(parents=True, exist_ok=True)
    Path(job.out).write_text(survey.model_dump_json(), encoding="utf-8")
    out = Path(job.inspection.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(inspections.found().model_dump_json(), encoding="utf-8")
    return (), setups.done()


def test_a_folder_without_weights_is_enough_and_the_default_length_is_the_models(
    folder: Path,
) -> None:
    seen, job = looked_at(folder, plays)  # type: ignore[misc]
    assert (seen.length, seen.rounds, seen.positions) == (512, "all", 512)
    assert seen.lengths == {"p50": 90, "p90": 120, "p95": 120, "p99": 120, "max": 120}
    assert seen.round_counts["max"] == 2
    spec = job.inspection
    assert isinstance(spec, InspectionSpec)
    assert (spec.model_max_length, spec.max_rounds, spec.features) == (512, "all", None)
    assert job.data.max_conversations is None


def test_tokenizing_for_a_look_may_take_no_more_than_is_free(folder: Path) -> None:
    _, job = looked_at(folder, plays)  # type: ignore[misc]
    assert 0 < job.device.resident_limit_bytes < (find_device("cpu").total_bytes or 0)


def test_a_length_beyond_the_models_positions_is_refused_with_the_bound(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"--model-max-length 576: .*positions for 512 tokens"):
        looked_at(folder, plays, length=576)


def test_the_prompts_of_the_profile_are_looked_for_where_they_are_here_and_else_it_is_said(
    folder: Path,
) -> None:
    prompts = folder / "prompts.jsonl"
    prompts.write_text('{"key": 1, "prompt": "Say hi."}', encoding="utf-8")
    seen, job = looked_at(folder, plays, prompts=str(prompts))  # type: ignore[misc]
    assert (job.prompts, job.data.drop_prompts) == (str(prompts), None)
    assert not any("not looked for" in note.what for note in seen.notes)
    seen, job = looked_at(folder, plays, prompts="ifeval")  # type: ignore[misc]
    assert job.prompts is None
    assert seen.notes[-1].what.startswith("scored prompts were not looked for: ifeval is not on")
    drop = {"drop_scored_prompts": True}
    seen, job = looked_at(folder, plays, prompts=str(prompts), data=drop)  # type: ignore[misc]
    assert job.data.drop_prompts == str(prompts)


def test_what_the_worker_refuses_is_bad_input_and_a_crash_names_the_log(folder: Path) -> None:
    bad = setups.failed(Failure.BAD_JOB, "chat.jsonl:2: not JSON")
    with pytest.raises(BadInput, match=r"^chat\.jsonl:2: not JSON$"):
        looked_at(folder, lambda _: ((), bad))
    with pytest.raises(EnvironmentFault, match=r"worker\.log"):
        looked_at(folder, lambda _: ((), setups.crashed()))
