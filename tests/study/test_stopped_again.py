"""What was ended early for a reason that fell away, and what is told and compared of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.base.files import write_text_atomic
from autotune.cli.find_answers import find_answers
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import GenerateJob
from autotune.protocol.results import Partial
from autotune.protocol.scores import Metric
from autotune.report.build import build_report
from autotune.run.state import replay
from autotune.screen.job import current_job
from autotune.screen.time_left import Pace
from autotune.text.conclusions import conclusions
from autotune.text.events import describe_evaluated
from tests.answerers import FIRST, LAST, ORDER, Answerers, N, best_of, of_rate, tuner
from tests.study.test_tuner import recorded

POOR, POORER = of_rate(0.10, 1), of_rate(0.05, 2)


def test_a_checkpoint_answered_to_its_end_at_once_is_not_loaded_again(tmp_path: Path) -> None:
    workers = Answerers(good={FIRST: of_rate(0.5, 1), LAST: of_rate(0.5, 2)})
    tuner(tmp_path, workers).run()
    assert sum(isinstance(job, GenerateJob) for job in workers.seen) == 3


def test_a_lower_target_judges_again_what_an_unfinished_trial_had_stopped(tmp_path: Path) -> None:
    class Gone(Exception):
        """The parent is gone."""

    class Dying(Answerers):
        def answers(self, job: GenerateJob) -> Iterator[WorkerEvent]:
            if Path(job.model_folder).name == LAST:
                raise Gone
            yield from super().answers(job)

    # The first is the better one, but its first prompts are not.
    good = {
        FIRST: frozenset([*ORDER[18:20], *ORDER[20::3]]),
        LAST: frozenset([*ORDER[:20:5], *ORDER[20::10]]),
    }
    with pytest.raises(Gone):
        tuner(tmp_path, Dying(good=good), target=0.9).run()
    run = tuner(tmp_path, Answerers(good=good), target=0.25)
    assert run.run()
    first = recorded(run.session, events.Evaluated)[0]
    assert (first.checkpoint.name, first.partial.target) == (FIRST, 0.9)
    assert first.score.total == N / 4  # far from the target, yet no handful
    best = best_of(run.session)
    assert (best.checkpoint.name, best.score) == (FIRST, Metric.of(49, N))


def test_a_run_of_an_older_version_that_had_dropped_a_worse_checkpoint_goes_on(
    tmp_path: Path,
) -> None:
    class Gone(Exception):
        """The parent is gone."""

    class Dying(Answerers):
        def answers(self, job: GenerateJob) -> Iterator[WorkerEvent]:
            if Path(job.model_folder).name == LAST:
                raise Gone
            yield from super().answers(job)

    good = {FIRST: of_rate(0.8, 1), LAST: of_rate(0.4, 2)}
    run = tuner(tmp_path, Dying(good=good))
    with pytest.raises(Gone):
        run.run()
    (trial,) = run.session.state.trials
    line = {"of": N, "why": "rival", "rival": FIRST}  # as it stands in such a record
    stopped = events.Evaluated.ended_early(
        0, trial.unscored[0], Metric.of(8, 24), (0.1, 0.6), Partial.model_validate(line)
    )
    run.session.emit(stopped)
    workers = Answerers(good=good)
    run = tuner(tmp_path, workers)
    assert run.run()
    assert workers.made == {}  # nothing is asked again
    assert best_of(run.session).checkpoint.name == FIRST
    assert f"stopped after 24 of {N} prompts, {FIRST} is better" in describe_evaluated(stopped)
    said = " ".join(conclusions(replay(run.session.rundir.records())))
    assert "the target was out of reach or another was better; such scores are estimates" in said


def test_a_lower_target_warns_of_what_is_gone_with_an_old_trial(tmp_path: Path) -> None:
    good = {FIRST: of_rate(0.1, 1), LAST: of_rate(0.05, 2)}
    tuner(tmp_path, Answerers(good=good), target=0.9).run()
    run = tuner(tmp_path, Answerers(good=good), target=0.08)
    run.run()
    (warned,) = recorded(run.session, events.Warned)
    assert f"trial 0 {LAST}: stopped when the target was higher" in warned.message
    assert "its weights are gone" in warned.message


def test_while_the_best_is_answered_to_its_end_the_screen_says_so(tmp_path: Path) -> None:
    titles = []

    class Watched(Answerers):
        def answers(self, job: GenerateJob) -> Iterator[WorkerEvent]:
            for event in super().answers(job):
                found = current_job(run.session.state, Pace(), run.session.state.now or 0.0)
                titles.append((job.early_seed, found.title if found else None))
                yield event

    run = tuner(tmp_path, Watched(good={FIRST: POOR, LAST: POORER}))
    run.run()
    ending = {title for seed, title in titles if seed is None and title and "trial" in title}
    of = "the best so far to its end, trial 0 (A), checkpoint 83 %"
    assert ending == {f"starting the scorer: {of}", f"scoring {of}"}


def test_an_estimate_is_never_reported_as_the_score_of_an_unfinished_run(tmp_path: Path) -> None:
    run = tuner(tmp_path, Answerers(good={FIRST: POOR, LAST: POORER}))
    run.run()
    records = list(run.session.rundir.records())
    first = next(i for i, r in enumerate(records) if isinstance(r.event, events.Evaluated))
    said = conclusions(replay(records[: first + 1]))
    assert said[-1].startswith("Best so far about 8/68 11.8 %")
    assert not any("Training changed" in line or "echo" in line for line in said)
    report = build_report(records[: first + 1], tmp_path)
    assert report.best is not None
    assert report.best.ended_early is not None
    assert not report.beaten_by_echo


def test_answers_of_a_checkpoint_that_was_stopped_are_not_taken_for_a_sample(
    tmp_path: Path,
) -> None:
    workers = Answerers(good={FIRST: POOR, LAST: POORER}, cut=frozenset(ORDER[:9]))
    run = tuner(tmp_path, workers)
    run.run()
    write_text_atomic(run.session.rundir.run_toml, "")
    folder = run.session.rundir.eval_folder(f"trial-0000-{LAST}")
    with pytest.raises(BadInput, match=r"of 160 prompts are answered to the end"):
        find_answers(folder)
    whole = run.session.rundir.eval_folder(f"trial-0000-{FIRST}")
    assert find_answers(whole).responses == whole / "responses.jsonl"
