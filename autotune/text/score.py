"""What a score is worth, in plain words: why an unhealthy one is no success, and selection bias."""

from collections.abc import Iterable, Sequence

from autotune.base.format import counted, percent
from autotune.protocol import events
from autotune.protocol.result_text import health_text, limits_text, score_text
from autotune.protocol.results import EvalReport, Partial, Think
from autotune.protocol.scores import Lift, Metric
from autotune.score.stats import Comparison

SURE = 0.05
"""A p value from which on up two models are not said to differ."""

_MEANING = {
    "stop": "An answer that is truncated at the limit of its length never came to an end.",
    "loop": "An answer that repeats itself to its end answers nothing, and still passes rules on"
    " words, commas or length.",
    "echo": "An answer that gives the prompt back passes by accident: the prompt itself holds the"
    " words that it asks for.",
    "empty": "An empty answer is none.",
    "vacuous": "A trivial answer passes rules that hold for almost any short text, such"
    " as no commas.",
}


def unhealthy_lines(
    strict: Metric, unhealthy: Sequence[str], sound: Metric | None, echo: Metric | None
) -> list[str]:
    """Why a score whose answers break health limits is not what it says; empty if they break none.

    A line for each broken limit, then what is left of the score. `sound` are the passes without
    such answers, `echo` the score of giving every prompt back.
    """
    if not unhealthy:
        return []
    lines = []
    for name in (line.split(" ", 1)[0] for line in unhealthy):
        meaning = _MEANING[name]
        if name == "echo" and echo is not None:
            meaning += f" Echoing every prompt passes {percent(echo.accuracy)}."
        lines.append(meaning)
    bad = strict.passes - sound.passes if sound is not None else 0
    if sound is not None and bad:
        answers = counted(bad, "echoing, looping or trivial answer")
        lines.append(f"Excluding {answers}: {score_text(sound, None)}.")
    return lines


def lift_text(lift: Lift) -> str:
    """How much of a score is following: `genuine 71/541 13.1 %, on other prompts 7.5 %, ...`."""
    return (
        f"genuine {score_text(lift.genuine, None)}, on other prompts"
        f" {percent(lift.shuffled.accuracy)}: lift {lift.share * 100:+.1f} points"
        f" ({_p_value(lift.p_value)})"
    )


def no_lift_line(lift: Lift | None) -> str | None:
    """That nothing shows that the prompts are followed; None where something does."""
    if lift is None or lift.p_value <= SURE:
        return None
    return (
        "Nothing shows that the prompts are followed: the same answers pass other prompts"
        f" {percent(lift.shuffled.accuracy)} of the time, and their own"
        f" {percent(lift.genuine.accuracy)} by what they say themselves."
    )


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
        f" {health_text(full.health)}, with answers of up to {full.max_new_tokens} tokens"
    )
    return text + (f"; not healthy: {limits_text(full.unhealthy)}" if full.unhealthy else "")


def chosen_line(candidates: int, corrected: float | None) -> str | None:
    """What the choice among several checkpoints adds to a score; None where there was none."""
    if candidates < 2:
        return None
    if corrected is None:
        return (
            f"Best of {counted(candidates, 'checkpoint')} (selection bias): expect a little less on"
            " new prompts."
        )
    return (
        f"Best of {counted(candidates, 'checkpoint')} (selection bias); corrected estimate"
        f" {percent(corrected)}."
    )


def difference_line(comparison: Comparison, first: str, second: str) -> str:
    """Whether two sets of answers differ, by the exact test."""
    c = comparison
    p = _p_value(c.p_value)
    if c.p_value > SURE:
        return f"no significant difference (exact McNemar, {p})"
    better = second if c.only_second > c.only_first else first
    return f"{better} is better, a significant difference (exact McNemar, {p})"


def _p_value(value: float) -> str:
    return f"p = {value:.2g}" if value >= 1e-4 else "p < 0.0001"
