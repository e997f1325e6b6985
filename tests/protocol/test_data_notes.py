"""What was found in the data is said in one sentence, with row numbers, on every screen."""

import json
from pathlib import Path

import pytest

from autotune.data.load import load_conversations
from autotune.data.oddities import oddities
from autotune.data.survey import SurveyFile
from autotune.protocol import events
from autotune.protocol.data_notes import (
    DataNote,
    NoteCollector,
    note_sentence,
    shown_notes,
    with_dropped,
)
from autotune.protocol.events import Record
from autotune.protocol.plan import DataSpec
from autotune.report import build_report
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.screen.data import inspected_summary
from autotune.screen.live import draw
from autotune.screen.time_left import Pace
from tests import inspections, setups
from tests import records as book
from tests.screens import SAMPLE, plain_lines, printed, squeezed

EMPTY = DataNote(what="empty answer", count=7, rows=(2, 5, 9, 11, 12), dropped=True)
KEPT = DataNote(what="'tools' is not used", count=1, rows=(4,))
WHOLE = DataNote(what="40 of 80 conversations (max_conversations of the profile)", count=0)
SAID = [
    "7 rows dropped: empty answer (rows 2, 5, 9, 11, 12 and 2 more)",
    "1 row: 'tools' is not used (row 4)",
    "40 of 80 conversations (max_conversations of the profile)",
]


def surveyed() -> events.Surveyed:
    return events.Surveyed(
        path="survey.json",
        conversations=40,
        dropped={"empty answer": 7},
        literal_markers=0,
        notes=(KEPT, EMPTY, WHOLE),
    )


def story() -> list[Record]:
    """A run whose data gave rise to notes."""
    return [
        r.model_copy(update={"event": surveyed()}) if isinstance(r.event, events.Surveyed) else r
        for r in book.story()
    ]


def test_a_note_is_one_sentence_with_the_first_rows_and_how_many_more() -> None:
    notes = with_dropped({"empty answer": 7}, (KEPT, EMPTY, WHOLE))
    assert [note_sentence(note) for note in notes] == SAID
    gathered = NoteCollector()
    for row in range(1, 8):
        gathered.add("empty answer", row, dropped=True)
    (note,) = gathered.notes
    assert note_sentence(note) == "7 rows dropped: empty answer (rows 1, 2, 3, 4, 5 and 2 more)"


def test_many_kinds_of_findings_do_not_bury_a_screen_and_warnings_come_first() -> None:
    many = [DataNote(what=f"kind {n}", count=1, rows=(n,)) for n in range(40)]
    loud = DataNote(what="loud", count=1, rows=(7,), warning=True)
    lines = [line for _, line in shown_notes([*many, loud])]
    assert len(lines) == 12
    assert lines[0] == "1 row: loud (row 7)"
    assert lines[-1].startswith("30 more kinds of findings (all are in the report")
    assert len(list(shown_notes(many[:12]))) == 12


def test_a_reason_that_an_earlier_version_only_counted_is_said_without_rows() -> None:
    old = '{"kind":"surveyed","path":"s","conversations":3,"dropped":{"no turns":2},' + (
        '"literal_markers":0}'
    )
    event = events.Surveyed.model_validate_json(old)
    assert [note_sentence(n) for n in with_dropped(event.dropped, event.notes)] == [
        "2 rows dropped: no turns"
    ]
    file = SurveyFile.model_validate_json('{"conversations":[],"dropped":{},"literal_markers":0}')
    assert (file.notes, file.rows) == ((), ())


def test_notes_are_lines_of_a_plain_run_and_stand_on_the_live_screen() -> None:
    lines = plain_lines(story())
    at = lines.index("data: 40 conversations, 7 dropped")
    assert lines[at + 1 : at + 4] == [f"data: {line}" for line in SAID]
    records = story()
    screen = draw(replay(records), SAMPLE, Pace(), records[-1].time)
    text = squeezed(printed(screen, 140).replace("│", ""))
    assert all(line in text for line in SAID)


def test_notes_stand_in_the_three_reports(tmp_path: Path) -> None:
    report = build_report(story(), tmp_path)
    tree = json.loads(report.model_dump_json())
    assert tree["data_notes"][0] == {
        "what": "empty answer",
        "count": 7,
        "rows": [2, 5, 9, 11, 12],
        "dropped": True,
        "warning": False,
        "data": "",
    }
    page = render_html(report)
    text = render_markdown(report)
    for line in SAID:
        assert line.replace("'", "&#x27;") in page
        assert line.replace("_", "\\_") in text
    assert "found in the data" not in render_markdown(build_report(book.story()[:2], tmp_path))


