"""A run goes on with the data, the prompts and the model that it began with, or not at all."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.data.survey import read_survey
from autotune.fit.fit import known_fits
from autotune.protocol.choices import Precision
from autotune.protocol.events import Content, Fitted, Surveyed, TrialStarted
from autotune.protocol.job import DeviceSpec, Job, SurveyJob, TrainJob
from autotune.protocol.plan import DataSpec
from autotune.run.content import content_of, demand_fingerprint, demand_same, recorded_content
from autotune.run.fingerprint import fingerprint
from autotune.run.folder import RunDir
from autotune.run.resume_check import demand_same_content, keep_prompts
from autotune.run.session import Session
from autotune.run.survey import survey_data
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.prompts import written_prompts
from autotune.sources.dataset import resolve_data
from autotune.sources.prompts import resolve_prompts
from tests import records, setups
from tests.fakes.runner import FakeRunner
from tests.played import Workers


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with data, prompts and a model that is whole enough to be looked at."""
    model = tmp_path / "model"
    (model / "additional_chat_templates").mkdir(parents=True)
    for name, text in (
        ("config.json", "{}"),
        ("tokenizer.json", '{"model": 1}'),
        ("chat_template.jinja", "{{ messages }}"),
        ("additional_chat_templates/rag.jinja", "{{ documents }}"),
        ("model.safetensors", "weights"),
        ("README.md", "about it"),
    ):
        (model / name).write_text(text, encoding="utf-8")
    (tmp_path / "chats.jsonl").write_text("a conversation\n", encoding="utf-8")
    (tmp_path / "asked.jsonl").write_text("a prompt\n", encoding="utf-8")
    return tmp_path


def content(folder: Path) -> Content:
    return content_of(folder / "chats.jsonl", folder / "asked.jsonl", "chosen\n", folder / "model")


def refusal(before: Content, after: Content) -> str:
    with pytest.raises(BadInput) as fault:
        demand_same(before, after, "toy")
    assert "\n" not in str(fault.value)
    assert str(fault.value).endswith("put it back or start a new run with another --run-dir")
    return str(fault.value)


def edit(path: Path) -> None:
    """Another content of the same size, at the same time."""
    stat = path.stat()
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chats.jsonl", "data chats.jsonl has changed since this run began (sha256 "),
        ("asked.jsonl", "prompts asked.jsonl has changed since this run began (sha256 "),
        ("model/config.json", "model toy: config.json has changed since this run began"),
        ("model/model.safetensors", "model toy: model.safetensors has changed"),
        ("model/tokenizer.json", "model toy: tokenizer.json has changed"),
        ("model/chat_template.jinja", "model toy: chat_template.jinja has changed"),
        (
            "model/additional_chat_templates/rag.jinja",
            "model toy: additional_chat_templates/rag.jinja has changed",
        ),
    ],
)
def test_a_file_that_changed_is_named_even_where_size_and_time_did_not(
    sources: Path, name: str, said: str
) -> None:
    before = content(sources)
    demand_same(before, content(sources), "toy")
    edit(sources / name)
    assert said in refusal(before, content(sources))


def test_files_that_come_and_go_are_named(sources: Path) -> None:
    before = content(sources)
    (sources / "model" / "chat_template.jinja").unlink()
    assert "model toy: chat_template.jinja is gone since" in refusal(before, content(sources))
    assert "model toy: chat_template.jinja is new since" in refusal(content(sources), before)


def test_another_name_and_place_are_no_change(sources: Path, tmp_path: Path) -> None:
    before = content(sources)
    moved = shutil.copytree(sources, tmp_path / "moved" / "project")
    (moved / "model" / "README.md").write_text("other words", encoding="utf-8")
    demand_same(before, content(moved), "toy")
    (moved / "chats.jsonl").replace(moved / "talks.jsonl")
    other = content_of(moved / "talks.jsonl", moved / "asked.jsonl", "chosen\n", moved / "model")
    demand_same(before, other, "toy")
    edit(moved / "talks.jsonl")
    other = content_of(moved / "talks.jsonl", moved / "asked.jsonl", "chosen\n", moved / "model")
    said = "data talks.jsonl is not the chats.jsonl that this run began with (sha256 "
    assert said in refusal(before, other)


