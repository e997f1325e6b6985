"""A few prompts that decide nothing, answered before training and by the best checkpoint."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.config.profile import PromptChoice
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.events import Record
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob, Job, TrainJob
from autotune.report.build import report_of
from autotune.run.session import Session
from autotune.run.spot_check import keep_spot_check
from autotune.run.state import replay
from autotune.study.best import weights_of
from autotune.study.tuner import Tuner
from autotune.text.conclusions import conclusions
from autotune.text.events import describe
from tests import records as book
from tests import setups
from tests.played import Workers
from tests.screens import live_text
from tests.study.test_tuner import DATA, A, B, passes, recorded, started


def run(folder: Path, workers: Workers) -> Tuner:
    """A run of A and B that has a spot check of four prompts; A stays below the target."""
    (folder / "asked.jsonl").write_text(
        "".join(p.model_dump_json() + "\n" for p in setups.prompts()), encoding="utf-8"
    )
    asked = PromptChoice(source=str(folder / "asked.jsonl"), limit=4)
    chosen = setups.profile(A, B).model_copy(update={"spot_check": asked})
    session, _ = setups.session(folder / "run", workers)
    (folder / "run").mkdir(exist_ok=True)
    session.emit(started())
    spot_check = keep_spot_check(session, chosen, lambda _: None)
    setup = replace(setups.setup(chosen), spot_check=spot_check)
    return Tuner(session, setup, DATA, setups.fit(), passes(t0=1, t1=3), 0.25)


def checks(session: Session) -> list[events.SpotChecked]:
    return recorded(session, events.SpotChecked)


def test_the_untrained_model_and_the_best_answer_it_once_and_the_report_has_both(
    tmp_path: Path,
) -> None:
    workers = Workers()
    tuner = run(tmp_path, workers)
    assert tuner.run()
    session = tuner.session
    before, after = checks(session)
    best = session.state.best
    assert best is not None and best.number == 1
    assert (before.of, before.number, before.score.total) == ("untrained", None, 4)
    assert (after.of, after.number, after.checkpoint) == ("best", 1, best.checkpoint)
    order = [type(r.event) for r in session.rundir.records()]
    assert order.index(events.SpotChecked) < order.index(events.TrialStarted)
    assert order[-2:] == [events.SpotChecked, events.RunEnded]
    asked = [job for job in workers.seen if isinstance(job, GenerateJob)]
    chosen = [job for job in asked if job.prompts == str(session.rundir.spot_check)]
    assert [Path(job.model_folder).name for job in chosen] == ["model", best.checkpoint.name]
    assert len(session.rundir.spot_check.read_bytes().splitlines()) == 4

    report = report_of(session.history, session.rundir.root)
    assert {of: check.score.total for of, check in report.spot_checks.items()} == {
        "untrained": 4,
        "best": 4,
    }
    told = " ".join(report.conclusions)
    assert "For a taste, 4 prompts of asked.jsonl: 4/4 100.0 %" in told
    assert "4 prompts cannot tell whether that is better: one of them is 25.0 %" in told

    seen, on_record = len(workers.seen), session.rundir.events.read_bytes()
    assert run(tmp_path, workers).run()
    assert len(workers.seen) == seen, "nothing is answered again"
    assert session.rundir.events.read_bytes().startswith(on_record)
    assert len(checks(session)) == 2


def test_the_best_answers_it_in_the_precision_that_it_was_trained_in(tmp_path: Path) -> None:
    left = events.PrecisionChanged(
        step=2, before=Precision.FP16, after=Precision.BF16, reason="the loss overflows"
    )

    def instead(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob):
            return None
        played, end = workers.train(job)
        return [left, *played], end

    workers = Workers(instead)
    tuner = run(tmp_path, workers)
    assert tuner.run()
    asked = [
        job.device.precision
        for job in workers.seen
        if isinstance(job, GenerateJob) and Path(job.prompts).name == "spot_check.jsonl"
    ]
    assert asked == [Precision.FP32, Precision.BF16]


def test_spot_check_and_the_score_on_all_prompts_take_the_same_weights(tmp_path: Path) -> None:
    tuner = run(tmp_path, Workers())
    assert tuner.run()
    rundir, state = tuner.session.rundir, tuner.session.state
    best = state.best
    assert best is not None
    own = rundir.checkpoint(best.number, best.checkpoint)
    assert weights_of(rundir, state, best) == own
    (weights,) = own.glob("*.safetensors")
    weights.write_bytes(b"another")
    assert weights_of(rundir, state, best) == rundir.best, "the copy, where its own is damaged"
    for path in rundir.best.glob("*.safetensors"):
        path.write_bytes(b"another")
    assert weights_of(rundir, state, best) == own, "no copy that is damaged too"


def test_it_decides_nothing_where_it_cannot_be_answered(tmp_path: Path) -> None:
    def instead(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, GenerateJob) and Path(job.prompts).name == "spot_check.jsonl":
            return (), setups.failed(Failure.BAD_JOB, "its chat template fails", "generate")
        return None

    tuner = run(tmp_path, Workers(instead))
    assert tuner.run(), "the target is met all the same"
    assert checks(tuner.session) == []
    warned = [e.message for e in recorded(tuner.session, events.Warned)]
    assert warned == ["spot check of untrained: no score: its chat template fails"]


def test_a_run_goes_without_prompts_that_cannot_be_fetched_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(source: str, say: object) -> None:
        raise EnvironmentFault("prompts ifeval: the hub cannot be reached")

    monkeypatch.setattr("autotune.run.spot_check.resolve_prompts", offline)
    session, _ = setups.session(tmp_path, Workers())
    asked = PromptChoice(source="ifeval", limit=4)
    chosen = setups.profile(A).model_copy(update={"spot_check": asked})
    assert keep_spot_check(session, chosen, lambda _: None) is None
    told = [describe(record) for record in session.rundir.records()]
    assert told == [
        "warning: the spot check is left out: prompts ifeval: the hub cannot be reached"
    ]
    assert keep_spot_check(session, setups.profile(A), lambda _: None) is None


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (5, "24 prompts cannot tell whether that is better: one of them is 4.2 %, and the"),
        (20, "after. The intervals do not overlap; all prompts of IFEval tell how much."),
    ],
)
def test_so_few_prompts_are_said_to_tell_what_they_can(after: int, said: str) -> None:
    state = replay(book.story())
    best = state.best
    assert best is not None
    for of, count in (("untrained", 2), ("best", after)):
        check = events.SpotChecked.from_parts(
            setups.report(count, 24),
            of=of,
            prompts="IFEval",
            scorer="ifeval",
            max_new_tokens=160,
            **({"number": 1, "checkpoint": best.checkpoint} if of == "best" else {}),
        )
        state.spot_checks[of] = check
    told = " ".join(conclusions(state))
    assert (
        f"For a taste, 24 prompts of IFEval: 2/24 8.3 % [2-26] before training, {after}/24" in told
    )
    assert said in told
    state.spot_checks["best"] = check.model_copy(update={"number": 0})
    told = " ".join(conclusions(state))
    assert "2/24 8.3 % [2-26] before training." in told, "of another best there is none yet"


def test_the_live_screen_names_it_while_it_is_answered() -> None:
    records = book.until(book.story(), events.TrialStarted)[:-1]
    told = events.Answered(done=3, total=24, new_tokens=90, seconds=2.0)
    shown = live_text([*records, Record(time=records[-1].time + 1, event=told)])
    assert "scoring the spot check, which decides nothing" in shown


def test_each_strategy_is_told_against_the_target_beside_the_untrained_model() -> None:
    told = " ".join(conclusions(replay(book.story())))
    assert (
        "Step by step (target 25.0 %): untrained 3/24 12.5 % [4-31]; A 5/24 20.8 % [9-40];"
        " B 8/24 33.3 % [18-53]."
    ) in told
