"""A run that judges checkpoints by no more answers than it takes: the same best, fewer answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.base.files import write_text_atomic
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import GenerateJob
from autotune.run.folder import RunDir
from autotune.score.answers import read_answers
from autotune.text.events import describe_evaluated
from tests import setups
from tests.answerers import FIRST, LAST, ORDER, Answerers, N, best_of, of_rate, tuner
from tests.contains import Contains
from tests.study.test_tuner import recorded, started

POOR, POORER = of_rate(0.10, 1), of_rate(0.05, 2)


def test_checkpoints_that_cannot_meet_the_target_stop_and_the_best_is_answered_to_its_end(
    tmp_path: Path,
) -> None:
    workers = Answerers(good={FIRST: POOR, LAST: POORER})
    run = tuner(tmp_path, workers)
    assert not run.run()
    first, last, whole = recorded(run.session, events.Evaluated)
    for early in (first, last):
        assert early.partial.why == "target"
        assert early.partial.of == N
        assert early.score.total < N / 2
        assert early.health is None
        assert not early.met
    assert whole == best_of(run.session)
    assert whole.partial is None
    assert whole.health is not None
    assert (whole.score.passes, whole.score.total) == (len(POOR), N)
    assert sorted(workers.made[FIRST]) == list(range(N))  # and none twice
    assert len(workers.made[LAST]) < N / 2
    assert "25.0 % is out of reach" in describe_evaluated(first)
    loads = [Path(job.model_folder).name for job in workers.seen if isinstance(job, GenerateJob)]
    assert sorted(loads) == ["model", FIRST, FIRST, LAST]


@pytest.mark.parametrize("rates", [(0.10, 0.05), (0.05, 0.15), (0.4, 0.3), (0.1, 0.5), (0.2, 0.2)])
def test_the_best_and_its_score_are_those_of_a_run_that_scores_all_in_full(
    tmp_path: Path, rates: tuple[float, float]
) -> None:
    good = {name: of_rate(rate, 5) for name, rate in zip((FIRST, LAST), rates, strict=True)}
    found = []
    made = []
    for early in (False, True):
        workers = Answerers(good=good)
        run = tuner(tmp_path / str(early), workers, early=early)
        met = run.run()
        best = best_of(run.session)
        found.append((met, best.checkpoint.name, best.score, best.health, best.met))
        made.append(sum(len(keys) for name, keys in workers.made.items() if name != "model"))
    assert found[0] == found[1]
    assert made[0] == 2 * N
    assert made[1] < made[0] or min(rates) >= 0.2  # both near the target of 25 %, or above


@pytest.mark.parametrize("rates", [(0.10, 0.05), (0.05, 0.15)])
def test_the_selection_bias_of_the_choice_is_known_though_some_were_not_answered_to_the_end(
    tmp_path: Path, rates: tuple[float, float]
) -> None:
    good = {name: of_rate(rate, 5) for name, rate in zip((FIRST, LAST), rates, strict=True)}
    run = tuner(tmp_path, Answerers(good=good))
    run.run()
    chosen = recorded(run.session, events.BestCorrected)[-1]
    score = best_of(run.session).score
    assert score is not None
    assert chosen.candidates == 2
    assert 0 < chosen.corrected <= score.accuracy


def test_a_checkpoint_that_can_meet_the_target_is_answered_to_its_end_though_another_is_better(
    tmp_path: Path,
) -> None:
    run = tuner(tmp_path, Answerers(good={FIRST: of_rate(0.8, 1), LAST: of_rate(0.4, 2)}))
    assert run.run()
    first, last = recorded(run.session, events.Evaluated)
    assert (first.partial, last.partial) == (None, None)
    assert best_of(run.session) == first


def test_the_only_checkpoint_of_a_trial_is_answered_to_its_end_at_once(tmp_path: Path) -> None:
    workers = Answerers(good={LAST: POOR}, cut=frozenset(ORDER[::3]))
    run = tuner(tmp_path, workers)
    train = run.setup.profile.train.model_copy(update={"checkpoint_fractions": (1.0,)})
    run.setup = replace(run.setup, profile=run.setup.profile.model_copy(update={"train": train}))
    run.chooser.setup = run.setup
    assert not run.run()
    (only,) = recorded(run.session, events.Evaluated)
    assert (only.partial, only.score.total) == (None, N)
    loads = [Path(job.model_folder).name for job in workers.seen if isinstance(job, GenerateJob)]
    assert loads == ["model", LAST]


def test_a_checkpoint_that_is_nearly_through_is_answered_to_its_end(tmp_path: Path) -> None:
    late = frozenset(ORDER[:36])  # needs 40, so it is out of reach a few prompts before the end
    run = tuner(tmp_path, Answerers(good={FIRST: late}))
    run.run()
    first = recorded(run.session, events.Evaluated)[0]
    assert (first.partial, first.score.passes) == (None, 36)


def test_what_is_decided_does_not_depend_on_how_far_the_worker_got_meanwhile(
    tmp_path: Path,
) -> None:
    ends = []
    for burst in (1, 7, 64):
        workers = Answerers(good={FIRST: POOR, LAST: POORER}, burst=burst)
        run = tuner(tmp_path / str(burst), workers)
        run.run()
        ends.append([e.score for e in recorded(run.session, events.Evaluated)])
    assert ends[0] == ends[1] == ends[2]


def test_an_evaluation_that_was_killed_goes_on_and_decides_the_same(tmp_path: Path) -> None:
    calm = tuner(tmp_path / "calm", Answerers(good={FIRST: POOR, LAST: POORER}))
    calm.run()

    class Killed(Exception):
        """The parent is gone."""

    answered = 0

    class Dying(Answerers):
        def answers(self, job: GenerateJob) -> Iterator[WorkerEvent]:
            nonlocal answered
            for event in super().answers(job):
                answered += 1
                if answered == N + 20:  # after the untrained model's, within the first checkpoint's
                    raise Killed
                yield event

    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        tuner(folder, Dying(good={FIRST: POOR, LAST: POORER})).run()
    workers = Answerers(good={FIRST: POOR, LAST: POORER})
    run = tuner(folder, workers)
    run.run()
    kept = [e.model_dump(exclude={"checkpoint"}) for e in recorded(run.session, events.Evaluated)]
    assert kept == [
        e.model_dump(exclude={"checkpoint"}) for e in recorded(calm.session, events.Evaluated)
    ]
    assert len(workers.made[FIRST]) == N - 20


def test_answers_that_were_cut_count_by_their_verdict_and_the_best_is_finished(
    tmp_path: Path,
) -> None:
    workers = Answerers(good={FIRST: of_rate(0.5, 1)}, cut=frozenset(range(0, N, 3)))
    run = tuner(tmp_path, workers)
    assert run.run()
    first, _, whole = recorded(run.session, events.Evaluated)
    assert first.partial.why == "decided"
    assert (first.score.passes, first.score.total) == (N // 2, N)
    assert not first.met
    assert (whole.score, whole.partial, whole.met) == (first.score, None, True)
    answers = read_answers(RunDir(tmp_path).eval_folder(f"trial-0000-{FIRST}") / "responses.jsonl")
    assert sorted(answer.key or 0 for answer in answers) == list(range(N))


def test_the_best_of_a_trial_is_answered_to_its_end_and_no_other_whatever_it_is_worth(
    tmp_path: Path,
) -> None:
    workers = Answerers(
        good={FIRST: of_rate(0.15, 1), LAST: of_rate(0.12, 2)}, hollow=frozenset({FIRST})
    )
    run = tuner(tmp_path, workers)
    run.run()
    full = [e for e in recorded(run.session, events.Evaluated) if e.partial is None]
    assert [e.checkpoint.name for e in full] == [FIRST]
    assert full[0].unhealthy
    assert best_of(run.session) == full[0]


@pytest.mark.parametrize(
    ("evaluate", "scorer"),
    [({"early": False}, None), ({"holdout": True}, None), ({}, Contains())],
    ids=["full", "holdout", "a scorer of its own"],
)
def test_nothing_is_decided_early_where_that_is_not_requested_or_not_known_to_be_right(
    tmp_path: Path, evaluate: dict[str, object], scorer: object
) -> None:
    workers = Answerers(good={FIRST: POOR, LAST: POORER})
    run = tuner(tmp_path, workers, 0.99, scorer, **evaluate)
    run.run()
    assert all(e.partial is None for e in recorded(run.session, events.Evaluated))
    assert all(len(keys) == N for keys in workers.made.values())
    asked = [job for job in workers.seen if isinstance(job, GenerateJob)]
    assert {job.early_seed for job in asked} == {None}


def test_a_file_of_answers_that_somebody_changed_is_named(tmp_path: Path) -> None:
    run = tuner(tmp_path, Answerers(good={FIRST: POOR}))
    where = RunDir(tmp_path).eval_folder(f"trial-0000-{FIRST}")
    where.mkdir(parents=True)
    (where / "responses.jsonl").write_text('{"key": 1}\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"responses\.jsonl: a line was changed"):
        run.run()


def test_a_few_prompts_are_all_answered(tmp_path: Path) -> None:
    workers = Answerers(good={FIRST: frozenset(), LAST: frozenset()})
    run = tuner(tmp_path, workers)
    few = setups.prompts(24)
    run.setup = replace(run.setup, prompts=few)
    write_text_atomic(run.session.rundir.prompts, "".join(p.model_dump_json() + "\n" for p in few))
    run.run()
    assert [len(workers.made[name]) for name in (FIRST, LAST)] == [24, 24]


def test_a_score_that_was_ended_early_never_meets_a_target_that_was_lowered(
    tmp_path: Path,
) -> None:
    run = tuner(tmp_path, Answerers(good={FIRST: POOR, LAST: POORER}))
    run.run()
    run.session.emit(started().model_copy(update={"target": 0.01}))
    (trial,) = run.session.state.trials
    assert [e.met for _, e in sorted(trial.evaluations.items())] == [True, False]
