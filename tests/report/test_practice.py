"""What practice data is due for: its sentence, and how the kinds came out that it held out."""

import json
from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.data_notes import DataNote
from autotune.protocol.events import Record, RunEvent
from autotune.protocol.results import EvalReport, InstructionVerdict, PromptVerdict
from autotune.protocol.scores import Metric
from autotune.report import build_report
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.score.kinds import kinds_apart
from autotune.study.held_out_kinds import kinds_of
from autotune.text.conclusions import conclusions
from autotune.text.events import describe
from tests import records as book

OUT = ("case:upper", "list:three")
SENTENCE = "training prompts have the same kinds of rule as the test"


def verdict(key: int, **kinds: bool) -> PromptVerdict:
    """A verdict on a prompt whose kinds are `case__upper` and so on."""
    each = tuple(
        InstructionVerdict(instruction=kind.replace("__", ":"), strict=passed, loose=passed)
        for kind, passed in kinds.items()
    )
    passed = all(kinds.values())
    return PromptVerdict(key=key, strict=passed, loose=passed, answered=True, instructions=each)


VERDICTS = (
    verdict(1, case__upper=True, words__few=True),
    verdict(2, case__upper=False, words__few=True),
    verdict(3, words__few=True),
    verdict(4, list__three=False, rare__one=True),
    verdict(5, rare__one=False),
)


