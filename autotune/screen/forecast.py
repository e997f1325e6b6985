"""The plan for a card that need not be there: a table of what takes the memory, and the answer."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotune.base.format import counted, duration, percent, safe, strategies_text
from autotune.base.sizes import MIB, show_size
from autotune.data.assumed import TOKENS_A_CONVERSATION
from autotune.fit.allowance import SLACK_RANGES
from autotune.fit.forecast import MICRO_BATCH_SIZES, Forecast, Planned, StrategyForecast
from autotune.fit.planned_data import PlannedData
from autotune.fit.planned_hours import PlannedHours, PlannedTime
from autotune.protocol.choices import Attention
from autotune.screen.layout import ByWidth, Section

_FULL_TABLE_COLUMNS = 111
"""Columns that the table needs with all its figures."""

_NARROW_TABLE_COLUMNS = 71
"""Columns that it needs without those that are the same in every line."""

_STRATEGY_COLUMNS = ("strategy", "length", "batch", "micro-batch", "with ckpt")


def forecast_summary(
    found: Forecast, model: str, hours: PlannedHours | None = None
) -> RenderableType:
    """What matters of a plan: that it is an estimate, what fits, how long, what decides."""
    head = Text(
        f"An estimate, not a measurement: {safe(model)} on {safe(found.card.words)}",
        style="bold yellow",
    )
    fits = Text(safe(_fitting(found)), style="bold green" if found.model_max_length else "bold red")
    lines = [head, fits, Text(safe(_hours(hours)))]
    if found.model_max_length is not None:
        lines.append(Text(safe(_decides(found))))
    return Section("plan", Group(*lines))


def forecast_details(found: Forecast) -> RenderableType:
    """What a plan's answer is made of: every strategy, and what takes the memory."""
    table = telling(found.table)
    assumed, rows, same = _assumptions(found), _rows(found, table), _same(found)
    needs, line_needs = _needs(found)
    strategies = _strategies(found.strategies)
    body = Group(
        ByWidth(strategies, strategies, Group(*map(_strategy, found.strategies))),
        Text(""),
        ByWidth(
            _FULL_TABLE_COLUMNS,
            Group(_table(table, whole=True), _note(f"{assumed} {rows} {needs}")),
            ByWidth(
                _NARROW_TABLE_COLUMNS,
                Group(_table(table, whole=False), _note(f"{assumed} {rows} {needs} {same}")),
                Group(*map(_line, table), _note(f"{assumed} {rows} {line_needs} {same}")),
            ),
        ),
    )
    return Section("what takes the memory", body)


def telling(table: Sequence[Planned]) -> list[Planned]:
    """Of each length, without and with checkpointing, the largest micro-batch that fits.

    Where none does it is the smallest. All of them are as many lines as no terminal has.
    """
    found: dict[tuple[int, bool], Planned] = {}
    for planned in sorted(table, key=lambda planned: planned.peak.point.rows):
        point = planned.peak.point
        key = (point.tokens, point.gradient_checkpointing)
        if planned.fits or key not in found:
            found[key] = planned
    return [found[key] for key in sorted(found)]


def _assumptions(found: Forecast) -> str:
    prediction = found.prediction
    traced = prediction.layers_traced
    how = (
        f"steps of {' and '.join(map(str, traced))} of {prediction.layers} layers traced"
        if traced != (prediction.layers,)
        else f"steps of all {prediction.layers} layers traced"
    )
    how += (
        f" beforehand with {prediction.traced_with}"
        if prediction.traced_with
        else f" in {duration(prediction.seconds)}"
    )
    share = (
        "every position supervised"
        if prediction.supervised_share == 1
        else f"{percent(prediction.supervised_share, 0)} of positions supervised"
    )
    return (
        f"Tensors of the training step, in MiB: {how}, sequences of full"
        f" length, {share}. {_KERNELS[prediction.attention]} ckpt: with gradient checkpointing."
    )


