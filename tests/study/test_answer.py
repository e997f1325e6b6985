"""From a checkpoint to a score that can be believed: retries, and a scorer that gives nonsense."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.config.profile import Profile
from autotune.protocol import events
from autotune.protocol.choices import Supervision, Think
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob, Job
from autotune.protocol.results import Checkpoint, EvalReport, Requirements
from autotune.protocol.scores import Metric
from autotune.run.folder import RunDir
from autotune.run.trial_state import TrialState
from autotune.score.answers import Answer
from autotune.score.ifeval.scorer import IFEval
from autotune.study.baselines import score_baselines
from autotune.study.checkpoint import decides_early, evaluate_checkpoint
from autotune.study.next_action import Evaluate
from tests import records, setups
from tests.played import Judge, Workers

AT = Checkpoint(step=5, progress=1.0, folder="trials/0000/checkpoints/step-000005")


def evaluated(
    folder: Path, judge: Judge, workers: Workers | None = None, **required: float
) -> events.Evaluated:
    """The checkpoint's evaluation with target 25 %."""
    session, _ = setups.session(folder, workers or Workers())
    chosen = setups.profile()
    evaluate = chosen.evaluate.model_copy(update={"require": Requirements(**required)})
    chosen = chosen.model_copy(update={"evaluate": evaluate})
    trial = TrialState(0, 0, records.plan(), 0.0)
    return evaluate_checkpoint(session, setups.setup(chosen), judge, Evaluate(trial, AT), 0.25)


def recorded(folder: Path, kind: type) -> list:  # type: ignore[type-arg]
    """The events of a kind on record, in order."""
    return [r.event for r in RunDir(folder).records() if isinstance(r.event, kind)]


def with_accuracy(value: object) -> EvalReport:
    """A report whose accuracy no honest scorer gives, made past the checks."""
    metric = Metric.model_construct(passes=2, total=8, accuracy=value)  # type: ignore[arg-type]
    return setups.report(2).model_copy(update={"score": metric})


def fails(_: str) -> object:
    raise RuntimeError("no\nscore")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (lambda _: with_accuracy(math.nan), "prompt_strict.accuracy is nan"),
        (lambda _: with_accuracy(math.inf), "prompt_strict.accuracy is inf"),
        (lambda _: with_accuracy(1.7), "1.7 is not within 0 and 1"),
        (lambda _: with_accuracy(-0.1), "-0.1 is not within 0 and 1"),
        (lambda _: with_accuracy("0.25"), "prompt_strict.accuracy is '0.25'"),
        (lambda _: with_accuracy(None), "prompt_strict.accuracy is None"),
        (lambda _: None, "gave None"),
        (lambda _: 0.25, "gave 0.25"),
        (lambda _: setups.report(2, n=7), "n is 7, there are 8 prompts"),
        (fails, "no score"),
    ],
)
def test_a_score_that_cannot_be_is_a_failed_evaluation(
    tmp_path: Path, given: Callable[[str], object], reason: str
) -> None:
    found = evaluated(tmp_path, Judge(given))
    assert found.score is None
    assert not found.met
    assert found.problem is not None
    assert found.problem.startswith("evaluation failed: scorer test: ")
    assert reason in found.problem
    assert "\n" not in found.problem


@pytest.mark.parametrize(("passes", "met"), [(1, False), (2, True), (8, True)])
def test_a_healthy_score_is_a_success_from_the_target_on(
    tmp_path: Path, passes: int, met: bool
) -> None:
    found = evaluated(tmp_path, Judge(lambda _: setups.report(passes)))
    assert found.met is met
    assert found.problem is None
    where = RunDir(tmp_path).eval_folder("trial-0000-step-000005")
    report = EvalReport.model_validate_json((where / "scores.json").read_bytes())
    assert report.score == found.score


def test_a_high_score_of_echoes_is_no_success_where_a_profile_wants_none(tmp_path: Path) -> None:
    judge = Judge(lambda _: setups.report(7, health=setups.PARROT))
    found = evaluated(tmp_path, judge, max_echo=0.1)
    assert found.score == Metric.of(7, 8)
    assert not found.met
    assert found.unmet == ("8 of 8 give the prompt back, at most 0 may",)
    assert found.unhealthy == ("echo 100 % is above 10 %",)


def test_a_scorer_that_fails_even_on_the_echo_stops_nothing_and_damages_no_record(
    tmp_path: Path,
) -> None:
    class Broken(Judge):
        def score(self, *_: object) -> EvalReport:
            return with_accuracy(math.nan)

    session, _ = setups.session(tmp_path, Workers())
    score_baselines(session, setups.setup(setups.profile()), Broken(fails))
    assert recorded(tmp_path, events.BaselineScored) == []
    echo, untrained = (e.message for e in recorded(tmp_path, events.Warned))
    assert "echo" in echo
    assert "untrained" in untrained


def ending(ends: dict[int, setups.JobResult]) -> Workers:
    """Workers whose evaluations, counted from 0, end in these ways."""

    def instead(_: Job, before: int) -> setups.Played | None:
        return ([], ends[before]) if before in ends else None

    return Workers(instead)


def good(_: str) -> object:
    return setups.report(3)


@pytest.mark.parametrize("fault", [Failure.OUT_OF_MEMORY, Failure.SUSPECTED])
def test_an_evaluation_out_of_memory_answers_fewer_at_a_time(
    tmp_path: Path, fault: Failure
) -> None:
    gone = setups.failed(fault, "no memory", "generate")
    workers = ending({0: gone, 1: gone, 2: gone})
    assert evaluated(tmp_path, Judge(good), workers).met
    asked = [job for job in workers.seen if isinstance(job, GenerateJob)]
    assert [job.batch_size for job in asked] == [8, 4, 2, 1]
    assert len({job.out for job in asked}) == 1