def apart(held: int, practised: int, rare: int = 0) -> events.KindsApart:
    return events.KindsApart(
        held_out=OUT,
        held_out_instructions=Metric.of(held, 40),
        practised_instructions=Metric.of(practised, 200),
        unpractised_instructions=Metric.of(0, rare),
        held_out_prompts=Metric.of(held, 38),
        other_prompts=Metric.of(practised // 2, 122),
    )


def found(*strategies: str, held_out: tuple[str, ...] = OUT) -> events.PracticeFound:
    return events.PracticeFound(
        strategies=strategies,
        data="practice.jsonl",
        conversations=900,
        practised=("words:few",),
        held_out=held_out,
    )


def story(practised: events.PracticeFound | None, *, rare: int = 0) -> list[Record]:
    """A's checkpoints follow 4 of 40 held-out instructions, B's, which is the best, 12."""

    def changed(event: RunEvent) -> RunEvent:
        if isinstance(event, events.BaselineScored) and event.name == "untrained":
            return event.model_copy(update={"kinds": (apart(3, 50, rare),)})
        if isinstance(event, events.Evaluated):
            held = 4 if event.number == 0 else 12
            return event.model_copy(update={"kinds": (apart(held, 120, rare),)})
        return event

    told = [r.model_copy(update={"event": changed(r.event)}) for r in book.story()]
    if practised is None:
        return told
    at = next(n for n, r in enumerate(told) if isinstance(r.event, events.Surveyed))
    own = events.Surveyed(
        path="survey-b.json",
        conversations=900,
        dropped={},
        literal_markers=0,
        strategies=practised.strategies,
        data="practice.jsonl",
    )
    new = [practised, *([own] if practised.strategies else [])]
    return [*told[: at + 1], *(Record(time=told[at].time, event=e) for e in new), *told[at + 1 :]]


def test_what_is_held_out_is_counted_apart_by_instruction_and_by_prompt() -> None:
    found = kinds_apart(VERDICTS, {"words:few"}, OUT)
    assert found == events.KindsApart(
        held_out=OUT,
        held_out_instructions=Metric.of(1, 3),
        practised_instructions=Metric.of(3, 3),
        unpractised_instructions=Metric.of(1, 2),
        held_out_prompts=Metric.of(1, 3),
        other_prompts=Metric.of(1, 2),
    )
    plain = [PromptVerdict(key=1, strict=True, loose=True, answered=True)]
    assert kinds_apart(plain, {"words:few"}, OUT) is None, "a scorer without instructions"


def test_practice_that_holds_out_the_same_kinds_is_counted_once() -> None:
    more = found("B").model_copy(update={"practised": ("rare:one",), "strategies": ("C",)})
    state = replay(
        Record(time=1.0, event=e) for e in (found("B"), more, found("D", held_out=()), found())
    )
    report = EvalReport.model_construct(verdicts=VERDICTS)
    (counted,) = kinds_of(state, report)
    assert counted.practised_instructions == Metric.of(4, 5)
    assert kinds_of(replay([]), report) == ()


@pytest.mark.parametrize("practised", [found("B"), found()], ids=["B's own data", "the run's"])
def test_a_report_after_practice_shows_held_out_kinds_beside_the_rest(
    tmp_path: Path, practised: events.PracticeFound
) -> None:
    records = story(practised)
    report = build_report(records, tmp_path)
    markdown = render_markdown(report)
    for page in (markdown, render_html(report)):
        assert "What was held out of practice" in page and SENTENCE in page
        assert "Held out of practice: case:upper, list:three." in page
    head = "| passes of \\[95 %\\] | the model before training | the best checkpoint |"
    lines = markdown.splitlines()
    at = lines.index(head)
    rows = lines[at + 2 : at + 6]
    assert rows == [
        "| instructions of held-out kinds | 3/40 7.5 % \\[3-20\\] | 12/40 30.0 % \\[18-45\\] |",
        "| instructions of practised kinds | 50/200 25.0 % \\[19.5-31.4\\]"
        " | 120/200 60.0 % \\[53.1-66.5\\] |",
        "| prompts with a held-out kind | 3/38 7.9 % \\[3-21\\] | 12/38 31.6 % \\[19-47\\] |",
        "| prompts without | 25/122 20.5 % \\[14.3-28.5\\] | 60/122 49.2 % \\[40.5-57.9\\] |",
    ]
    tree = json.loads(report.model_dump_json())
    assert [(k["of"], k["held_out_instructions"]["passes"]) for k in tree["kinds"]] == [
        ("untrained", 3),
        ("best", 12),
    ]
    assert tree["practice"][0]["held_out"] == list(OUT)
    lines = [line for line in conclusions(replay(records)) if SENTENCE in line]
    names = "Strategy B" if practised.strategies else "Strategies A, B"
    assert lines == [f"{names} practised: the {SENTENCE}, and none of its prompts."]
    said = filter(None, (describe(record) for record in records))
    assert any("900 conversations of practice, 1 kind of instruction; held out" in s for s in said)


def test_the_best_that_practised_has_a_row_beside_a_best_that_did_not(tmp_path: Path) -> None:
    report = build_report(story(found("A"), rare=6), tmp_path)
    assert [(k.of, k.held_out_instructions.passes) for k in report.kinds] == [
        ("untrained", 3),
        ("best", 12),
        ("best_practised", 4),
    ]
    page = render_markdown(report)
    assert "| instructions of other kinds | 0/6 0.0 %" in page


def test_the_best_on_all_prompts_of_a_source_has_its_kinds_too(tmp_path: Path) -> None:
    records = story(found("B"))
    best = replay(records).best
    assert best is not None
    full = events.BestInFull.from_parts(
        best,
        kind="best_in_full",
        weights={},
        prompts="IFEval",
        scorer="ifeval",
        max_new_tokens=1280,
    )
    report = build_report([*records, Record(time=9e9, event=full)], tmp_path)
    assert report.kinds[-1].described == "the best checkpoint, all prompts of IFEval"


def test_scored_prompts_among_the_practice_are_not_denied() -> None:
    note = DataNote(what="a scored prompt stands there word for word", count=1, warning=True)
    records = [
        r.model_copy(update={"event": r.event.model_copy(update={"notes": (note,)})})
        if isinstance(r.event, events.Surveyed)
        else r
        for r in story(found("B"))
    ]
    (line,) = (line for line in conclusions(replay(records)) if SENTENCE in line)
    assert line.endswith("and some prompts of the test are among them.")


@pytest.mark.parametrize("practised", [None, found("other")], ids=["none", "not tried"])
def test_a_run_without_practice_speaks_of_none(
    tmp_path: Path, practised: events.PracticeFound | None
) -> None:
    report = build_report(story(practised), tmp_path)
    assert report.kinds == report.practice == ()
    page, _, _ = render_markdown(report).partition("All that happened")
    assert "of practice" not in page and SENTENCE not in page
