"""What a run with practice data changed in the model's answers, for better and for worse."""

from collections.abc import Iterator
from dataclasses import dataclass

from autotune.base.format import counted, percent
from autotune.protocol.events import BaselineScored, Evaluated, KindsApart
from autotune.protocol.result_text import score_text
from autotune.protocol.scores import Metric
from autotune.run.folder import RunDir
from autotune.run.kept_scores import before_and_after_scores
from autotune.run.state import StudyState
from autotune.text.gain import gain_in_full, gain_of_best


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


def learned_sentence(state: StudyState, rundir: RunDir | None = None) -> str | None:
    """What got better against the untrained model, and what worse; None without practice data.

    What the score counts for, so that this agrees with the verdict; the health of the answers;
    rules of the kinds that were practised and of those that were held out of practice; and each
    kind of rule, which only the files in `rundir` know. Only directions: how sure they are, their
    numbers say.
    """
    best, untrained = state.best, state.baselines.get("untrained")
    if best is None or untrained is None or not best.kinds or best.health is None:
        return None
    if state.practice_of(_strategy(state, best)) is None:
        return None
    better: list[str] = []
    worse: list[str] = []
    same: list[str] = []
    for each in _figures(state, untrained, best):
        text = f"{each.name} {each.shown}"
        if each.gain:
            (better if each.gain > 0 else worse).append(text)
        elif each.shown_unchanged:
            same.append(text)
    more, fewer = _kinds_of_rule(state, rundir)
    better += more
    worse += fewer
    told = [
        f"What got better: {', '.join(better)}."
        if better
        else "Nothing of its answers got better.",
        f"What got worse: {', '.join(worse)}." if worse else "Nothing of its answers got worse.",
    ]
    if same:
        told.append(f"As before: {', '.join(same)}.")
    text = " ".join(told)
    own = gain_in_full(state) is not None  # the verdict before it is then on all prompts
    return f"On the run's own prompts: {text[:1].lower()}{text[1:]}" if own else text


@dataclass(frozen=True, slots=True)
class _Figure:
    """One thing that is compared: by how much it is better, 0..1, and both values as a text."""

    name: str
    gain: float
    shown: str
    shown_unchanged: bool = False


_HEALTH = {
    "stop": ("answers that end by themselves", 1),
    "loop": ("answers that end in a loop", -1),
    "echo": ("answers that give the prompt back", -1),
    "empty": ("empty answers", -1),
    "vacuous": ("trivial ones of the passes", -1),
}
"""Shares of the answers, and whether more of it is better or worse."""


def _figures(state: StudyState, untrained: BaselineScored, best: Evaluated) -> Iterator[_Figure]:
    """What is on record of both models."""
    if (gain := gain_of_best(state)) is not None:
        shown = f"{percent(gain.before)} to {percent(gain.after)}"
        yield _Figure("what the score counts for", gain.after - gain.before, shown)
    for name, (described, sign) in _HEALTH.items():
        old, new = getattr(untrained.health, name), getattr(best.health, name)
        if old is not None and new is not None:
            yield _Figure(described, sign * (new - old), _shares(old, new), name == "stop")
    for after in best.kinds:
        before = next((k for k in untrained.kinds if k.held_out == after.held_out), None)
        if before is not None:
            yield from _kinds(before, after)


def _shares(old: float, new: float) -> str:
    """Both in whole percent where that shows the difference."""
    digits = 0 if percent(old, 0) != percent(new, 0) else 1
    return f"{percent(old, digits)} to {percent(new, digits)}"


def _kinds(before: KindsApart, after: KindsApart) -> Iterator[_Figure]:
    pairs = (
        ("rules of practised kinds", before.practised_instructions, after.practised_instructions),
        ("rules of held-out kinds", before.held_out_instructions, after.held_out_instructions),
    )
    for name, old, new in pairs:
        if new.total:
            yield _Figure(name, new.accuracy - old.accuracy, _counts(old, new), True)


NAMED_KINDS = 3
"""Kinds of rule that the sentence names, those that fell most; the report has a table of all."""


def _kinds_of_rule(state: StudyState, rundir: RunDir | None) -> tuple[list[str], list[str]]:
    """How many kinds are followed more often and how many less, of these the names as well."""
    before, after = before_and_after_scores(state, rundir) if rundir is not None else (None, None)
    if before is None or after is None:
        return [], []
    old, new = before.by_type, after.by_type
    change = {name: new[name].accuracy - old[name].accuracy for name in sorted(old.keys() & new)}
    of = f"of {counted(len(change), 'kind')} of rule"
    rose = sum(points > 0 for points in change.values())
    fell = sorted((name for name in change if change[name] < 0), key=change.__getitem__)
    named = [f"{name} {_counts(old[name], new[name])}" for name in fell[:NAMED_KINDS]]
    if len(fell) > NAMED_KINDS:
        named.append(f"and {len(fell) - NAMED_KINDS} more")
    return (
        [f"{rose} {of}"] if rose else [],
        [f"{len(fell)} {of} ({', '.join(named)})"] if fell else [],
    )


def _counts(old: Metric, new: Metric) -> str:
    return f"{old.passes}/{old.total} to {new.passes}/{new.total}"


def _strategy(state: StudyState, best: Evaluated) -> str:
    return next((t.plan.strategy for t in state.trials if t.number == best.number), "")
