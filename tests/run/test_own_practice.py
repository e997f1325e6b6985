"""A strategy may train on practice data that its run makes: once, by its own model, on record."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.base.files import write_text_atomic
from autotune.cli.inspect import practice_line
from autotune.cli.settings import settings_text
from autotune.config.own_data import by_data, practising
from autotune.config.profile import Profile
from autotune.config.synth import SynthChoice
from autotune.protocol import events
from autotune.protocol.job import GenerateJob, Job
from autotune.run.content import content_of
from autotune.run.inputs import demand_data
from autotune.run.own_practice import with_practice
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.training_data import own_sources, training_data
from autotune.run.training_record import emit_training_data
from autotune.score.answers import Answer
from autotune.score.prompts import Prompt, written_prompts
from autotune.sources.dataset import DataSource
from tests import setups
from tests.run.test_mixed_data import chats

SYNTH = SynthChoice(tasks=6, variants=2, held_out_kinds=3)

WORDS = (
    "The bees gather nectar from early spring until the first frost of autumn. Keepers open the"
    " wooden boxes once a week and look for eggs, larvae and a healthy queen. A strong colony"
    " stores about forty kilograms of honey over one good summer. Smoke calms the insects because"
    " they fill up before a fire. Wax becomes candles, polish and the combs of the following year."
)


def saying(words: str) -> Callable[[Job], setups.Played]:
    """Workers that say the same to every prompt."""

    def plays(job: Job) -> setups.Played:
        assert isinstance(job, GenerateJob) and job.sampling is not None
        asked = written_prompts(Path(job.prompts), Prompt)
        given = {"response": words, "finish": "stop", "new_tokens": 90, "sample": 0}
        lines = (Answer(key=p.key, prompt=p.prompt, **given).model_dump_json() for p in asked)
        write_text_atomic(Path(job.out), "".join(line + "\n" for line in lines))
        return [events.Answered(done=6, total=6, new_tokens=540, seconds=6.0)], setups.done()

    return plays


answers = saying(WORDS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "model").mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / "model" / name).write_text("{}", encoding="utf-8")
    (tmp_path / "chat.jsonl").write_text(chats(40, "why"), encoding="utf-8")
    (tmp_path / "asked.jsonl").write_text('{"key": 1, "prompt": "Why"}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def profile(**changes: object) -> Profile:
    """A trains on the run's data, E and F on practice data, F mixed with as many of the run's."""
    own = setups.strategy("E", data="synth", **changes)
    mixed = setups.strategy("F", data="synth", mix=0.5)
    chosen = setups.profile(setups.strategy("A"), own, mixed)
    data = chosen.data.model_copy(update={"source": "chat.jsonl"})
    return chosen.model_copy(update={"data": data, "synth": SYNTH})


def setup_of(folder: Path, chosen: Profile) -> Setup:
    """The setup as `open_setup` makes it: nothing of practice is there."""
    prompts = folder / "asked.jsonl"
    found = replace(
        setups.setup(chosen, folder=folder / "model"),
        content=content_of(folder / "chat.jsonl", prompts, "", folder / "model"),
        prompts_file=prompts,
        scored_prompts=prompts,
    )
    data = found.data.model_copy(update={"path": str(folder / "chat.jsonl")})
    return replace(found, data=data)


def made(session: Session, setup: Setup) -> Setup:
    found = with_practice(session, setup)
    assert found.content is not None
    session.emit(found.content)
    emit_training_data(session, found)
    return found


def test_practice_data_is_made_once_for_all_that_practise_and_kept_when_a_run_resumes(
    folder: Path,
) -> None:
    session, runner = setups.session(folder / "run", answers)
    with session.rundir:
        setup = made(session, setup_of(folder, profile()))
        again, idle = setups.session(folder / "run", answers)
        resumed = made(again, setup_of(folder, profile()))
    assert (len(runner.jobs), len(idle.jobs)) == (1, 0)
    assert resumed.own_data == setup.own_data
    assert resumed.fingerprint == setup.fingerprint != setup_of(folder, profile()).fingerprint
    e, f = setup.data_of("E"), setup.data_of("F")
    path = folder / "run" / "practice" / "run" / "practice.jsonl"
    assert e.source == DataSource(path, "practice data") and Path(e.spec.path) == path
    assert f.label == "practice data mixed with chat.jsonl (50 % its own)"
    rows = Path(f.spec.path).read_text(encoding="utf-8").splitlines()
    chats_made = len(path.read_text(encoding="utf-8").splitlines())
    assert sum('"practice"' in row for row in rows) == chats_made == len(rows) / 2 > 2
    assert "A" not in setup.own_data
    kinds = [again.state.practice_of(name) for name in "AEF"]
    assert kinds[0] is None and kinds[1] is not None and kinds[2] is not None
    assert len(kinds[1].held_out) == 3 and not set(kinds[1].held_out) & set(kinds[1].practised)
    assert kinds[1].conversations == kinds[2].conversations == chats_made
    assert set(setup.content.own_data if setup.content else ()) == {"E", "F"}


def test_practice_data_that_was_changed_since_is_made_again_or_refused(folder: Path) -> None:
    session, _ = setups.session(folder / "run", answers)
    with session.rundir:
        setup = made(session, setup_of(folder, profile()))
        path = Path(setup.data_of("E").spec.path)
        whole = path.read_bytes()
        path.write_text("{}", encoding="utf-8")
        assert made(session, setup_of(folder, profile())).own_data == setup.own_data
        assert path.read_bytes() == whole
        for gone in (path, path.with_name("responses.jsonl")):
            gone.unlink()
        other, _ = setups.session(folder / "run", saying(WORDS.replace("forty", "sixty")))
        with pytest.raises(BadInput, match=r"data of strategy E: practice\.jsonl has changed"):
            made(other, setup_of(folder, profile()))


def test_a_model_that_says_nothing_gives_no_practice_data_and_that_is_one_line(
    folder: Path,
) -> None:
    session, _ = setups.session(folder / "run", saying(""))
    with session.rundir, pytest.raises(BadInput) as fault:
        made(session, setup_of(folder, profile()))
    said = str(fault.value)
    assert said.startswith("strategies E, F: no answer of toy came to be practice data (")
    assert "\n" not in said


def test_a_run_without_such_a_strategy_makes_none(folder: Path) -> None:
    session, runner = setups.session(folder / "run", answers)
    chosen = setups.profile(setups.strategy("A"))
    with session.rundir:
        setup = setup_of(folder, chosen)
        assert with_practice(session, setup) is setup
    assert not runner.jobs


def test_practice_data_is_no_file_to_look_at_before_it_is_made(folder: Path) -> None:
    chosen = profile(max_conversations=5)
    demand_data(chosen)
    assert own_sources(chosen) == {}
    run_data = DataSource(folder / "chat.jsonl", "chat.jsonl")
    now = content_of(run_data.path, folder / "asked.jsonl", "", folder / "model")
    found = training_data(chosen, run_data, {}, folder / "asked.jsonl", now)
    assert set(found) == {""}, "least of all the run's own data"
    (run,) = by_data(chosen)
    assert [s.name for s in run.strategies] == ["A"]
    assert [s.name for s in practising(chosen)] == ["E", "F"]
    assert 'data = "synth"' in settings_text(chosen)
    said = practice_line(practising(chosen))
    assert said is not None and said.startswith("strategies E, F: practice data, which the run")
    assert practice_line(()) is None
