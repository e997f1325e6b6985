"""What `inspect` found, drawn: origin, sizes, retention table, and samples with their labels."""

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_letters, digits

from rich.console import Group, RenderableType
from rich.text import Text

from autotune.base.format import counted, safe
from autotune.data.turns import ROLES, ROLES_WITH_TOOLS
from autotune.fit.data_report import DataReport
from autotune.fit.requested_points import RequestedPoint
from autotune.protocol.choices import Supervision
from autotune.protocol.data_notes import shown_notes
from autotune.protocol.inspection import Sample, TextRun
from autotune.protocol.result_text import rounds_text
from autotune.screen.encodable import Encodable
from autotune.screen.layout import Section
from autotune.screen.retention import retention_table, share_text

_NOTE_STYLE = {
    (False, False): "",
    (False, True): "yellow",
    (True, False): "bold yellow",
    (True, True): "bold yellow",
}
"""How a note is drawn, by whether it warns and whether its rows are dropped."""

TRAINED, MARKER = "green", "bold"
BEGIN, END = "«", "»"
"""Around supervised text, so that it shows without colours."""

_ON = {
    Supervision.CONTENT: "the answer and the token that ends it",
    Supervision.COURSE: "the assistant's header, the answer, the token that ends it and the newline"
    " after it",
}


def inspected_summary(inspected: DataReport, tokens: bool = False) -> RenderableType:
    """All of it; with `tokens` also the ids of the samples."""
    samples = inspected.found.samples
    parts: list[RenderableType] = [
        Section("data", _origin(inspected)),
        Section("what each length and number of rounds keeps", _retention_table(inspected)),
    ]
    if samples:
        rows = inspected.survey.file.rows
        shown = Group(_legend(inspected), *(_sample(s, rows, tokens) for s in samples))
        parts.append(Section("supervised tokens", shown))
    return Encodable(Group(*parts))


def _origin(inspected: DataReport) -> RenderableType:
    found = inspected.found
    left_out = f", {found.left_out} left out" if found.left_out else ""
    gone = sum(inspected.dropped.values())
    lines = [
        _field("data", f"{inspected.data_label}, format {found.format} ({found.reason})"),
        _field(
            "conversations",
            f"{inspected.records} in the file, {inspected.chosen.conversations} kept,"
            f" {gone} dropped{left_out}",
        ),
        *(
            _field("  note", line, _NOTE_STYLE[note.warning, note.dropped])
            for note, line in shown_notes(inspected.notes)
        ),
        _field("turns", _roles_text(inspected)),
        _field("tokens a conversation", _percentile_text(inspected.lengths)),
        _field("rounds a conversation", _percentile_text(inspected.round_counts)),
        _field("end of a turn", _stop_sentence(inspected)),
        _field("tokenized", "each conversation as one text in ChatML, by the model's tokenizer"),
    ]
    if count := inspected.survey.file.literal_markers:
        times = "once" if count == 1 else f"{count} times"
        lines.append(
            _field(
                "markers in texts",
                f"a template token is written out {times}; it stays text and ends no turn",
                "yellow",
            )
        )
    return Group(*lines)


def _roles_text(inspected: DataReport) -> str:
    """Turns by side, and what the file calls those sides where it has other names for them."""
    found = inspected.found
    text = ", ".join(f"{count} {role}" for role, count in found.roles.items())
    if set(found.source_roles) <= set(found.roles):
        return text
    sides = ROLES_WITH_TOOLS if "tool" in found.roles else ROLES
    names = (
        f"{count} {name}" + (f" read as {sides[name]}" if sides.get(name, name) != name else "")
        for name, count in found.source_roles.items()
    )
    return f"{text} (in the file: {', '.join(names)})"


def _stop_sentence(inspected: DataReport) -> str:
    stop = inspected.found.stop
    text = f"{stop.end_token} (id {stop.end_id}), supervised after each answer"
    if stop.eos_id is None or stop.eos_id == stop.end_id:
        return text
    return (
        f"{text}; the tokenizer's own eos is {stop.eos_token} (id {stop.eos_id}), so checkpoints"
        f" stop at {stop.end_token}"
    )


