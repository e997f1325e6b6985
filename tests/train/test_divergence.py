"""When a training diverges, and what a run makes of it: played trainings, and a toy that does."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from autotune.config.profile import Profile
from autotune.fit.resolve import resolve_plan
from autotune.protocol import events
from autotune.protocol.events import HeldOutLoss, WorkerEvent
from autotune.protocol.held_out import HELD_OUT_PHASE
from autotune.protocol.job import Job, TrainJob
from autotune.report.build import build_report
from autotune.report.write import render_markdown
from autotune.run.fingerprint import used_keys
from autotune.run.session import Session
from autotune.run.state import replay
from autotune.run.trial_state import TrialState
from autotune.screen.job import current_job
from autotune.screen.time_left import Pace
from autotune.study.tuner import Tuner
from autotune.text.events import describe
from autotune.train.divergence import (
    FEWEST_JUDGED,
    MUCH_WORSE,
    WORSE,
    divergence,
    divergence_sentence,
)
from autotune.train.peak_check import NoCard
from autotune.train.watch import NoGauge, TrainingWatch
from autotune.train.worker_loop import WorkerLoop
from tests import records, setups
from tests.played import Judge, Workers

BEFORE = 2.0
ABOVE, FAR_ABOVE = BEFORE * WORSE + 0.01, BEFORE * MUCH_WORSE + 0.01
A_LITTLE = BEFORE * 1.04
"""What a model that practised on its own answers came to, and passed more prompts for it."""


def losses(*values: float | None, conversations: int = 200) -> list[HeldOutLoss]:
    """Before training, then at each fifth."""
    return [
        HeldOutLoss(step=10 * at, progress=at / 5, loss=loss, conversations=conversations)
        for at, loss in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "fifth"),
    [
        ((), None),
        ((BEFORE,), None),
        ((BEFORE, 1.9, 1.7, 1.6, 1.6), None),
        ((BEFORE, 1.5, 1.6, 1.8, 1.99), None),  # overfits, and is better than it was all the same
        ((BEFORE, BEFORE, BEFORE, BEFORE, BEFORE), None),
        ((BEFORE, A_LITTLE, A_LITTLE, A_LITTLE, A_LITTLE), None),
        ((BEFORE, ABOVE), None),  # the height of the rate
        ((BEFORE, ABOVE, 1.9, ABOVE, 1.9), None),
        ((BEFORE, ABOVE, ABOVE), 2),
        ((BEFORE, 1.9, 1.8, ABOVE, ABOVE), 4),
        ((BEFORE, FAR_ABOVE), 1),
        ((BEFORE, 1.9, 1.8, 1.7, FAR_ABOVE), 4),
        ((BEFORE, None), 1),
        ((BEFORE, 1.9, None, 1.7), 2),
        ((None, 1.9, None), None),  # there is nothing to hold it against
    ],
)
def test_a_training_diverges_well_above_the_untrained_loss_twice_or_far_or_at_no_number(
    values: Sequence[float | None], fifth: int | None
) -> None:
    found = divergence(losses(*values))
    assert (found.at.step if found else None) == (None if fifth is None else 10 * fifth)
    assert divergence(reversed(losses(*values))) == found


def test_without_the_loss_before_training_or_with_few_conversations_nothing_is_judged() -> None:
    bad = (BEFORE, FAR_ABOVE, FAR_ABOVE)
    assert divergence(losses(*bad)[1:]) is None
    assert divergence(losses(*bad, conversations=FEWEST_JUDGED - 1)) is None
    assert divergence(losses(*bad, conversations=FEWEST_JUDGED)) is not None


def test_a_person_reads_both_losses_and_what_to_change() -> None:
    found = divergence(losses(1.7321, 9.5))
    assert found is not None
    assert divergence_sentence(found, records.plan(learning_rate=5e-3)) == (
        "it diverges: the loss on 200 held-out conversations is 9.500 after 20 % of the steps and"
        " was 1.732 before training; lower learning_rate (now 0.005)"
    )
    gone = divergence(losses(1.7321, None))
    assert gone is not None
    assert "is no finite number after 20 %" in divergence_sentence(gone, records.plan())


A, B = setups.strategy("A", batch_size=48), setups.strategy("B", batch_size=48)
DATA = setups.survey(*[[60, 60]] * 240)
"""Twelve are held out of 240: ten steps in two epochs."""


def profile(**train: object) -> Profile:
    chosen = setups.profile(A, B)
    keys = {"held_out": 12, "checkpoint_fractions": (0.3, 1.0)} | train
    return chosen.model_copy(update={"train": chosen.train.model_copy(update=keys)})


def played(*fifths: float | None, until: int | None = None) -> Workers:
    """Workers whose first strategy has these losses before training and at each fifth."""

    def train(job: Job, _before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or job.plan.strategy != "A":
            return None
        every, end = workers.train(job, until)
        return measured(job, every), end

    def measured(job: TrainJob, every: object) -> list[WorkerEvent]:
        due = dict(zip(job.plan.held_out_steps, fifths, strict=False))
        due = {step: loss for step, loss in due.items() if step not in job.held_out_known}
        found: list[WorkerEvent] = [said(job, 0, due[0])] if 0 in due else []
        for event in every:  # type: ignore[attr-defined]
            found.append(event)
            if isinstance(event, events.StepDone) and event.step in due:
                found.append(said(job, event.step, due[event.step]))
        return found

    def said(job: TrainJob, step: int, loss: float | None) -> HeldOutLoss:
        progress = step / job.plan.total_steps
        return HeldOutLoss(step=step, progress=progress, loss=loss, conversations=12)

    workers = Workers(train)
    return workers


def session_of(folder: Path, workers: Workers) -> Session:
    session, _ = setups.session(folder, workers)
    if session.state.run is None:
        session.emit(records.run_started(strategies=("A", "B"), prompt_count=8))
    return session


def of_kind(session: Session, kind: type) -> list:  # type: ignore[type-arg]
    return [r.event for r in session.rundir.records() if isinstance(r.event, kind)]


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A whole run whose first training is worse than the untrained model at 40 and at 60 %."""
    session = session_of(tmp_path_factory.mktemp("run"), played(2.0, 1.9, 2.6, 2.7, 2.3))
    judge = Judge(lambda _: setups.report(1))
    run = Tuner(session, setups.setup(profile()), DATA, setups.fit(), judge, 0.25)
    assert not run.run()
    return session


