"""Why a run uses the length and the micro-batch that it does, and what its figures mean."""

from autotune.base.sizes import show_size
from autotune.protocol.results import Fit
from autotune.run.state import StudyState
from autotune.text.conclusions import scorer_of
from autotune.text.fit import (
    NOT_MEASURED,
    SPEED_MEANING,
    first_of_each,
    is_of,
    micro_batching_text,
    rate_of_trial,
)
from autotune.text.length_limit import length_limit


def why_length(fit: Fit) -> str:
    """Why no longer sequences, as the report says it (`length_limit`), in one line."""
    limit, length = length_limit(fit), fit.model_max_length
    peak = f"peak {show_size(fit.peak_bytes)} of {show_size(fit.budget_bytes)}"
    if (failed := limit.failed) is not None:
        verdict = f"{failed.point.model_max_length} tokens are {failed.verdict.value}"
        return f"length {length}: the longest that fits ({peak}); {verdict}"
    if limit.whole_row is not None:
        return (
            f"length {length}: every conversation is whole within it, the longest has"
            f" {limit.whole_row} tokens ({peak})"
        )
    return f"length {length}: the longest that model and profile allow, and it fits ({peak})"


def why_micro_batch(fit: Fit, strategy: str | None) -> str:
    """Why a strategy takes its step in pieces of this size; of the first where none is named."""
    planned = [name for name, found in fit.strategies.items() if found.planned]
    name = strategy if strategy in fit.strategies else next(iter(planned), None)
    if name is None:
        return f"micro-batch {fit.micro_batch_tokens} tokens: one sequence of the longest length"
    found = fit.strategies[name]
    chosen = micro_batching_text(found)
    head = f"micro-batch {chosen} ({name})"
    timed = [t for t in fit.speed_trials if is_of(t, found) and rate_of_trial(t) != NOT_MEASURED]
    rates = {setting: rate_of_trial(trial) for setting, trial in first_of_each(timed).items()}
    own = rates.pop(chosen, None)
    if own is None:
        return f"{head}: one sequence of the longest length; no other setting was timed"
    others = "; ".join(f"{setting}: {rate}" for setting, rate in rates.items())
    beside = f" ({others})" if others else ""
    if any(int(rate) > int(own) for rate in rates.values()):
        return (
            f"{head}: {own} tokens/s{beside}; what is faster saves little, or does not fit in a"
            " process of its own"
        )
    return f"{head}: the fastest that was timed, {own} tokens/s{beside}"


def fit_explanations(state: StudyState, *, own_only: bool = False) -> tuple[str, ...]:
    """A line on the length and one on each strategy's micro-batch, once what fits is known.

    Those that step alike for the same reason share one; `own_only`: of the strategy in progress.
    """
    fit = state.fit
    if fit is None:
        return ()
    planned = [name for name, found in fit.strategies.items() if found.planned]
    if own_only or not planned:
        return why_length(fit), why_micro_batch(fit, state.strategy)
    alike: dict[str, list[str]] = {}
    for name in planned:
        head, _, why = why_micro_batch(fit, name).partition(f" ({name})")
        alike.setdefault(f"{head} ({{}}){why}", []).append(name)
    return why_length(fit), *(text.format(", ".join(names)) for text, names in alike.items())


def meanings(state: StudyState) -> tuple[str, ...]:
    """A line for each figure on the screen that does not speak for itself."""
    scorer = scorer_of(state)
    strict = ", every instruction to the letter" if scorer.judges_by[0] == "instructions" else ""
    return (
        f"strict: prompts passed{strict}, of all that were asked, with the 95 % interval",
        "shuffled: how many other prompts the same answers pass, which is chance",
        "lift: passes by what an answer says itself, less shuffled, in points; a score counts for"
        " 4 x lift at most",
        SPEED_MEANING,
    )
