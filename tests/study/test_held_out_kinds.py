"""A run that practises counts apart, for every model that it scores, the kinds it holds out."""

from pathlib import Path

from autotune.protocol import events
from autotune.protocol.results import EvalReport, InstructionVerdict, PromptVerdict
from autotune.protocol.scores import Metric
from autotune.report.build import report_of
from autotune.study.baselines import score_baselines
from tests import setups
from tests.played import Judge, Workers
from tests.study.test_tuner import recorded, tuner

FOUND = events.PracticeFound(
    strategies=("B",),
    data="practice.jsonl",
    conversations=9,
    practised=("words:few",),
    held_out=("case:upper",),
)


def verdict(key: int, kind: str, passed: bool) -> PromptVerdict:
    each = InstructionVerdict(instruction=kind, strict=passed, loose=passed)
    return PromptVerdict(key=key, strict=passed, loose=passed, answered=True, instructions=(each,))


def given(folder: str) -> EvalReport:
    """Of eight prompts two have the held-out kind; B follows one of these, the others none."""
    held = 1 if "0001" in Path(folder).parts else 0
    verdicts = [verdict(key, "words:few", passed=key < 1) for key in range(6)]
    verdicts += [verdict(6 + at, "case:upper", passed=at < held) for at in range(2)]
    return setups.report(1 + held).model_copy(update={"verdicts": tuple(verdicts)})


def held_out(scored: events.BaselineScored | events.Evaluated) -> list[Metric]:
    return [kinds.held_out_instructions for kinds in scored.kinds]


def test_every_model_of_a_run_is_counted_apart_and_the_report_has_both(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), Judge(given))
    run.session.emit(FOUND)
    assert run.run()
    untrained = run.session.state.baselines["untrained"]
    assert held_out(untrained) == [Metric.of(0, 2)]
    assert untrained.kinds[0].practised_instructions == Metric.of(1, 6)
    scored = recorded(run.session, events.Evaluated)
    assert {(e.number, *(m.passes for m in held_out(e))) for e in scored} >= {(0, 0), (1, 1)}
    report = report_of(run.session.history, tmp_path)
    assert [(k.of, k.held_out_prompts.passes) for k in report.kinds] == [
        ("untrained", 0),
        ("best", 1),
    ]


def test_an_untrained_model_from_before_the_practice_is_counted_apart_afterwards(
    tmp_path: Path,
) -> None:
    run = tuner(tmp_path, workers := Workers(), Judge(given))
    assert run.run()
    before = run.session.state.baselines["untrained"]
    assert before.kinds == ()
    answered = len(workers.seen)
    run.session.emit(FOUND)
    for _ in range(2):
        score_baselines(run.session, run.setup, run.scorer)
    assert held_out(run.session.state.baselines["untrained"]) == [Metric.of(0, 2)]
    assert run.session.state.baselines["untrained"].score == before.score
    assert len(workers.seen) == answered, "nothing is answered again"
    assert len([e for e in recorded(run.session, events.BaselineScored) if e.kinds]) == 1