def test_notes_stand_on_the_screen_of_inspect_dropped_rows_first() -> None:
    data = setups.survey([60], [60])
    file = data.file.model_copy(update={"dropped": {"empty answer": 7}, "notes": (KEPT, EMPTY)})
    seen = inspections.inspected(type(data)(file, data.truncation))
    text = squeezed(printed(inspected_summary(seen), 160).replace("│", ""))
    assert "9 in the file, 2 kept, 7 dropped" in text
    assert text.index(SAID[0]) < text.index(SAID[1])


def test_a_row_has_the_number_of_its_line_and_a_record_of_a_list_its_place(tmp_path: Path) -> None:
    good = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    bad = {"messages": []}
    lines = tmp_path / "chat.jsonl"
    rows = [json.dumps(row) for row in (good, bad, good, bad)]
    lines.write_text("\n\n".join([*rows[:2], "oops", *rows[2:]]) + "\n", encoding="utf-8")
    adapted = load_conversations(DataSpec(path=str(lines), format="auto", skip_bad=1))
    assert adapted.rows == (1, 7)
    assert [note_sentence(note) for note in adapted.notes] == [
        "2 rows dropped: no turns (rows 3, 9)",
        "1 row dropped: faulty record (row 5)",
    ]
    listed = tmp_path / "chat.json"
    listed.write_text(json.dumps([bad, "no record", good]), encoding="utf-8")
    adapted = load_conversations(DataSpec(path=str(listed), format="auto", skip_bad=1))
    assert adapted.rows == (3,)
    assert [(n.rows, n.what) for n in adapted.notes] == [
        ((1,), "no turns"),
        ((2,), "faulty record"),
    ]


def _turns(answer: dict[str, object], **question: object) -> dict[str, object]:
    asked = {"role": "user", "content": "q", **question}
    return {"messages": [asked, {"role": "assistant", "content": "a", **answer}]}


TWO = [*_turns({"weight": 0})["messages"], *_turns({})["messages"]]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([{"messages": TWO}], "1 row: an answer, or a part of one, is context and not supervised"),
        ([_turns({"weight": 0})], "1 row dropped: no supervised answer (row 2)"),
        ([_turns({"weight": 0.5})], "1 row: 'weight' is neither 0 nor 1; it counts as 1 (row 2)"),
        ([_turns({"tool_calls": [1]})] * 7, "(rows 2, 3, 4, 5, 6 and 2 more)"),
        ([_turns({"reasoning": "hm"})], "1 row: 'reasoning' of a turn is left out"),
        (
            [_turns({}, role="tool")],
            "1 row: turns of the role 'tool' are read as the user's (row 2)",
        ),
        ([_turns({}) | {"system_prompt": "x"}], "1 row: key 'system_prompt' is not used (row 2)"),
        ([_turns({}, name="Ann")], "1 row: key 'messages[].name' is not used (row 2)"),
        ([_turns({"content": "\u200b"})], "1 row dropped: invisible answer"),
        ([_turns({"content": "{{name}}"})], "that nobody filled, such as {{name}} (row 2)"),
        ([_turns({})], "1 row: the same conversation as an earlier row"),
        ([_turns({"content": "\ud800"})], "1 row dropped: text with half a surrogate pair (row 2)"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_each_finding_has_its_line_on_the_screen_of_inspect(
    tmp_path: Path, rows: list[dict[str, object]], line: str
) -> None:
    path = tmp_path / "chat.jsonl"
    lines = [json.dumps(row) for row in (_turns({}), *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    adapted = load_conversations(DataSpec(path=str(path), format="auto"))
    notes = (*adapted.notes, *oddities(adapted.conversations, adapted.rows))
    data = setups.survey([60], [60])
    file = data.file.model_copy(update={"dropped": adapted.dropped, "notes": notes})
    seen = inspections.inspected(type(data)(file, data.truncation))
    text = squeezed(printed(inspected_summary(seen), 160).replace("│", ""))
    assert f"note: {line}" in text if line[0].isdigit() else line in text