def test_a_run_of_the_demo_that_began_with_files_in_the_cache_goes_on_with_those_of_the_tool(
    sources: Path,
) -> None:
    model = sources / "model"
    data, prompts = resolve_data("demo").path, resolve_prompts("demo").path
    # The demo's files were composed once and kept in the user's cache, under such names.
    names = ("conversations-600", "prompts-48")
    before = [sources / f"{name}-fb2f4f2a1cf7.jsonl" for name in names]
    for old, new in zip(before, (data, prompts), strict=True):
        shutil.copyfile(new, old)
    began = content_of(*before, "chosen\n", model)
    for old in before:
        old.unlink()
    demand_same(began, content_of(data, prompts, "chosen\n", model), "toy")
    plan = records.plan(data=DataSpec(path=str(before[0]), format="auto"))
    spec = DeviceSpec(kind="cpu", precision=Precision.FP32, limit_bytes=1)
    job = TrainJob(device=spec, plan=plan, out="out", data_path=str(data))
    assert (job.data.path, job.data.format) == (str(data), "auto")


def session_of(folder: Path) -> Session:
    return Session(RunDir(folder), FakeRunner(Workers()))


def test_what_a_run_began_with_stands_in_its_record(sources: Path, tmp_path: Path) -> None:
    run = session_of(tmp_path / "run")
    run.rundir.root.mkdir()
    demand_same_content(run, content(sources), "toy")
    run.emit(content(sources))
    began = recorded_content(run.rundir)
    assert began == content(sources)
    assert set(json.loads(run.rundir.events.read_text(encoding="utf-8"))["event"]["data"]) == {
        "chats.jsonl"
    }
    edit(sources / "chats.jsonl")
    with pytest.raises(BadInput, match=r"data chats\.jsonl has changed"):
        demand_same_content(session_of(run.rundir.root), content(sources), "toy")


def test_a_run_of_an_older_version_is_held_against_its_fit(sources: Path) -> None:
    began = content(sources)
    old = {"data": began.data["chats.jsonl"][:16], "tokenizer": began.model["tokenizer.json"][:16]}
    demand_fingerprint(old, began)
    demand_fingerprint({"device": "CPU"}, began)
    edit(sources / "chats.jsonl")
    with pytest.raises(BadInput, match=r"data chats\.jsonl has changed since this run began"):
        demand_fingerprint(old, content(sources))


def test_a_fit_depends_on_a_chat_template_that_may_write_tools(sources: Path) -> None:
    model = sources / "model"

    def settings() -> str:
        setup = setups.setup(setups.profile())
        found = fingerprint(setup.device, setup.profile, setup.device_spec, model, content(sources))
        return found["settings"]

    before = settings()
    (model / "chat_template.jinja").write_text("{{ messages[0] }}", encoding="utf-8")
    assert settings() == before, "conversations without tools are ChatML whatever stands there"
    (model / "chat_template.jinja").write_text("{{ tools }}", encoding="utf-8")
    with_tools = settings()
    (model / "chat_template.jinja").write_text("{{ tools[0] }}", encoding="utf-8")
    assert len({before, with_tools, settings()}) == 3


def test_a_fit_depends_on_what_shapes_a_step_and_not_on_rates_or_what_is_drawn(
    sources: Path,
) -> None:
    model = sources / "model"

    def settings(**changes: object) -> str:
        setup = setups.setup(setups.profile(setups.strategy(**changes)))  # type: ignore[arg-type]
        found = fingerprint(setup.device, setup.profile, setup.device_spec, model, content(sources))
        return found["settings"]

    same = {"learning_rate": 2e-3, "weight_decay": 0.1, "n_trials": 3, "title": "x"}
    assert settings(**same) == settings()
    for key, value in {"batch_size": 4, "model_max_length": 64, "max_rounds": 1}.items():
        assert settings(**{key: value}) != settings(), key


def text_of(prompts: tuple[IFEvalPrompt, ...]) -> str:
    return "".join(p.model_dump_json() + "\n" for p in prompts)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("harm", [edit, emptied, cut, Path.unlink])
