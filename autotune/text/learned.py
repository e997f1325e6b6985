"""What a run with practice data changed in the model's answers, and what it did not."""

from autotune.base.format import percent
from autotune.protocol.events import BaselineScored, Evaluated, KindsApart
from autotune.protocol.result_text import score_text
from autotune.protocol.scores import Metric
from autotune.run.state import StudyState
from autotune.text.gain import gain_of_best


def strategies_sentence(state: StudyState) -> str | None:
    """The untrained model and the best of each strategy, in order; None before there are two."""
    # The later of a strategy's checkpoints with the same rank does not take the place of the first.
    bests: dict[str, Evaluated] = {}
    for trial in state.trials:
        best, known = trial.best, bests.get(trial.plan.strategy)
        if best is not None and best.score and (known is None or best.rank > known.rank):
            bests[trial.plan.strategy] = best
    if len(bests) < 2:
        return None
    told = [f"{name} {_brief(best)}" for name, best in bests.items()]
    if (untrained := state.baselines.get("untrained")) is not None:
        gain = gain_of_best(state)
        text = score_text(untrained.score, untrained.interval)
        if gain is not None and gain.before < untrained.score.accuracy:
            text += f", {_counts_for(gain.before)}"
        told.insert(0, f"untrained {text}")
    target = f" (target {percent(state.run.target)})" if state.run else ""
    return f"Step by step{target}: {'; '.join(told)}."


def _brief(best: Evaluated) -> str:
    """A score with its interval, and what it counts for where that is less."""
    assert best.score is not None
    if best.partial is not None:
        return f"about {score_text(best.score, best.interval)}"
    text = score_text(best.score, best.interval)
    if best.counts is None or not best.counts_for_less:
        return text
    return f"{text}, {_counts_for(best.counts)}"


def _counts_for(share: float) -> str:
    return f"counts for {percent(share)}"


def learned_sentence(state: StudyState) -> str | None:
    """What rose against the untrained model and what did not; None without practice data.

    Answers that end by themselves, and rules of the kinds that were practised and of those that
    were held out of practice. Only directions: how sure they are, their numbers say.
    """
    best, untrained = state.best, state.baselines.get("untrained")
    if best is None or untrained is None or not best.kinds or best.health is None:
        return None
    if state.practice_of(_strategy(state, best)) is None:
        return None
    rose: list[str] = []
    did_not: list[str] = []
    for name, before, after, figures in _figures(untrained, best):
        (rose if after > before else did_not).append(f"{name} {figures}")
    told = f"What rose: {', '.join(rose)}." if rose else "Nothing of its answers rose."
    return f"{told} What did not: {', '.join(did_not)}." if rose and did_not else told


def _figures(untrained: BaselineScored, best: Evaluated) -> list[tuple[str, float, float, str]]:
    """What is looked at: its name, before, after (0..1), and both as a text."""
    found: list[tuple[str, float, float, str]] = []
    stopped, stops = untrained.health.stop, best.health.stop if best.health else None
    if stopped is not None and stops is not None:
        shown = f"{percent(stopped, 0)} to {percent(stops, 0)}"
        found.append(("answers that end by themselves", stopped, stops, shown))
    for after in best.kinds:
        before = next((k for k in untrained.kinds if k.held_out == after.held_out), None)
        if before is not None:
            found += _kinds(before, after)
    return found


def _kinds(before: KindsApart, after: KindsApart) -> list[tuple[str, float, float, str]]:
    pairs = (
        ("rules of practised kinds", before.practised_instructions, after.practised_instructions),
        ("rules of held-out kinds", before.held_out_instructions, after.held_out_instructions),
    )
    return [
        (name, old.accuracy, new.accuracy, f"{_counts(old)} to {_counts(new)}")
        for name, old, new in pairs
        if new.total
    ]


def _counts(metric: Metric) -> str:
    return f"{metric.passes}/{metric.total}"


def _strategy(state: StudyState, best: Evaluated) -> str:
    return next((t.plan.strategy for t in state.trials if t.number == best.number), "")
