"""The model before training answers once on a machine, and later runs take these answers."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.job import GenerateJob
from autotune.report.build import report_of
from autotune.report.time_tables import time_split_table
from autotune.run import kept_answers
from autotune.run.answering import RESPONSES
from autotune.run.kept_answers import FOLDER, find_kept
from autotune.run.setup import Setup
from autotune.score.answers import Answer, read_answers
from autotune.sources.cache import CACHE_VARIABLE
from autotune.sources.digest import sha256_of
from autotune.study import untrained as untrained_module
from autotune.study.answer import generate_job
from autotune.study.baselines import score_baselines, tokens_of
from autotune.study.chooser import Chooser
from autotune.study.run_plan import plan_run
from autotune.study.untrained import answer_untrained
from autotune.text.events import describe
from tests import setups
from tests.played import Workers
from tests.study.test_tuner import DATA, passes, started

Change = Callable[[Setup], Setup]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(kept_answers, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(kept_answers, "installed", lambda name: f"{name} 1.0")


@dataclass
class Start:
    """A run in a folder of its own that begins with the baselines."""

    folder: Path
    change: Change = lambda setup: setup

    def __post_init__(self) -> None:
        self.workers = Workers()
        self.session, _ = setups.session(self.folder, self.workers)
        self.folder.mkdir(exist_ok=True)
        asked = self.session.rundir.prompts
        asked.write_text(
            "".join(p.model_dump_json() + "\n" for p in setups.prompts()),
            encoding="utf-8",
            newline="\n",
        )
        content = events.Content(
            data={}, prompts={}, scored=sha256_of(asked), model={"model.safetensors": "1f"}
        )
        self.setup = self.change(replace(setups.setup(setups.profile()), content=content))

    def run(self) -> "Start":
        """Score the baselines as a run does."""
        self.session.emit(started())
        score_baselines(self.session, self.setup, passes())
        return self

    @property
    def answered(self) -> int:
        """How often a worker was asked to answer."""
        return sum(isinstance(job, GenerateJob) for job in self.workers.seen)

    @property
    def baseline(self) -> events.BaselineScored:
        return self.session.state.baselines["untrained"]

    @property
    def answers(self) -> tuple[Answer, ...]:
        return read_answers(self.session.rundir.eval_folder("untrained") / RESPONSES)


def test_a_second_run_takes_the_answers_of_the_first_and_says_so(tmp_path: Path) -> None:
    first, second = Start(tmp_path / "first").run(), Start(tmp_path / "second").run()
    assert (first.answered, second.answered) == (1, 0)
    assert second.answers == first.answers
    assert second.baseline == first.baseline, "its seconds are those that the answers took"
    said = [text for r in second.session.rundir.records() if (text := describe(r)) is not None]
    (sentence,) = [text for text in said if "those of" in text]
    assert sentence.startswith("the untrained model's 8 answers are those of 20")
    assert "evaluate.reuse_untrained=false" in sentence
    report = report_of(second.session.history, second.session.rundir.root)
    assert "8 answers are those of" in time_split_table(report).legend
    assert time_split_table(report_of(first.session.history, tmp_path / "first")).legend == ""


def changed(what: str, **values: Any) -> Change:
    def change(setup: Setup) -> Setup:
        if what == "setup":
            return replace(setup, **values)
        if what == "evaluate":
            evaluate = setup.profile.evaluate.model_copy(update=values)
            return replace(setup, profile=setup.profile.model_copy(update={"evaluate": evaluate}))
        if what == "content":
            assert setup.content is not None
            return replace(setup, content=setup.content.model_copy(update=values))
        return replace(setup, device_spec=setup.device_spec.model_copy(update=values))

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed("content", model={"model.safetensors": "2e"}),
        changed("evaluate", max_new_tokens=7),
        changed("evaluate", batch_size=3),
        changed("device", precision=Precision.BF16),
        changed("device", threads=1),
        changed("evaluate", reuse_untrained=False),
        changed("setup", content=None),
    ],
    ids=["weights", "cap", "rows", "precision", "threads", "unwanted", "unknown"],
)
def test_what_answers_depend_on_is_asked_again_when_it_changes(
    tmp_path: Path, change: Change
) -> None:
    Start(tmp_path / "first").run()
    assert Start(tmp_path / "other", change).run().answered == 1
    assert Start(tmp_path / "same").run().answered == 0


def test_answers_to_other_prompts_are_not_taken(tmp_path: Path) -> None:
    Start(tmp_path / "first").run()
    other = Start(tmp_path / "other")
    text = other.session.rundir.prompts.read_text(encoding="utf-8")
    other.session.rundir.prompts.write_text(text.replace("Say 3", "Sing 3"), encoding="utf-8")
    assert other.run().answered == 1


def test_a_damaged_or_short_file_of_answers_is_passed_over(tmp_path: Path) -> None:
    first = Start(tmp_path / "first").run()
    (kept,) = (tmp_path / "cache" / FOLDER).iterdir()
    whole = kept.read_text(encoding="utf-8")
    assert first.setup.content is not None
    found = find_kept(first.setup, first.setup.content.scored)
    assert found is not None
    short = found.model_copy(update={"answers": found.answers[:-1]}).model_dump_json()
    for number, text in enumerate((whole[:100], "", short)):
        kept.write_text(text, encoding="utf-8")
        assert Start(tmp_path / f"again-{number}").run().answered == 1
    assert Start(tmp_path / "last").run().answered == 0, "they are kept anew"


def test_only_the_newest_files_are_kept_and_none_that_took_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "MOST_KEPT", 2)
    for cap in (5, 6, 7):
        Start(tmp_path / f"cap-{cap}", changed("evaluate", max_new_tokens=cap)).run()
    assert len(list((tmp_path / "cache" / FOLDER).iterdir())) == 2
    again = Start(tmp_path / "again", changed("evaluate", max_new_tokens=7)).run()
    assert again.answered == 0
    monkeypatch.setattr(kept_answers, "LEAST_SECONDS", 60.0)
    short = changed("evaluate", max_new_tokens=9)
    assert [Start(tmp_path / name, short).run().answered for name in ("p", "q")] == [1, 1]


def test_answers_that_an_interrupted_run_has_are_completed_and_not_replaced_or_kept(
    tmp_path: Path,
) -> None:
    first = Start(tmp_path / "first").run()
    for kept in (True, False):
        begun = Start(tmp_path / f"begun-{kept}")
        out = begun.session.rundir.eval_folder("untrained") / RESPONSES
        out.parent.mkdir(parents=True)
        out.write_text(first.answers[0].model_dump_json() + "\n", encoding="utf-8")
        assert begun.run().answered == 1, "some may be of another version of the program"
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert Start(tmp_path / "later").run().answered == 1


def test_the_pace_of_answers_of_which_some_were_there_is_that_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Start(tmp_path / "run")
    out = start.session.rundir.eval_folder("untrained") / RESPONSES
    out.parent.mkdir(parents=True)
    line = '{"key": 1, "prompt": "p", "response": "r", "finish": "stop", "new_tokens": 7}\n'
    asked = start.session.rundir.prompts
    job = generate_job(start.setup, Path("model"), asked, out.parent, "ifeval")

    def answers(*_: object, **__: object) -> None:
        out.write_text(line * 4, encoding="utf-8")
        for _ in range(7):  # the clock ticks once a look: eight seconds
            start.session.clock()

    monkeypatch.setattr(untrained_module, "answer_all", answers)
    for had, seconds in ((0, 8.0), (3, 32.0), (4, None)):
        out.write_text(line * had, encoding="utf-8")
        assert answer_untrained(start.session, start.setup, job, setups.prompts()) == seconds
    assert tokens_of(out) == 28


def test_a_plan_counts_no_time_for_answers_that_are_kept(tmp_path: Path) -> None:
    measured = setups.measurement(10, prefill_seconds=1.0, token_seconds=0.25)
    tried = setups.tried(measured, 128, rounds=2, row_tokens=100, seconds=1.0)
    fit = setups.fit(trials=(tried,), peak_bytes=10)

    def chooser_of(start: Start) -> Chooser:
        return Chooser(start.setup, DATA, fit, 0.25, lambda now, plan: 0.0)

    first = Start(tmp_path / "first")
    before = plan_run(chooser_of(first), first.session.state).before
    assert before.likely > 0
    first.run()
    later = Start(tmp_path / "later")
    assert plan_run(chooser_of(later), later.session.state).before.most == 0
