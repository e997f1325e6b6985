"""What `eval` and `eval compare` found, drawn: the score with what it needs to be read."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotune.base.format import counted, percent, percents_apart, safe
from autotune.protocol.result_text import health_text, score_text, share_name
from autotune.protocol.results import EvalReport
from autotune.score.evaluation import Evaluation, Paired
from autotune.score.examples import Change, Example
from autotune.score.scorer import Scorer
from autotune.screen.encodable import Encodable
from autotune.screen.layout import ByWidth, Section
from autotune.text.score import (
    difference_line,
    faulty_answers,
    judged_line,
    lift_text,
    no_lift_line,
    selection_bias_line,
    unanswered_line,
    unhealthy_lines,
)

SHOWN_CHARACTERS = 240
"""Characters of a prompt or an answer that are shown; the rest is a mark."""


def evaluated_summary(found: Evaluation) -> RenderableType:
    """All of it, the verdict last."""
    report = found.report
    parts: list[RenderableType] = [Section("score", _score(found))]
    if report.by_type:
        parts.append(Section("by instruction type, strict", _types(report)))
    if found.worst:
        parts.append(Section("worst answers", _examples(found.worst)))
    if found.before is not None:
        parts.append(Section("before and after", _before(found.before)))
    if found.target is not None:
        word, aim = "met" if found.met else "not met", percent(found.target)
        why = [*found.unmet]
        if found.counts < found.target:
            less = report.score.accuracy > found.counts
            worth, aim = percents_apart(found.counts, found.target)
            why.insert(0, f"the score counts for {worth}" if less else f"{worth} is below it")
        because = f": {'; '.join(why)}" if why else ""
        style = "bold green" if found.met else "bold yellow"
        parts.append(Text(f"target {aim} {word}{because}", style=style))
    return Encodable(Group(*parts))


def compared_summary(scorer: Scorer, paired: Paired, names: tuple[str, str]) -> RenderableType:
    """Two sets of answers side by side, and whether they differ."""
    first, second = names
    lines: list[RenderableType] = [
        _field("A", safe(first)),
        *_one(scorer, paired.first),
        _field("B", safe(second)),
        *_one(scorer, paired.second),
        *_split(paired, "A", "B"),
    ]
    parts: list[RenderableType] = [Section("compared", Group(*lines))]
    for title, changes in (
        ("only B passes", paired.gained),
        ("only A passes", paired.lost),
    ):
        if changes:
            parts.append(Section(title, _changes(changes, "A", "B")))
    return Encodable(Group(*parts))


def _score(found: Evaluation) -> RenderableType:
    report, scorer = found.report, found.scorer
    lines: list[RenderableType] = [
        _field(scorer.main.name, score_text(report.score, report.interval), "bold"),
        *_beside(scorer, report),
        Text(judged_line(report), style="yellow" if report.thoughts else "dim"),
        *_following(report),
        *_worth(found),
        _field("health", health_text(report.health), "yellow" if found.unhealthy else ""),
    ]
    for each in scorer.baselines:
        score = score_text(found.baselines[each.name].score, None)
        lines.append(_field(f"{each.name} baseline", f"{score}, {each.brief}"))
    if found.before is not None:
        lines.append(_field("before training", _before_text(found.before)))
    if found.chosen_among is not None and (
        line := selection_bias_line(found.chosen_among, found.corrected, report.score.accuracy)
    ):
        lines.append(Text(line, style="yellow"))
    echo = found.baselines.get("echo")
    for line in unhealthy_lines(
        report.score,
        found.unhealthy,
        report.sound,
        echo.score if echo is not None else None,
        scorer.health_checks,
    ):
        lines.append(Text(line, style="bold red"))
    if report.unmatched:
        lines.append(Text(unanswered_line(report.unmatched), style="yellow"))
    return Group(*lines)


def _before_text(before: Paired) -> str:
    """The score before training; where it is of fewer prompts, with that of now on the same."""
    first, second = before.first, before.second
    text = score_text(first.score, first.interval)
    if not before.left_out:
        return text
    now = score_text(second.score, second.interval)
    return f"{text}, and now {now}, on the {counted(first.n, 'prompt')} that both answered"


def _beside(scorer: Scorer, report: EvalReport) -> list[RenderableType]:
    """The other figures, and how to read them."""
    lines: list[RenderableType] = [
        _field(each.name, score_text(metric, None))
        for each in scorer.others
        if each.key is not None and (metric := report.figure(each.key)) is not None
    ]
    remark = scorer.remark(report)
    return lines if remark is None else [*lines, Text(remark, style="dim")]


def _worth(found: Evaluation) -> list[RenderableType]:
    """What the score counts for, where that is less than it is."""
    if found.counts >= found.report.score.accuracy:
        return []
    return [_field("counts for", f"{percent(found.counts)} against a target", "yellow")]


def _following(report: EvalReport, indent: str = "") -> list[RenderableType]:
    """How much of the score is following, and a plain word where nothing is."""
    if report.lift is None:
        return [_field(f"{indent}following", "not known of a single prompt", "yellow")]
    nothing = no_lift_line(report.lift)
    style = "" if nothing is None else "yellow"
    lines: list[RenderableType] = [
        _field(f"{indent}following", lift_text(report.lift), style),
    ]
    return lines if nothing is None else [*lines, Text(f"{indent}{nothing}", style=style)]


def _types(report: EvalReport) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("instruction", "passes", "of", ""):
        table.add_column(name, justify="left" if name == "instruction" else "right")
    narrow = []
    for name, metric in sorted(report.by_type.items(), key=lambda item: item[1].accuracy):
        share = percent(metric.accuracy, 0)
        table.add_row(safe(name), str(metric.passes), str(metric.total), share)
        narrow.append(Text(f"{safe(name)}: {metric.passes} of {metric.total}, {share}"))
    return ByWidth(70, table, Group(*narrow))


def _examples(examples: Sequence[Example]) -> RenderableType:
    lines: list[RenderableType] = []
    for example in examples:
        lines += [Text(), *_asked(example), *_answer("answer", example)]
    return Group(*lines[1:])


def _before(paired: Paired) -> RenderableType:
    lines: list[RenderableType] = list(_split(paired, "before", "after"))
    for title, changes in (
        ("passes only after training", paired.gained),
        ("passed only before training", paired.lost),
    ):
        if changes:
            lines += [Text(), Text(title, style="bold cyan"), _changes(changes, "before", "after")]
    return Group(*lines)


def _changes(changes: Sequence[Change], first: str, second: str) -> RenderableType:
    lines: list[RenderableType] = []
    for change in changes:
        lines += [
            Text(),
            *_asked(change.before),
            *_answer(first, change.before),
            *_answer(second, change.after),
        ]
    return Group(*lines[1:])


def _asked(example: Example) -> list[RenderableType]:
    return [_field(f"prompt {example.key}", _short(example.prompt))]


def _answer(name: str, example: Example) -> list[RenderableType]:
    lines: list[RenderableType] = [_field(f"  {name}", _short(example.response or "none"))]
    if example.faults:
        lines.append(Text(f"  it is: {', '.join(map(share_name, example.faults))}", style="yellow"))
    lines += [Text(f"  fails: {safe(each)}", style="red") for each in example.failed]
    if not example.failed:
        lines.append(Text("  passes", style="green"))
    return lines


def _split(paired: Paired, first: str, second: str) -> list[RenderableType]:
    c = paired.comparison
    left_out = f" ({paired.left_out} without answers of both left out)" if paired.left_out else ""
    points = (paired.second.score.accuracy - paired.first.score.accuracy) * 100
    return [
        Text(
            f"of {counted(paired.first.n, 'prompt')}{left_out} both pass {c.both}, only {first}"
            f" {c.only_first}, only {second} {c.only_second}, neither {c.neither}: {points:+.1f}"
            " points"
        ),
        Text(difference_line(c, first, second), style="bold"),
    ]


def _one(scorer: Scorer, report: EvalReport) -> list[RenderableType]:
    lines: list[RenderableType] = [
        _field(f"  {scorer.main.name}", score_text(report.score, report.interval)),
        *_following(report, "  "),
        _field("  health", health_text(report.health)),
        Text(f"  {judged_line(report)}", style="yellow" if report.thoughts else "dim"),
    ]
    if report.sound is not None and report.sound.passes < report.score.passes:
        without = faulty_answers(scorer.health_checks)
        rest = f"{score_text(report.sound, None)} excluding {without}"
        lines.append(_field("  passes", rest, "yellow"))
    return lines


def _short(text: str) -> str:
    """On one line and not too long; what is not printable is spelled out by `safe`."""
    line = " ".join(text.split())
    return safe(line if len(line) <= SHOWN_CHARACTERS else line[:SHOWN_CHARACTERS] + " …")


def _field(name: str, value: str, style: str = "") -> Text:
    text = Text(overflow="fold").append(f"{name}: ", style="dim")
    return text.append(value, f"not dim {style}".strip())
