"""The retention table of `inspect`, drawn as wide as there is room: lengths down, rounds across."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotune.base.format import kept_percent
from autotune.data.survey import Retention
from autotune.fit.data_report import DataReport
from autotune.protocol.plan import Rounds
from autotune.screen.layout import ByWidth

_CAPTION = (
    "Percent of supervised tokens kept, by rounds; conversations truncated by the length, and those"
    " that lose every answer, with all rounds. Letters: strategies of the profile."
)


def retention_table(inspected: DataReport, marks: Mapping[str, str]) -> RenderableType:
    """The table with the marks of the strategies, by their names, where each stands.

    Where it is too wide, numbers of rounds at which no strategy stands are left out, the highest
    first, and that is said; where even that does not do, a list for all rounds is left.
    """
    most = inspected.survey.most_rounds
    standing: dict[tuple[int, Rounds], str] = {}
    for requested in inspected.requests:
        at = requested.length, _column(requested.rounds, most)
        standing[at] = standing.get(at, "") + marks[requested.name]
    shown = _columns(inspected)
    needed = {"all", *(rounds for _, rounds in standing)}
    spare = [rounds for rounds in shown if rounds not in needed]
    drawn = _list(inspected, standing)
    for left_out in [spare[at:] for at in range(len(spare) + 1)]:
        table = _table(inspected, [r for r in shown if r not in left_out], standing)
        words = f" Left out for lack of room: {_named(left_out)}." if left_out else ""
        drawn = ByWidth(table, Group(table, Text(_CAPTION + words, style="dim")), drawn)
    return drawn


def share_text(kept: Retention) -> str:
    """Percent of the supervised tokens, without its sign: 100.0 means every token."""
    return kept_percent(kept.supervised_share).removesuffix(" %")


def _named(rounds: Sequence[Rounds]) -> str:
    return f"{', '.join(map(str, rounds))} round{'' if rounds == [1] else 's'}"


def _table(
    inspected: DataReport, shown: Sequence[Rounds], standing: Mapping[tuple[int, Rounds], str]
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("tokens", justify="right", no_wrap=True)
    for rounds in shown:
        table.add_column(_rounds_title(rounds, inspected.survey.most_rounds), no_wrap=True)
    for name in ("trunc.", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    for length in _lengths(inspected):
        cells = [_cell(inspected, (length, rounds), standing) for rounds in shown]
        whole = inspected.table[length, "all"]
        table.add_row(Text(str(length)), *cells, Text(str(whole.truncated)), Text(str(whole.lost)))
    return table


def _list(inspected: DataReport, standing: Mapping[tuple[int, Rounds], str]) -> RenderableType:
    head = Text(
        "tokens, percent of supervised tokens kept with all rounds; a wider window has a table by"
        " rounds",
        style="dim",
    )
    return Group(
        head,
        *(
            Text(f"{length:>6}  ")
            .append_text(_cell(inspected, (length, "all"), standing))
            .append(f"  truncated {inspected.table[length, 'all'].truncated}")
            for length in _lengths(inspected)
        ),
    )


def _cell(
    inspected: DataReport,
    at: tuple[int, Rounds],
    standing: Mapping[tuple[int, Rounds], str],
) -> Text:
    """The share kept there, and which strategies stand there."""
    cell = Text(share_text(inspected.table[at]).rjust(5))
    return cell.append(f" {mark}", style="bold magenta") if (mark := standing.get(at)) else cell


def _columns(inspected: DataReport) -> list[Rounds]:
    """Numbers of rounds in the table that differ from all of them, and all."""
    most = inspected.survey.most_rounds
    found = dict.fromkeys(_column(rounds, most) for _, rounds in inspected.table)
    return sorted(found, key=lambda r: most if r == "all" else r)


def _column(rounds: Rounds, most: int) -> Rounds:
    return "all" if rounds == "all" or rounds >= most else rounds


def _lengths(inspected: DataReport) -> list[int]:
    """Lengths of the table up to the first that truncates nothing; longer ones are all alike."""
    asked = {inspected.length, *(requested.length for requested in inspected.requests)}
    found, enough = [], False
    for length in dict.fromkeys(length for length, _ in inspected.table):
        if not enough or length in asked:
            found.append(length)
        enough = enough or inspected.table[length, "all"].truncated == 0
    return found


def _rounds_title(rounds: Rounds, most: int) -> str:
    if rounds == "all":
        return f"all ({most})"
    return "1 round" if rounds == 1 else f"{rounds:>5}"
