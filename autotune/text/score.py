"""What a score is worth, in plain words: why an unhealthy one is no success, and selection bias."""

from collections.abc import Collection, Iterable, Sequence

from autotune.base.format import counted, percent
from autotune.protocol import events
from autotune.protocol.choices import Think
from autotune.protocol.result_text import health_text, limits_text, points_text, score_text
from autotune.protocol.results import EvalReport, Partial
from autotune.protocol.scores import Lift, Metric
from autotune.score.answers import Answer, Found
from autotune.score.stats import SIGNIFICANCE_LEVEL, Comparison

_MEANING = {
    "stop": "An answer that is truncated at the limit of its length never came to an end.",
    "loop": "An answer that repeats itself to its end answers nothing, and still passes rules on"
    " words, commas or length.",
    "echo": "An answer that gives the prompt back passes by accident: the prompt itself holds the"
    " words that it asks for.",
    "empty": "An empty answer answers nothing.",
    "vacuous": "A trivial answer passes rules that hold for almost any short text, such"
    " as no commas.",
}


_FAULTY = {"echo": "echoing", "loop": "looping", "vacuous": "trivial"}
"""How an answer is called that passes for no merit of its own, by the check that finds it."""


def faulty_answers(checks: Collection[str]) -> str:
    """The answers whose passes count for nothing, as a scorer's health checks find them.

    `echoing, looping or trivial answers`, without what is not among `checks`.
    """
    *first, last = [word for name, word in _FAULTY.items() if name in checks] or ["faulty"]
    words = [", ".join(first), last] if first else [last]
    return " or ".join(words) + " answers"


def fault_text(name: str) -> str:
    """What is wrong with an answer as an adjective, where there is one: `looping`, `trivial`."""
    return _FAULTY.get(name, name)


def unhealthy_lines(
    strict: Metric,
    unhealthy: Sequence[str],
    faultless: Metric | None,
    echo: Metric | None,
    checks: Collection[str],
) -> list[str]:
    """Why a score whose answers break health limits is not what it says; empty if they break none.

    A line for each broken limit, then what is left of the score. `faultless` are the passes without
    such answers, `echo` the score of giving every prompt back, `checks` those of the scorer.
    """
    if not unhealthy:
        return []
    lines = []
    for limit in unhealthy:
        name = limit.split(" ", 1)[0]
        meaning = f"Not healthy: {limits_text([limit])}. {_MEANING[name]}"
        if name == "echo" and echo is not None:
            meaning += f" Echoing every prompt passes {percent(echo.accuracy)}."
        lines.append(meaning)
    bad = strict.passes - faultless.passes if faultless is not None else 0
    if faultless is not None and bad:
        passes = counted(bad, "pass", "passes")
        lines.append(
            f"Excluding {passes} by {faulty_answers(checks)}: {score_text(faultless, None)}."
        )
    return lines


def outcome_text(scored: events.Evaluated) -> str:
    """What a checkpoint's score, taken to its end, means for the target."""
    if scored.met:
        return "target met"
    if scored.lacks:
        return f"not a success: {limits_text(scored.lacks)}"
    if scored.counts_for_less and scored.counts is not None:
        return f"below target, counts for {percent(scored.counts)}"
    return "below target"


def lift_text(lift: Lift) -> str:
    """How much of a score is following: `genuine 71/541 13.1 %, on other prompts 7.5 %, ...`."""
    return (
        f"genuine {score_text(lift.genuine, None)}, on other prompts"
        f" {percent(lift.shuffled.accuracy)}: lift {points_text(lift)} points"
        f" ({p_value_text(lift.p_value)})"
    )


def no_lift_line(lift: Lift | None) -> str | None:
    """That nothing shows that the prompts are followed; None where something does.

    Nor is it said of answers that pass no prompt at all: their score says so.
    """
    passes = lift is not None and (lift.genuine.passes or lift.shuffled.passes)
    if lift is None or not passes or lift.p_value <= SIGNIFICANCE_LEVEL:
        return None
    return (
        "So far nothing shows that the prompts are followed: the same answers pass other prompts"
        f" {percent(lift.shuffled.accuracy)} of the time, and their own"
        f" {percent(lift.genuine.accuracy)} by what they say themselves, which chance may well"
        f" do ({p_value_text(lift.p_value)})."
    )


_NAMED = 10
"""Keys of prompts that a line names; more would be a list nobody reads."""

_QUOTED = 40
"""Characters of a prompt by which an answer is found again in its file."""


def unanswered_line(keys: Sequence[int]) -> str:
    """Which prompts have no answer, by their keys, and what that means for the score."""
    named = ", ".join(map(str, keys[:_NAMED]))
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    word = "key" if len(keys) == 1 else "keys"
    return f"no answer to {counted(len(keys), 'prompt')} ({word} {named}{more}): counted as failed"


