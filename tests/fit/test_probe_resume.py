"""A probe that was interrupted goes on: what still holds is not tried again, the answer is same."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import NothingFits
from autotune.fit.kept_trials import held_trials
from autotune.fit.probe import Probe
from autotune.protocol.failure import Failure
from autotune.protocol.job import Job
from autotune.protocol.results import Fit
from autotune.run.folder import RunDir
from autotune.text.events import describe
from tests import records, setups
from tests.played import BASE, EACH, Memory, fitting

DATA = setups.survey([200, 200, 150], [80, 90], [500])
STRATEGIES = (setups.strategy("A"), setups.strategy("B", max_rounds=1))
LIMIT = fitting(330)


class Stopped(Memory):
    """A memory whose trial number `after` is interrupted."""

    after: int = 10**9

    def __call__(self, job: Job) -> setups.Played:
        if len(self.points) == self.after:
            raise KeyboardInterrupt
        return super().__call__(job)


def probe(
    folder: Path,
    *,
    after: int | None = None,
    answers: dict[int, setups.Played] | None = None,
    limit: int = LIMIT,
    card: bool = False,
    fingerprint: dict[str, str] | None = None,
) -> tuple[Fit | None, int]:
    """One start of a probe in a folder: its answer if it came to one, and its own trials."""
    memory = Stopped(BASE, EACH, answers=answers or {})
    if after is not None:
        memory.after = after
    session, memory.runner = setups.session(folder, memory)
    chosen = setups.profile(*STRATEGIES, min_length=64, max_length=1024, speed_trials=4)
    setup = setups.setup(chosen, limit, card=card)
    setup = replace(setup, fingerprint=fingerprint or {"device": "CPU", "data": "abc"})
    with RunDir(folder):
        session.emit(records.run_started())
        try:
            return Probe(session, setup, DATA).run(), len(memory.points)
        except KeyboardInterrupt:
            return None, len(memory.points)


def recorded(folder: Path) -> list[str]:
    """What the screen said of the record."""
    return [s for record in RunDir(folder).records() if (s := describe(record)) is not None]


@pytest.mark.parametrize("card", [False, True])
def test_wherever_it_was_interrupted_a_probe_comes_to_the_same_answer(
    tmp_path: Path, card: bool
) -> None:
    whole, trials = probe(tmp_path / "whole", card=card)
    assert whole is not None
    assert trials > 4
    for after in range(trials):
        folder = tmp_path / f"after-{after}"
        assert probe(folder, after=after, card=card) == (None, after)
        found, again = probe(folder, card=card)
        assert found is not None
        # What is timed in a used process may be the first of its process now: then it needs no
        # second trial to confirm it. All else is the same.
        same = set(Fit.model_fields) - {"speed_trials"} - ({"trials"} if card else set())
        assert found.model_dump(include=same) == whole.model_dump(include=same)
        assert after + again <= trials


def test_it_says_how_many_trials_hold_and_tells_none_of_them_twice(tmp_path: Path) -> None:
    probe(tmp_path, after=3)
    probe(tmp_path)
    said = recorded(tmp_path)
    assert "the probe resumes: 3 trials from before hold and are not repeated" in said
    tried = [line for line in said if line.startswith("probe: ")]
    whole = [line for line in told_of_whole(tmp_path / "whole") if line.startswith("probe: ")]
    assert tried == whole


def told_of_whole(folder: Path) -> list[str]:
    probe(folder)
    return recorded(folder)


def test_one_that_is_interrupted_after_every_trial_repeats_nothing(tmp_path: Path) -> None:
    whole, trials = probe(tmp_path / "whole")
    assert whole is not None
    starts, found, tried = 0, None, 0
    while found is None and starts <= trials:
        found, own = probe(tmp_path / "run", after=1)
        starts, tried = starts + 1, tried + own
    assert found is not None
    assert found.trials == whole.trials
    assert tried <= trials


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"fingerprint": {"device": "CPU", "data": "other"}}, "all"),
        ({"fingerprint": {"device": "CPU", "data": "abc", "driver": "560.1"}}, "all"),
        ({"limit": LIMIT + EACH}, "those that were too big"),
    ],
)
def test_what_does_not_hold_any_more_is_tried_again(
    tmp_path: Path, changed: dict[str, object], again: str
) -> None:
    whole, trials = probe(tmp_path / "whole", **changed)  # type: ignore[arg-type]
    probe(tmp_path / "run", after=4)
    found, own = probe(tmp_path / "run", **changed)  # type: ignore[arg-type]
    assert found is not None
    assert whole is not None
    assert found.model_max_length == whole.model_max_length
    assert own == trials if again == "all" else trials - 4 < own < trials


def test_a_failure_that_was_still_in_doubt_is_not_taken_for_a_lack_of_memory(
    tmp_path: Path,
) -> None:
    doubtful = ([], setups.failed(Failure.SUSPECTED, "CUBLAS_STATUS_ALLOC_FAILED"))
    whole, trials = probe(tmp_path / "whole", limit=fitting(4000))
    assert whole is not None
    probe(tmp_path / "run", limit=fitting(4000), after=1, answers={0: doubtful})
    found, again = probe(tmp_path / "run", limit=fitting(4000))
    assert (found, again) == (whole, trials)


def test_a_probe_that_ended_without_an_answer_begins_again(tmp_path: Path) -> None:
    for _ in range(2):  # something else used the memory, and is closed in between
        with pytest.raises(NothingFits):
            probe(tmp_path, limit=fitting(1))
    kinds = [r.event.kind for r in RunDir(tmp_path).records()]
    assert kinds.count("probe_ended") == 2
    assert "probe_goes_on" not in kinds


def test_a_trial_that_crashed_is_no_answer(tmp_path: Path) -> None:
    crash = ([], setups.crashed())
    memory = Memory(BASE, EACH, answers={0: crash, 1: crash})
    session, memory.runner = setups.session(tmp_path, memory)
    setup = setups.setup(setups.profile(*STRATEGIES, min_length=64, max_length=1024), LIMIT)
    session.emit(records.run_started())
    attempts = Probe(session, setup, DATA).attempts(memory.runner)
    assert not attempts.fits(attempts.point(512, "all"))
    session.emit(records.run_started())
    assert held_trials(session, setup).tried == []