def test_a_training_that_diverges_is_ended_its_checkpoints_scored_and_the_next_tried(
    pruned: Session,
) -> None:
    (end,) = of_kind(pruned, events.TrainingPruned)
    first, second = pruned.state.trials
    assert first.pruned == end
    assert (end.number, end.step, end.progress, end.loss) == (0, 6, 0.6, 2.7)
    assert "lower learning_rate (now 0.001)" in end.reason
    assert first.last_step is not None
    assert first.last_step.step == end.step < first.plan.total_steps
    assert [c.progress for c in first.checkpoints.values()] == [0.3]
    assert [e.number for e in of_kind(pruned, events.Evaluated)] == [0, 1, 1]
    assert not first.is_training
    assert first.ended is not None
    assert first.failure is None
    assert second.trained is not None
    assert not of_kind(pruned, events.Warned)
    assert replay(pruned.rundir.records()).trials == pruned.state.trials


def test_it_is_told_as_it_happens_and_stands_in_the_report(pruned: Session) -> None:
    book = list(pruned.rundir.records())
    (reason,) = (e.reason for e in of_kind(pruned, events.TrainingPruned))
    told = [describe(record, pruned.state) or "" for record in book]
    assert [line for line in told if "held-out" in line] == [
        "trial 0 (A): held-out loss 2.000 before training, on 12 conversations that it never trains"
        " on",
        "trial 0 (A): held-out loss 1.900 at 20 % (2.000 before training)",
        "trial 0 (A): held-out loss 2.600 at 40 % (2.000 before training)",
        "trial 0 (A): held-out loss 2.700 at 60 % (2.000 before training)",
        f"trial 0 (A): training ended: {reason}; what it saved is scored",
    ]
    report = build_report(book, pruned.rundir.root)
    first, second = report.trials
    assert [p.loss for p in first.held_out] == [2.0, 1.9, 2.6, 2.7]
    assert first.pruned == reason
    assert reason in first.verdict
    assert (second.pruned, second.held_out) == (None, ())
    assert f"trial 0: training ended: {reason}" in report.warnings
    assert "2.000, 1.900, 2.600, 2.700" in render_markdown(report)


