"""Why this length, these rounds and this micro-batch: what the probe's trials say, in sentences."""

from collections.abc import Iterator

from autotune.base.format import counted, percent
from autotune.base.sizes import show_size
from autotune.fit.speed import MIN_GAIN_SHARE, timing, tokens_per_second
from autotune.protocol.result_text import shape_rounds
from autotune.protocol.results import Fit, StrategyFit, Verdict
from autotune.text.fit import first_of_each, is_of, micro_batching_text
from autotune.text.length_limit import length_limit


def fit_reasons(fit: Fit | None) -> tuple[str, ...]:
    """One sentence a reason; none before it is known what fits."""
    if fit is None:
        return ()
    return (_length(fit), _rounds(fit), *_strategies(fit))


def _length(fit: Fit) -> str:
    """What came of the next longer sequences, or that there are none in the data."""
    longest, limit, budget = fit.model_max_length, length_limit(fit), show_size(fit.budget_bytes)
    if (failed := limit.failed) is not None:
        return (
            f"Length {longest}: the longest that was tried and fits the budget of {budget}. The"
            f" next longer one that was tried, {failed.point.model_max_length}, did not:"
            f" {failed.verdict}, {failed.reason}."
        )
    if limit.whole_row is not None:
        return (
            f"Length {longest}: every conversation is whole within it, the longest has"
            f" {limit.whole_row} tokens. More is not needed, and memory was not the limit."
        )
    return (
        f"Length {longest}: the longest that was to be tried (model and profile allow no more), and"
        f" it fits the budget of {budget}."
    )


def _rounds(fit: Fit) -> str:
    """How many rounds stay whole at that length: all, some, or not even one."""
    head = f"Rounds {fit.max_rounds}"
    if length_limit(fit).whole_row is not None:
        return (
            f"{head}: as many as any conversation has, or as the profile looks at; all of them stay"
            " whole at that length."
        )
    if fit.max_rounds > 1:
        return f"{head}: the most that stay whole in every conversation at that length."
    if fit.whole is False:
        return (
            f"{head}: the fewest there can be. Not even 1 round stays whole in every conversation"
            " at that length."
        )
    return f"{head}: no more than that stays whole in every conversation at that length."


def _strategies(fit: Fit) -> Iterator[str]:
    """Of each strategy that has its turn: whether it gets what it asks for, and how it steps."""
    for name, found in fit.strategies.items():
        if not found.planned:
            continue
        shape = shape_rounds(found.model_max_length, found.max_rounds)
        asked = "as it asks" if found.fits else "less than it asks for, because that does not fit"
        yield f"{name} trains at {shape}, {asked}, in micro-batches of {_why(fit, found)}."


def _why(fit: Fit, found: StrategyFit) -> str:
    """How a step is split, and what the other settings that were timed came to."""
    chosen = micro_batching_text(found)
    timed = [t for t in fit.speed_trials if is_of(t, found) and t.verdict is Verdict.FITS]
    first = first_of_each(trial for trial in timed if timing(trial) is not None)
    rates = {setting: tokens_per_second(trial) for setting, trial in first.items()}
    if chosen not in rates:
        return f"{chosen}: as the length was searched, no other setting was timed for it"
    if len(rates) == 1:
        return f"{chosen}: the one setting that was timed, {rates[chosen]:.0f} tokens/s"
    others = "; ".join(f"{text}: {rate:.0f}" for text, rate in rates.items() if text != chosen)
    which = "the fastest" if rates[chosen] >= max(rates.values()) else "chosen"
    again = [tokens_per_second(t) for t in timed if micro_batching_text(t.point) == chosen][1:]
    alone = f", {again[-1]:.0f} when timed again in a process of its own" if again else ""
    return (
        f"{chosen}: {which} of {counted(len(rates), 'setting')} that were timed,"
        f" {rates[chosen]:.0f} tokens/s{alone} ({others}). A larger one is taken where"
        f" it saves {percent(MIN_GAIN_SHARE, 0)} of a step and fits in its own process as well"
    )