def stray_lines(found: Found, prompts: int) -> list[str]:
    """Which answers of a file are not used to judge the prompts that are scored, and why."""
    lines, answers = [], counted(found.seen, "answer")
    if count := found.unknown:
        belong = "belongs" if count == 1 else "belong"
        lines.append(
            f"{count} of {answers} {belong} to no prompt that is scored"
            f" ({counted(prompts, 'prompt')} asked; {named_answer(found.first_unknown)})"
        )
    if count := found.replaced:
        why = (
            "is not used, because its prompt has"
            if count == 1
            else "are not used, because their prompts have"
        )
        first = named_answer(found.first_replaced)
        lines.append(f"{count} of {answers} {why} another answer ({first})")
    return lines


def named_answer(answer: Answer | None) -> str:
    """An answer as it is found again in its file: `first: key 7, 'Write a ...'`."""
    if answer is None:
        return "none"
    key = "no key" if answer.key is None else f"key {answer.key}"
    return f"first: {key}, {answer.prompt[:_QUOTED]!r}"


def judged_line(report: EvalReport) -> str:
    """Which text of the answers was judged, and of how many it matters."""
    if report.think is Think.STRIP:
        text = "judged: what follows </think> (--think strip)"
        if not report.thoughts:
            return f"{text}; no answer has one"
        line = f"{text}, in {counted(report.thoughts, 'answer')} with <think>"
        if report.unfinished_thoughts:
            line += f"; {report.unfinished_thoughts} never stop thinking and count as empty"
        return line
    text = "judged: answers as they stand (--think keep)"
    if not report.thoughts:
        return text
    return f"{text}, with the <think>...</think> of {report.thoughts}; --think strip leaves it out"


def partial_text(score: Metric, partial: Partial) -> str:
    """Why a score is an estimate: `stopped after 81 of 541 prompts, 25.0 % is out of reach`."""
    if partial.why == "decided":
        return f"all {counted(partial.of, 'prompt')} decided before their answers were finished"
    if partial.why == "target" and partial.target is not None:
        reason = f"{percent(partial.target)} is out of reach"
    else:
        reason = f"{partial.rival} is better"  # of a run of an earlier version
    return f"stopped after {score.total} of {counted(partial.of, 'prompt')}, {reason}"


def ended_early_line(partial: Iterable[Partial | None]) -> str | None:
    """How many checkpoints were not answered to the end, and what their scores are."""
    stopped = [p for p in partial if p is not None and p.why != "decided"]
    if not stopped:
        return None
    these = counted(len(stopped), "checkpoint was", "checkpoints were")
    beaten = " or another was better" if any(p.why == "rival" for p in stopped) else ""
    return (
        f"{these} not answered to the end, because the target was out of reach{beaten};"
        " such scores are estimates. A new run with --full answers everything."
    )


def in_full_sentence(full: events.BestInFull) -> str:
    """The best on all prompts of a source, with all that a score needs to be read."""
    text = (
        f"on all {counted(full.score.total, 'prompt')} of {full.prompts} the best"
        f" checkpoint scores {score_text(full.score, full.interval)},"
        f" {health_text(full.health, full.lift)}, with answers of up to"
        f" {full.max_new_tokens} tokens"
    )
    return text + (f"; not healthy: {limits_text(full.unhealthy)}" if full.unhealthy else "")


def selection_bias_line(
    candidates: int, corrected: float | None, score: float | None = None, where: str = ""
) -> str | None:
    """What the choice among several checkpoints adds to a `score` (0..1), which was taken `where`.

    None where there was no choice, and where it adds nothing that shows.
    """
    if candidates < 2:
        return None
    if corrected is not None and score is not None and percent(corrected) == percent(score):
        return None
    if corrected is None:
        return (
            f"Best of {counted(candidates, 'checkpoint')} (selection bias): expect a little less on"
            " new prompts."
        )
    return (
        f"Best of {counted(candidates, 'checkpoint')} (selection bias); corrected estimate"
        f" {percent(corrected)}{where}."
    )


def difference_line(comparison: Comparison, first: str, second: str) -> str:
    """Whether two sets of answers differ, by the exact test."""
    c = comparison
    p = p_value_text(c.p_value)
    if c.p_value > SIGNIFICANCE_LEVEL:
        return f"no significant difference (exact McNemar, {p})"
    better = second if c.only_second > c.only_first else first
    return f"{better} is better, a significant difference (exact McNemar, {p})"


def p_value_text(value: float) -> str:
    """A p value as it is quoted: two digits, and very small ones as a bound."""
    return f"p = {value:.2g}" if value >= 1e-4 else "p < 0.0001"
