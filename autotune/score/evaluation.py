"""A scored set of answers with all that it takes to read the score: the result of `eval`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from autotune.protocol.choices import Think
from autotune.protocol.results import EvalReport, HealthLimits, Requirements
from autotune.score.answers import Answer, match
from autotune.score.examples import Change, Example, by_key, changed, worst
from autotune.score.health import broken_limits, unmet
from autotune.score.lift import counts_for
from autotune.score.prompts import Prompt
from autotune.score.report_check import checked_report
from autotune.score.scorer import Scorer
from autotune.score.stats import Comparison, mcnemar
from autotune.score.thoughts import judged


@dataclass(frozen=True, slots=True)
class Paired:
    """Two scored sets of answers on the prompts that both answer, and whether they differ.

    `left_out` counts the prompts that one of them, or neither, has no answer to.
    """

    first: EvalReport
    second: EvalReport
    comparison: Comparison
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The report and what stands beside it; `baselines` are the scorer's, by name.

    `before` compares with the answers before training (first) where those are known. `chosen_among`
    is how many checkpoints of its run a checkpoint was the best of, None where nobody knows;
    `corrected` is the score to expect without that selection bias. `met` is None without a target.
    """

    scorer: Scorer
    report: EvalReport
    baselines: Mapping[str, EvalReport]
    limits: HealthLimits
    unhealthy: tuple[str, ...]
    counts: float
    unmet: tuple[str, ...]
    worst: tuple[Example, ...]
    before: Paired | None = None
    chosen_among: int | None = None
    corrected: float | None = None
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the score counts for as much as the target, and nothing required is missing."""
        if self.target is None:
            return None
        return self.counts >= self.target and not self.unmet


def evaluate(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    limits: HealthLimits,
    *,
    score_per_lift: float,
    required: Requirements,
    examples: int,
    baseline: Sequence[Answer] | None = None,
    target: float | None = None,
    think: Think = Think.KEEP,
) -> Evaluation:
    """Score `answers` and, where given, those of a baseline on the same prompts.

    Of all of them the same text is judged, as `think` says.

    Raises:
        EvaluationFailed: the scorer gave no valid report.
    """
    report = checked_report(scorer, prompts, answers, think)
    return Evaluation(
        scorer=scorer,
        report=report,
        baselines={
            each.name: checked_report(scorer, prompts, each.answers(prompts))
            for each in scorer.baselines
        },
        limits=limits,
        unhealthy=broken_limits(report.health, limits),
        counts=counts_for(report, score_per_lift),
        unmet=unmet(report.health, required, report.answered, report.score.passes),
        worst=worst(scorer, prompts, judged(answers, think), report, examples),
        before=(
            pair(scorer, prompts, baseline, answers, examples, think, known=report)
            if baseline
            else None
        ),
        target=target,
    )


def pair(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    first: Sequence[Answer],
    second: Sequence[Answer],
    examples: int,
    think: Think = Think.KEEP,
    *,
    known: EvalReport | None = None,
) -> Paired | None:
    """Both sets on the prompts that both answer; None where there are none.

    A prompt that one was never asked says nothing about which is better. `known` is the report of
    `second` on all prompts, which is not judged again where both answer all of them.
    """
    one, other = match(prompts, first)[0], match(prompts, second)[0]
    shared = [p for p in prompts if p.key in one and p.key in other]
    if not shared:
        return None
    if known is None or len(shared) < len(prompts):
        known = checked_report(scorer, shared, second, think)
    reports = [checked_report(scorer, shared, first, think), known]
    verdicts = [[by_key(report)[p.key].strict for p in shared] for report in reports]
    gained, lost = changed(
        scorer,
        shared,
        (judged(first, think), reports[0]),
        (judged(second, think), reports[1]),
        examples,
    )
    return Paired(
        first=reports[0],
        second=reports[1],
        comparison=mcnemar(verdicts[0], verdicts[1]),
        gained=gained,
        lost=lost,
        left_out=len(prompts) - len(shared),
    )


def as_tree(found: Evaluation) -> dict[str, Any]:
    """The object of `eval --json`."""
    tree = report_tree(found.report)
    tree["scorer"] = found.scorer.name
    tree["means"] = dict(found.scorer.means(found.report))
    tree["counts"] = found.counts
    tree["unmet"] = list(found.unmet)
    tree["unhealthy"] = list(found.unhealthy)
    tree["health_limits"] = found.limits.model_dump()
    tree["baselines"] = {
        name: report.score.model_dump() for name, report in found.baselines.items()
    }
    tree["chosen_among"] = found.chosen_among
    tree["corrected"] = found.corrected
    tree["examples"] = {"worst": [asdict(example) for example in found.worst]}
    if found.before is not None:
        tree["baselines"]["untrained"] = found.before.first.score.model_dump()
        tree["before"] = pair_tree(found.before)
        for name in ("gained", "lost"):
            tree["examples"][name] = [asdict(each) for each in getattr(found.before, name)]
    if found.met is not None:
        tree["met"] = found.met
    return tree


def report_tree(report: EvalReport) -> dict[str, Any]:
    """A report as plain JSON, without the verdict on each prompt."""
    tree: dict[str, Any] = json.loads(report.model_dump_json(exclude={"verdicts"}))
    return tree


def pair_tree(paired: Paired) -> dict[str, Any]:
    """The figures of a comparison as plain JSON."""
    return {
        "n": paired.first.n,
        "left_out": paired.left_out,
        "first": report_tree(paired.first),
        "second": report_tree(paired.second),
        **asdict(paired.comparison),
    }
