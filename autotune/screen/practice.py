"""What `synth` made, drawn: of which rules, from which answers, how long, and why not more."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotune.base.format import counted, percent, safe
from autotune.screen.encodable import Encodable
from autotune.screen.layout import ByWidth, Section
from autotune.synth.card import PracticeCard
from autotune.synth.counts import PracticeCounts


def practice_summary(card: PracticeCard, speed: float | None) -> RenderableType:
    """All of it. `speed` is in tokens a second, None where no answer was made now."""
    counts = card.counts
    parts: list[RenderableType] = [Section("practice data", _whole(card, speed))]
    if counts.kinds:
        parts.append(Section("by kind of instruction", _kinds(counts)))
    if counts.kept:
        parts.append(Section("words of an answer", _lengths(counts)))
    if counts.unusable or card.near_copies:
        parts.append(Section("why not more", _unusable(card)))
    return Encodable(Group(*parts))


def _whole(card: PracticeCard, speed: float | None) -> RenderableType:
    counts = card.counts
    pace = f", {speed:.0f} tokens/s" if speed is not None else ""
    held = ", ".join(card.held_out_kinds) or "none"
    amended = counts.kept - counts.kept_as_sampled
    parts = f": {counts.kept_as_sampled} as sampled, {amended} amended" if counts.kept else ""
    lines = [
        ("chats", f"{counts.kept}{parts}"),
        ("prompts", f"{counts.prompts}, of {counted(counts.tasks, 'task')}"),
        ("answers", f"{counts.samples} of {counted(counts.sampled_tokens, 'token')}{pace}"),
        (
            "held against a prompt",
            f"{counts.texts} times; as sampled {_share(counts.as_sampled, counts.texts)} pass,"
            f" after amending {_share(counts.usable, counts.texts)}",
        ),
        ("held out of practice", held),
    ]
    return Group(
        *(
            Text(f"{name}: ", style="dim", overflow="fold").append(safe(value), style="default")
            for name, value in lines
        )
    )


def _share(part: int, whole: int) -> str:
    return f"{part} ({percent(part / whole, 0)})" if whole else str(part)


def _kinds(counts: PracticeCounts) -> RenderableType:
    """A prompt may have several rules, so the columns add up to more than there are chats."""
    whole, short = (_kind_table(counts, short=short) for short in (False, True))
    return ByWidth(whole, whole, short)


def _kind_table(counts: PracticeCounts, *, short: bool) -> Table:
    """A line for each kind; `short` names it without its group, which parts no two of them."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("kind", overflow="fold")
    for name in ("prompts", "usable", "kept", "as sampled", "amended"):
        table.add_column(name, justify="right")
    for each in counts.kinds:
        figures = (each.asked, each.usable, each.kept, each.as_sampled, each.kept - each.as_sampled)
        name = each.kind.partition(":")[2] if short else each.kind
        table.add_row(name, *map(str, figures), style="" if each.kept else "yellow")
    return table


def _lengths(counts: PracticeCounts) -> RenderableType:
    words = counts.words
    assert words is not None
    bands = "  ".join(
        f"{each.least}{'+' if each.below is None else f'-{each.below - 1}'}: {each.kept}"
        for each in counts.lengths
    )
    return Group(
        Text(
            f"{words.mean:.0f} on average; quartiles {words.first_quartile:.0f},"
            f" {words.median:.0f}, {words.third_quartile:.0f}",
            overflow="fold",
        ),
        Text(bands, style="dim", overflow="fold"),
    )


def _unusable(card: PracticeCard) -> RenderableType:
    counts = card.counts
    lines = [f"{reason}: {number}" for reason, number in counts.unusable.items()]
    if counts.unfollowed:
        unfollowed = ", ".join(f"{kind} {number}" for kind, number in counts.unfollowed.items())
        lines.append(f"not followed after any edit: {unfollowed}")
    if card.near_copies:
        copies = counted(card.near_copies, "near copy", "near copies")
        lines.append(f"{copies} of scored prompts: not asked")
    return Group(*(Text(safe(line), overflow="fold") for line in lines))