def _rows(found: Forecast, table: Sequence[Planned]) -> str:
    """What the micro-batches of the table are; that of the answer is not one of a few."""
    text = f"micro-batch: sequences at a time, the most of {', '.join(map(str, MICRO_BATCH_SIZES))}"
    text += " that fit (--json has all)"
    if not all(planned.fits for planned in table):
        text += f", {MICRO_BATCH_SIZES[0]} where none does"
    if found.model_max_length is not None and found.rows not in MICRO_BATCH_SIZES:
        text += f"; with ckpt at {found.model_max_length} tokens the most of any number up to the"
        text += f" largest batch: {found.rows}"
    return f"{text}."


def _needs(found: Forecast) -> tuple[str, str]:
    """What is needed beside the tensors: of a table with its columns, and of lines without any."""
    context, slack = show_size(found.allowance.context_bytes), percent(found.allowance.slack, 0)
    least, most = (percent(share, 0) for share in SLACK_RANGES[found.prediction.attention])
    beside = (
        f"{context} CUDA context and {slack} slack of the allocator ({least} to {most} were"
        " measured), both assumed."
    )
    return (
        f"needs: on top of the peak {beside} The sizes before it are held at the moment of the"
        " peak, whichever that is; other is what passes.",
        f"The size in a line: the peak, and on top of it {beside}",
    )


def _same(found: Forecast) -> str:
    """What has no column where there is no room, since it is the same in every line."""
    fixed = found.table[0].peak
    return (
        f"In every line: weights {_mib(fixed.weights_bytes)}, gradients"
        f" {_mib(fixed.gradients_bytes)}, optimizer {_mib(fixed.optimizer_bytes)}."
    )


def _note(text: str) -> Text:
    return Text(text, style="dim")


_KERNELS = {
    Attention.FUSED: "Attention: a fused kernel is assumed, as flash; without one see --attention"
    " math.",
    Attention.MATH: "Attention: the unfused math kernel is assumed, with tables of length x"
    " length; a fused kernel needs far less (--attention fused).",
}


def _table(lines: Sequence[Planned], *, whole: bool) -> RenderableType:
    """One line a point; `whole` with what is the same in every line."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    names = ["length", "micro-batch", "checkpt." if whole else "ckpt"]
    names += ["weights", "gradients", "optimizer"] if whole else []
    long, short = ["activations", "logits", "other"], ["activ.", "logits", "other"]
    names += [*(long if whole else short), "peak"]
    for name in (*names, "needs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    last = None
    for planned in lines:
        length = planned.peak.point.tokens
        if last not in (None, length):
            table.add_section()
        last = length
        style = "" if planned.fits else "dim"
        table.add_row(*(Text(cell, style=style) for cell in _cells(planned, whole)))
    return table


def _line(planned: Planned) -> Text:
    """A point where there is no room for a table."""
    point = planned.peak.point
    text = f"{point.tokens} tokens, micro-batch {point.rows}"
    text += ", ckpt" if point.gradient_checkpointing else ""
    text += f": {_mib(planned.needed_bytes)} MiB"
    return Text(f"{text} {'fits' if planned.fits else 'no'}", style="" if planned.fits else "dim")


def _cells(planned: Planned, whole: bool) -> list[str]:
    peak = planned.peak
    point = peak.point
    fixed = [peak.weights_bytes, peak.gradients_bytes, peak.optimizer_bytes] if whole else []
    sizes = [*fixed, peak.activations_bytes, peak.logits_bytes]
    sizes += [peak.temporary_bytes, peak.peak_bytes, planned.needed_bytes]
    return [
        str(point.tokens),
        str(point.rows),
        "yes" if point.gradient_checkpointing else "no",
        *map(_mib, sizes),
        "fits" if planned.fits else "no",
    ]


def _strategies(strategies: Sequence[StrategyForecast]) -> Table:
    """One line a strategy: its length, its conversations a step, and how many at a time."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for at, name in enumerate(_STRATEGY_COLUMNS):
        table.add_column(name, justify="right" if at else "left", no_wrap=True)
    for each in strategies:
        style = "" if each.fits else "dim"
        cells = (
            *(safe(each.name), str(each.model_max_length), str(each.batch_size)),
            *(str(rows or "none") for rows in (each.rows, each.rows_checkpointing)),
        )
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def _strategy(strategy: StrategyForecast) -> Text:
    """A strategy where there is no room for a table."""
    without, with_it = strategy.rows or "none", strategy.rows_checkpointing or "none"
    text = f"{safe(strategy.name)}: {strategy.model_max_length} tokens, batch {strategy.batch_size}"
    text += f", micro-batch {without}, with ckpt {with_it}"
    return Text(text, style="" if strategy.fits else "dim")


