"""Answers worth reading: the worst of a set, and those that changed from one set to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotune.protocol.results import EvalReport, PromptVerdict
from autotune.score.answers import Answer, match
from autotune.score.health import faults_of
from autotune.score.prompts import Prompt
from autotune.score.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Example:
    """One answer (None where there is none), what it fails in words, and what is wrong with it.

    `faults` are among: echo, loop, empty, vacuous, not stopped.
    """

    key: int
    prompt: str
    response: str | None
    failed: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One prompt's answers before and after, of which one passes and the other does not."""

    before: Example
    after: Example


def worst(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    report: EvalReport,
    count: int,
) -> tuple[Example, ...]:
    """The failed answers with the most failed instructions, then with the most faults.

    Equal ones stand in the order of the prompts. Prompts without an answer are left out: the report
    lists them.
    """
    matched, _ = match(prompts, answers)
    asked = {prompt.key: prompt for prompt in prompts}
    found = [
        example_of(scorer, asked[verdict.key], matched[verdict.key], verdict)
        for verdict in report.verdicts
        if not verdict.strict and verdict.key in matched
    ]
    return tuple(sorted(found, key=lambda e: (-len(e.failed), -len(e.faults)))[:count])


def changed(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    before: tuple[Sequence[Answer], EvalReport],
    after: tuple[Sequence[Answer], EvalReport],
    count: int,
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Up to `count` prompts that only pass after, and as many that only passed before.

    Both reports are on all of `prompts`.
    """
    sets = [(match(prompts, answers)[0], by_key(report)) for answers, report in (before, after)]
    (old, old_verdicts), (new, new_verdicts) = sets
    gained: list[Change] = []
    lost: list[Change] = []
    for prompt in prompts:
        first, second = old_verdicts[prompt.key], new_verdicts[prompt.key]
        into = gained if second.strict else lost
        if first.strict is second.strict or len(into) >= count:
            continue
        into.append(
            Change(
                example_of(scorer, prompt, old.get(prompt.key), first),
                example_of(scorer, prompt, new.get(prompt.key), second),
            )
        )
    return tuple(gained), tuple(lost)


def by_key(report: EvalReport) -> Mapping[int, PromptVerdict]:
    """The verdicts of a report, each under its prompt's key."""
    return {verdict.key: verdict for verdict in report.verdicts}


def example_of(
    scorer: Scorer, prompt: Prompt, answer: Answer | None, verdict: PromptVerdict
) -> Example:
    """One answer with what there is to say about it."""
    response = answer.response if answer is not None else None
    failed = () if verdict.strict else scorer.explain(prompt, verdict, response)
    faults = faults_of(prompt.prompt, response, verdict.strict, scorer.health_checks)
    if answer is not None and answer.finish == "length":
        faults += ("not stopped",)
    return Example(
        key=prompt.key,
        prompt=prompt.prompt,
        response=response,
        failed=tuple(dict.fromkeys(failed)),
        faults=faults,
    )