def test_an_answer_that_does_not_fit_alone_is_a_failed_evaluation(tmp_path: Path) -> None:
    gone = setups.failed(Failure.OUT_OF_MEMORY, "CUDA out of memory", "generate")
    found = evaluated(tmp_path, Judge(good), ending(dict.fromkeys(range(9), gone)))
    assert found.problem == "evaluation failed: out of memory: CUDA out of memory"
    assert len(recorded(tmp_path, events.Warned)) == 3


def test_an_evaluation_that_crashes_is_tried_once_more(tmp_path: Path) -> None:
    workers = ending({0: setups.crashed()})
    assert evaluated(tmp_path, Judge(good), workers).met
    assert len(workers.seen) == 2


def test_an_evaluation_that_crashes_twice_has_failed(tmp_path: Path) -> None:
    workers = ending({0: setups.crashed(), 1: setups.crashed()})
    found = evaluated(tmp_path, Judge(good), workers)
    assert found.problem == "evaluation failed: crashed: worker ended with code 1 during backward"
    assert len(workers.seen) == 2


def test_a_full_disk_is_not_a_bad_checkpoint(tmp_path: Path) -> None:
    full = setups.failed(Failure.DISK, "responses.jsonl: no room", "generate")
    with pytest.raises(EnvironmentFault, match="free disk space"):
        evaluated(tmp_path, Judge(good), ending({0: full}))


@pytest.mark.parametrize("fault", [Failure.BAD_JOB, Failure.NUMERIC])
def test_a_model_that_cannot_answer_is_not_asked_twice(tmp_path: Path, fault: Failure) -> None:
    refused = setups.failed(fault, "model folder x: its chat template fails", "generate")
    workers = ending({0: refused})
    found = evaluated(tmp_path, Judge(good), workers)
    assert found.problem == "evaluation failed: model folder x: its chat template fails"
    assert found.score is None
    assert len(workers.seen) == 1
    assert recorded(tmp_path, events.Warned) == []


@pytest.mark.parametrize("fault", [Failure.BAD_JOB, Failure.NUMERIC])
def test_a_run_with_a_model_that_cannot_answer_ends_before_it_trains(
    tmp_path: Path, fault: Failure
) -> None:
    reason = "model folder x: lacks lm_head.weight"
    session, runner = setups.session(tmp_path, ending({0: setups.failed(fault, reason, "loading")}))
    with pytest.raises(BadInput, match=reason):
        score_baselines(session, setups.setup(setups.profile()), Judge(good))
    assert len(runner.jobs) == 1


def thinking(think: Think) -> Profile:
    profile = setups.profile()
    return profile.model_copy(
        update={"evaluate": profile.evaluate.model_copy(update={"think": think})}
    )


def test_a_run_judges_the_text_that_its_profile_names_and_says_of_how_many_it_matters(
    tmp_path: Path,
) -> None:
    """All answers are a thought with a comma and an answer without one."""

    def think(job: Job, _: int) -> setups.Played | None:
        assert isinstance(job, GenerateJob)
        Path(job.out).parent.mkdir(parents=True)
        lines = [
            Answer(key=p.key, prompt=p.prompt, response="<think>Well, so.</think>\nFine.")
            for p in setups.prompts()
        ]
        Path(job.out).write_text("".join(f"{a.model_dump_json()}\n" for a in lines), "utf-8")
        return [], setups.done()

    for way, passes, warnings in ((Think.KEEP, 0, 1), (Think.STRIP, 8, 0)):
        folder = tmp_path / way
        session, _ = setups.session(folder, Workers(think))
        trial = TrialState(0, 0, records.plan(), 0.0)
        move = Evaluate(trial, AT)
        found = evaluate_checkpoint(session, setups.setup(thinking(way)), IFEval(), move, 0.25)
        assert found.score == Metric.of(passes, 8)
        where = RunDir(folder).eval_folder("trial-0000-step-000005")
        report = EvalReport.model_validate_json((where / "scores.json").read_bytes())
        assert (report.think, report.thoughts, report.unfinished_thoughts) == (way, 8, 0)
        assert len(recorded(folder, events.Warned)) == warnings


def test_no_checkpoint_is_judged_early_where_thoughts_are_left_out() -> None:
    """All of an answer may turn out to be one, until it is finished."""
    for way, early in ((Think.KEEP, True), (Think.STRIP, False)):
        setup = replace(setups.setup(thinking(way)), prompts=setups.prompts(40))
        assert decides_early(setup, IFEval()) is early


def test_scores_of_a_time_without_that_choice_were_of_whole_answers() -> None:
    tree = setups.report(3).model_dump(mode="json")
    for name in ("think", "thoughts", "unfinished_thoughts"):
        del tree[name]
    assert EvalReport.model_validate_json(json.dumps(tree)).think is Think.KEEP


@pytest.mark.parametrize("supervision", list(Supervision))
def test_a_model_without_a_template_is_asked_in_the_form_that_is_trained(
    tmp_path: Path, supervision: Supervision
) -> None:
    workers = Workers()
    session, _ = setups.session(tmp_path, workers)
    setup = setups.setup(setups.profile())
    setup = replace(setup, data=setup.data.model_copy(update={"supervision": supervision}))
    score_baselines(session, setup, Judge(lambda _: setups.report(2)))
    (job,) = workers.seen
    assert isinstance(job, GenerateJob)
    assert job.supervision is supervision