def test_the_prompts_of_a_run_that_were_damaged_are_written_again(
    sources: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    asked = setups.prompts()
    text = text_of(asked)
    now = content_of(None, sources / "asked.jsonl", text, sources / "model")
    run = session_of(tmp_path / "run")
    run.rundir.root.mkdir()
    said: list[str] = []
    assert keep_prompts(run, asked, text, now, said.append) == asked
    run.emit(now)
    assert keep_prompts(run, asked, text, now, said.append) == asked
    assert said == []
    harm(run.rundir.prompts)
    assert keep_prompts(run, asked, text, now, said.append) == asked
    assert run.rundir.prompts.read_text(encoding="utf-8") == text
    assert said == [
        "prompts.jsonl was changed or lost: written again, as it was when this run began"
    ]


def test_prompts_that_would_be_chosen_otherwise_today_stay_those_of_the_run(
    sources: Path, tmp_path: Path
) -> None:
    asked, other = setups.prompts(8), setups.prompts(4)
    run = session_of(tmp_path / "run")
    run.rundir.root.mkdir()
    began = content_of(None, sources / "asked.jsonl", text_of(asked), sources / "model")
    keep_prompts(run, asked, text_of(asked), began, print)
    run.emit(began)
    now = content_of(None, sources / "asked.jsonl", text_of(other), sources / "model")
    assert keep_prompts(run, other, text_of(other), now, print) == asked
    run.rundir.prompts.unlink()
    with pytest.raises(BadInput, match=r"prompts\.jsonl: has changed since this run began"):
        keep_prompts(run, other, text_of(other), now, print)


def test_prompts_of_a_run_of_an_older_version_are_held_against_its_file(
    sources: Path, tmp_path: Path
) -> None:
    asked, other = setups.prompts(8), setups.prompts(4)
    run = session_of(tmp_path / "run")
    run.rundir.root.mkdir()
    path = run.rundir.prompts
    now = content_of(None, sources / "asked.jsonl", text_of(other), sources / "model")
    path.write_text(text_of(asked), encoding="utf-8")
    assert keep_prompts(run, other, text_of(other), now, print) == other  # nothing was asked yet
    run.emit(records.baseline("untrained", 0, records.HEALTHY))
    path.write_text(text_of(asked), encoding="utf-8")
    with pytest.raises(BadInput, match=r"prompts\.jsonl: holds other prompts than would be asked"):
        keep_prompts(run, other, text_of(other), now, print)
    assert written_prompts(path, IFEvalPrompt) == asked
    assert keep_prompts(run, asked, text_of(asked), now, print) == asked
    emptied(path)
    assert keep_prompts(run, asked, text_of(asked), now, print) == asked


def no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [emptied, cut, no_text, a_folder])
def test_a_damaged_survey_is_one_line_with_what_to_do(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "survey.json"
    path.write_text(setups.survey([60, 60]).file.model_dump_json(), encoding="utf-8")
    assert read_survey(path) == setups.survey([60, 60]).file
    harm(path)
    with pytest.raises(EnvironmentFault, match=r"survey\.json: damaged .*; delete it") as fault:
        read_survey(path)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("rows", "trained", "again"), [((), 0, 1), ((), 1, 0), ((1,), 0, 0)])
def test_a_survey_of_an_older_version_is_made_again_until_something_was_trained_by_it(
    tmp_path: Path, rows: tuple[int, ...], trained: int, again: int
) -> None:
    file = setups.survey([60]).file

    def plays(job: Job) -> setups.Played:
        assert isinstance(job, SurveyJob)
        found = file.model_copy(update={"rows": (1,)})
        Path(job.out).write_text(found.model_dump_json(), encoding="utf-8")
        return (), setups.done()

    session, runner = setups.session(tmp_path, plays)
    known = file.model_copy(update={"rows": rows})
    session.rundir.survey.write_text(known.model_dump_json(), encoding="utf-8")
    told = Surveyed(path="survey.json", conversations=1, dropped={}, literal_markers=0)
    session.emit(told)
    for number in range(trained):
        plan = records.plan()
        session.emit(TrialStarted(number=number, optuna_number=number, plan=plan))
    for _ in range(2):
        survey_data(session, setups.setup(setups.profile()))
    assert len(runner.jobs) == again


@pytest.mark.parametrize("harm", [emptied, cut, no_text, a_folder, Path.unlink])
def test_prompts_of_a_run_that_cannot_be_read_are_one_line_with_what_to_do(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(text_of(setups.prompts()), encoding="utf-8")
    assert written_prompts(path, IFEvalPrompt) == setups.prompts()
    harm(path)
    with pytest.raises(EnvironmentFault, match=r"prompts\.jsonl: damaged .*is written again"):
        written_prompts(path, IFEvalPrompt)


def test_a_fit_whose_file_is_lost_is_known_from_the_record(tmp_path: Path) -> None:
    run = session_of(tmp_path / "run")
    run.rundir.root.mkdir()
    assert list(known_fits(run.rundir, run.state.fit)) == []
    run.emit(Fitted(fit=setups.fit()))
    run.rundir.fit.write_bytes(b"{")
    assert list(known_fits(run.rundir, run.state.fit)) == [(setups.fit(), "")]