def trained(folder: Path, workers: Workers, **train: object) -> tuple[TrialState, list[TrainJob]]:
    """Train A, or go on with it, to whatever end; its state and the jobs that there were."""
    session = session_of(folder, workers)
    setup = setups.setup(profile(**train))
    plan = resolve_plan(A, setups.fit(), DATA, setup)
    if not session.state.trials:
        session.emit(events.TrialStarted(number=0, optuna_number=0, plan=plan))
    watch = TrainingWatch(session, setup.profile, NoGauge())
    loop = WorkerLoop(session, setup, DATA, setups.fit(), NoCard(), watch)
    assert loop.run_to_end(plan, 0) is None
    return session.state.trials[0], workers.trainings()


def test_a_loss_that_is_no_number_ends_a_training_before_any_checkpoint(tmp_path: Path) -> None:
    trial, _ = trained(tmp_path, played(2.0, None))
    assert trial.pruned is not None
    assert (trial.pruned.step, trial.pruned.loss, trial.checkpoints) == (2, None, {})


def test_a_person_may_have_it_go_on_and_a_run_that_died_then_ends_it_without_a_worker(
    tmp_path: Path,
) -> None:
    trial, _ = trained(tmp_path, played(2.0, 9.0, 9.0, until=5), prune_diverging=False)
    assert trial.pruned is None
    assert [e.loss for e in trial.held_out.values()] == [2.0, 9.0, 9.0]
    again, jobs = trained(tmp_path, played())
    assert again.pruned is not None
    assert again.pruned.step == 2
    assert jobs == []


def test_whoever_resumes_is_told_which_losses_are_on_record(tmp_path: Path) -> None:
    losses = (2.0, 1.9, 1.8, 1.7, 1.6)
    trained(tmp_path, played(*losses, until=5))
    trial, (job,) = trained(tmp_path, played(*losses))
    assert job.held_out_known == (0, 2, 4)
    assert tuple(trial.held_out) == (0, 2, 4, 6, 8)


def test_the_live_line_has_the_newest_loss_or_that_it_is_measured() -> None:
    book = records.Book()
    book.add(records.run_started())
    book.add(events.TrialStarted(number=0, optuna_number=0, plan=records.plan(held_out=12)))
    book.add(events.Ready(pid=1, device="CPU", torch="2.13.0", transformers="5.24.0"))
    book.add(events.Phase(name=HELD_OUT_PHASE))

    def line() -> str:
        job = current_job(replay(book.records), Pace(), book.now)
        assert job is not None
        return job.line

    assert line() == "training trial 0 (A): step 0/12, measuring the held-out loss"
    book.add(losses(1.7321, conversations=12)[0])
    assert line() == "training trial 0 (A): step 0/12, held-out loss 1.732"
    book.add(records.step_done(1, 12))
    assert ", held-out loss 1.732, " in line()


def test_a_fit_holds_whether_or_not_noise_is_asked_for() -> None:
    """It takes no memory at the peak."""
    assert used_keys(A.model_copy(update={"neftune_noise_alpha": 5.0})) == used_keys(A)