def _fitting(found: Forecast) -> str:
    """What fits: how long a sequence may be, how many at a time, and which strategies."""
    if found.model_max_length is None:
        return (
            "What fits: nothing, not even the shortest sequence with gradient checkpointing. Give a"
            " larger --vram-budget, or a smaller model with --model."
        )
    most = max(planned.peak.point.tokens for planned in found.table)
    why = " (as long as the model or the profile allows)" if found.model_max_length >= most else ""
    fitting = [s.name for s in found.strategies if s.fits]
    others = [s.name for s in found.strategies if not s.fits]
    if not others:
        which = f"all strategies fit: {', '.join(fitting)}"
    elif fitting:
        which = f"{strategies_text(fitting)} fits" if len(fitting) == 1 else "these fit: "
        which += "" if len(fitting) == 1 else ", ".join(fitting)
        which += f"; not {', '.join(others)}"
    else:
        which = "no strategy fits as it is"
    return (
        f"What fits: sequences of up to {found.model_max_length} tokens{why}, in"
        f" micro-batches of {found.rows} with gradient checkpointing; {which}."
    )


def _hours(hours: PlannedHours | None) -> str:
    """How long each strategy takes; an estimate, from what."""
    if hours is None:
        return "Hours: not known, the profile does not say how fast the card is ([machine] tflops)."
    if not hours.times:
        return "Hours: none, nothing fits."
    each = "; ".join(_hours_of(t) for t in hours.times)
    return (
        f"Hours: {each}. That is for {_data(hours)}, with {TOKENS_A_CONVERSATION} tokens each"
        " assumed; the card may be two or three times as fast or as slow."
    )


def _data(hours: PlannedHours) -> str:
    """How many conversations are trained on, and which; by strategies where they differ."""
    names: dict[PlannedData, list[str]] = {}
    for time in hours.times:
        names.setdefault(time.data, []).append(time.strategy)
    if len(names) == 1:
        return _conversations(hours.times[0].data)
    return " and ".join(f"{_conversations(d)} in {', '.join(n)}" for d, n in names.items())


def _conversations(data: PlannedData) -> str:
    part = f"{data.conversations} of " if data.of not in (None, data.conversations) else ""
    return f"{part}{counted(data.of or data.conversations, 'conversation')} ({data.words})"


def _hours_of(time: PlannedTime) -> str:
    train, score = (f"{each / 3600:.1f}" for each in (time.training_seconds, time.scoring_seconds))
    return f"{time.strategy} trains for {train} and is scored in at most {score}"


def _decides(found: Forecast) -> str:
    """What a person has to choose by: memory where it limits something, else time."""
    most = max(planned.peak.point.tokens for planned in found.table)
    tight = [s.name for s in found.strategies if not s.fits]
    budget = show_size(found.card.budget.limit_bytes)
    if tight or (found.model_max_length or 0) < most:
        return (
            f"What decides: memory. Of {budget}, longer sequences than that need more; gradient"
            " checkpointing and one sequence at a time are counted in already."
        )
    return (
        f"What decides: time. All lengths fit in {budget}, so choose length, epochs and"
        " conversations by the hours."
    )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:.0f}"