def _retention_table(inspected: DataReport) -> RenderableType:
    marks = marks_of(inspected.requests)
    parts = [retention_table(inspected, marks), Text()]
    parts += [
        Text(_requested_sentence(inspected, requested, marks[requested.name]))
        for requested in inspected.requests
    ]
    parts += [Text(f"warning: {safe(w)}", style="bold yellow") for w in inspected.warnings]
    return Group(*parts)


def _requested_sentence(inspected: DataReport, requested: RequestedPoint, mark: str) -> str:
    name = requested.name if mark == requested.name else f"{requested.name} ({mark})"
    length = (
        f"as long as fits, at most {requested.length} tokens"
        if requested.as_fits
        else (f"{requested.length} tokens")
    )
    rounds = rounds_text(requested.rounds)
    kept = requested.kept
    truncated = counted(kept.truncated, "conversation is truncated", "conversations are truncated")
    ends = f"{truncated}, {kept.lost or 'none'} {'lose' if kept.lost > 1 else 'loses'} every answer"
    if not kept.truncated:
        ends = "no conversation is truncated by the length"
    return safe(
        f"{name}: {length} and {rounds} keep {share_text(kept)} % of the supervised tokens; {ends}"
    )


def marks_of(requests: Iterable[RequestedPoint]) -> dict[str, str]:
    """One character for each strategy: the first of its name that is free, else any."""
    marks: dict[str, str] = {}
    for requested in requests:
        own = [ch for ch in requested.name if ch in ascii_letters + digits]
        free = (ch for ch in (*own, *digits, *ascii_letters) if ch not in marks.values())
        marks[requested.name] = next(free, "*")
    return marks


def _legend(inspected: DataReport) -> Text:
    found = inspected.found
    text = Text("Supervised tokens stand between ", style="dim")
    text.append(BEGIN, TRAINED).append(" and ").append(END, TRAINED)
    return text.append(
        f": {_ON[found.supervision]} (supervision {found.supervision.value}). Template tokens are"
        f" bold. Sequences of {inspected.length} tokens and {rounds_text(inspected.rounds)}."
    )


def _sample(sample: Sample, rows: Sequence[int], tokens: bool) -> RenderableType:
    number = sample.conversation + 1
    # Once a row before it was dropped, its number in the file is another.
    at = rows[sample.conversation] if rows else number
    row = f" (row {at})" if at != number else ""
    title = Text(
        f"conversation {number}{row}: {counted(sample.tokens, 'token')},"
        f" {sample.supervised_tokens} of them supervised",
        style="bold cyan",
    )
    shown = _coloured(sample.runs)
    shown.rstrip()
    parts: list[RenderableType] = [Text(), title, shown]
    if tokens:
        parts.append(_ids(sample.runs))
    return Group(*parts)


def _coloured(runs: Iterable[TextRun]) -> Text:
    text, inside = Text(overflow="fold"), False
    for run in runs:
        if run.trained != inside:
            text.append(BEGIN if run.trained else END, TRAINED)
            inside = run.trained
        if run.hidden_tokens:
            text.append(f"[... {run.hidden_tokens} tokens ...]", "dim italic")
            continue
        style = " ".join(s for s in (TRAINED * run.trained, MARKER * run.marker) if s)
        text.append(_readable(run.text), style)
    return text.append(END, TRAINED) if inside else text


def _ids(runs: Iterable[TextRun]) -> Text:
    text, inside = Text("ids", style="dim", overflow="fold"), False
    for run in runs:
        if run.trained != inside:
            text.append(f" {BEGIN if run.trained else END}", f"not dim {TRAINED}")
            inside = run.trained
        shown = (
            f"[... {run.hidden_tokens} ...]" if run.hidden_tokens else " ".join(map(str, run.ids))
        )
        text.append(f" {shown}", f"not dim {TRAINED}" if run.trained else "")
    return text.append(f" {END}", f"not dim {TRAINED}") if inside else text


def _readable(text: str) -> str:
    """Lines stay lines; every other control or escape code is shown, not obeyed."""
    return "\n".join(safe(line) for line in text.split("\n"))


def _percentile_text(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _field(name: str, value: str, style: str = "") -> Text:
    return Text(f"{name}: ", style="dim", overflow="fold").append(safe(value), f"not dim {style}")
