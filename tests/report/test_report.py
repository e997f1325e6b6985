"""The report of a run: the JSON that scripts read, the pages that people read, the picture."""

import base64
import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.report import Report, build_report, run_json, write_report
from autotune.report.chart import Picture, draw_png, pictures_of
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.screen import summary
from tests import records as book
from tests.report.test_pages import without_tags
from tests.screens import printed, squeezed

PNG = b"\x89PNG\r\n\x1a\n"
EVIL = "<script>alert(1)</script> [/x] |\x1b[31m `c` *b* {{ 7*7 }} $x^"
NAMES = {"report.json", "report.md", "report.html", "pictures"}


def pages(records: list[Record], folder: Path) -> dict[str, str]:
    """The two pages as text, with the time to draw pictures saved."""
    report = build_report(records, folder)
    return {"report.md": render_markdown(report), "report.html": render_html(report)}


class Drawn:
    """Counts what is drawn in the place of matplotlib."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr("autotune.report.write.draw_png", self)

    def __call__(self, picture: Picture, dark: bool = False) -> bytes:
        self.count += 1
        return PNG + picture.name.encode() + bytes([dark])


class Page(HTMLParser):
    """Collects the text, the tags and the pictures of a page; notes tags left open."""

    VOID = frozenset({"meta", "img", "source", "link", "br", "hr", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "srcset", "href") and v]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_met_run_gives_the_json_that_scripts_rely_on(tmp_path: Path) -> None:
    found = json.loads(json.dumps(run_json(build_report(book.story(), tmp_path))))

    best = tmp_path / "trials" / "0001" / "checkpoints" / "step-000020"
    assert found["target"] == 0.25
    assert found["met"] is True
    assert found["status"] == "met"
    assert found["strategy"] == "B"
    assert found["run_dir"] == str(tmp_path)
    assert (
        found["best"].items()
        >= {
            "checkpoint": str(best),
            "step": 20,
            "progress": 1.0,
            "strict": 8 / 24,
            "passes": 8,
            "n": 24,
            "health": {"stop": 0.958, "loop": 0.0, "echo": 0.042, "empty": 0.0, "vacuous": 0.0},
        }.items()
    )
    assert found["best"]["interval"] == pytest.approx([0.18, 0.533], abs=1e-3)
    assert [t["strategy"] for t in found["trials"]] == ["A", "B"]
    assert [len(t["loss_curve"]) for t in found["trials"]] == [12, 20]
    assert [c["passes"] for t in found["trials"] for c in t["checkpoints"]] == [4, 5, 6, 8]
    assert found["chosen_among"] == 4
    assert found["baselines"]["untrained"]["passes"] == 3
    assert found["baselines"]["echo"]["health"]["stop"] is None
    assert found["escalations"] == [
        {"previous": "A", "next": "B", "reason": "best 20.8 % is below the target of 25.0 %"}
    ]
    assert found["fit"]["model_max_length"] == 256
    assert found["events"]["step"] == 32
    assert found["versions"].items() >= {"torch": "2.13.0+cpu", "transformers": "5.24.0"}.items()


def test_report_json_is_read_back_as_the_same_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Drawn(monkeypatch)
    report = build_report(book.story(), tmp_path)
    write_report(report, tmp_path)

    assert Report.model_validate_json((tmp_path / "report.json").read_bytes()) == report
    assert {path.name for path in tmp_path.iterdir()} == NAMES


def test_a_report_of_an_earlier_version_is_read_and_shown(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "report-0.json").read_text(encoding="utf-8")
    report = Report.model_validate_json(text)

    assert (report.strategy, report.command, report.examples) == ("B", "", ())
    assert "8/24 33.3 %" in Page(render_html(report)).text
    assert "8/24 33.3 %" in render_markdown(report)


def test_a_parrot_is_never_a_success_in_any_file(tmp_path: Path) -> None:
    report = build_report(book.parrot(), tmp_path)
    files = pages(book.parrot(), tmp_path)

    assert report.met is False
    assert report.status == "below target"
    assert report.beaten_by_echo is True
    assert report.best is not None
    assert report.best.strict == 9 / 24
    assert report.best.unhealthy == ("echo 100.0 % is above 20.0 %",)
    for text in (files["report.md"], Page(files["report.html"]).text):
        assert "the best checkpoint is no better than an echo" in text
        assert "Not healthy: echo 100.0 % is above 20.0 %" in text


def test_the_pages_show_every_score_with_n_interval_and_health(tmp_path: Path) -> None:
    files = pages(book.story(), tmp_path)
    page = Page(files["report.html"]).text
    row = r"8/24 33\.3 % \\?\[18-53\\?\][ |]+96 %[ |]+0 %[ |]+4 %[ |]+0 %"

    for text in (files["report.md"], page):
        assert len(re.findall(row, text)) >= 1
        assert "Best of 4 checkpoints" in text
        assert "From A to B: best 20.8 % is below the target of 25.0 %" in text
    scores = r"4/24 16\.7 % \[7-36\] 34\.2 % 20\.8 % 96 % 0 % 4 % 0 % 0 % below target"
    assert re.search(scores, page)


def test_the_page_is_one_whole_file_with_its_pictures_inside(tmp_path: Path) -> None:
    write_report(build_report(book.story(), tmp_path), tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    assert page.open == []
    assert "script" not in page.seen
    assert "link" not in page.seen
    files = sorted((tmp_path / "pictures").iterdir())
    assert [p.stem for p in files] == ["loss-0", "loss-1", "points", "scores", "trials"]
    assert len(page.addresses) == 2 * len(files)
    pictures = [base64.b64decode(a.removeprefix("data:image/png;base64,")) for a in page.addresses]
    assert all(picture.startswith(PNG) for picture in pictures)
    assert {path.read_bytes() for path in files} <= set(pictures)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[.*?\]\((.*?)\)", markdown)
    assert sorted(shown) == [f"pictures/{path.name}" for path in files]


def test_text_from_outside_stays_text_in_html_and_markdown(tmp_path: Path) -> None:
    start = book.run_started(model=EVIL, data=EVIL, profile=EVIL, strategies=(EVIL[:40],))
    trial = events.TrialStarted(number=0, optuna_number=0, plan=book.plan(EVIL[:40]))
    steps = [
        Record(time=book.START + 500 + s, event=book.step_done(s, 20, loss=2.0)) for s in (1, 2)
    ]
    records = [
        book.story()[0].model_copy(update={"event": start}),
        Record(time=book.START + 500, event=trial),
        *steps,
        Record(time=book.START + 600, event=events.Warned(message=EVIL)),
    ]
    files = pages(records, tmp_path)
    page = Page(files["report.html"])

    harmless = EVIL.replace("\x1b", r"\x1b")
    assert "script" not in page.seen
    assert harmless in page.text
    assert "\x1b" not in "".join(files.values())
    assert "&amp;lt;" not in files["report.html"]  # escaped once, not twice
    assert html.escape(harmless) in files["report.html"]
    drawn = [draw_png(each) for each in pictures_of(build_report(records, tmp_path))]
    assert len(drawn) == 1 and drawn[0].startswith(PNG)
    assert r"\<script\>alert(1)\</script\> \[/x\] \|\\x1b\[31m \`c\` \*b\*" in files["report.md"]


def test_a_run_at_any_moment_gives_a_report(tmp_path: Path) -> None:
    records = book.story()
    for end in range(1, len(records), 7):
        report = build_report(records[:end], tmp_path)
        assert report.status == "unfinished"
        assert report.next_steps[0].startswith("to resume: ")

    early = pages(book.probing(), tmp_path)
    report = build_report(book.probing(), tmp_path)
    assert report.best is None
    assert report.strategy is None
    assert "no score yet" in Page(early["report.html"]).text
    assert "Nothing is scored yet." in early["report.md"]


def test_a_checkpoint_without_a_valid_score_is_shown_and_never_the_best(tmp_path: Path) -> None:
    records = book.until(book.story(), events.Trained)
    for step, passes in ((10, None), (12, 2)):
        records.append(
            Record(
                time=book.START + 700 + step,
                event=book.evaluated(0, book.checkpoint(0, step, step / 12), passes),
            )
        )
    report = build_report(records, tmp_path)
    files = pages(records, tmp_path)

    assert report.best is not None
    assert report.best.passes == 2
    assert report.chosen_among == 1
    assert report.trials[0].checkpoints[0].strict is None
    assert "answers of 3 prompts are missing" in Page(files["report.html"]).text
    assert "answers of 3 prompts are missing" in files["report.md"]


def test_an_average_is_shown_as_such_beside_the_checkpoints_it_is_of(tmp_path: Path) -> None:
    records = book.until(book.story(), events.Trained)
    mean = book.checkpoint(0, 12, 1.0).model_copy(update={"averaged": 2})
    for at, passes in ((book.checkpoint(0, 12, 1.0), 4), (mean, 7)):
        time = records[-1].time + 1
        records.append(Record(time=time, event=book.evaluated(0, at, passes)))
    report = build_report(records, tmp_path)
    files = pages(records, tmp_path)
    assert report.best is not None
    assert (report.best.averaged, report.best.step) == (2, 12)
    assert [(c.averaged, c.passes) for c in report.trials[0].checkpoints] == [(0, 4), (2, 7)]
    assert "average of 2" in Page(files["report.html"]).text
    assert "| average of 2 | 12 | 7/24" in files["report.md"]
    shown = squeezed(printed(summary(replay(records), tmp_path), 400))
    assert "average of 2 checkpoints, the last of step 12" in shown


def test_steps_that_a_resume_made_void_are_not_in_the_curve(tmp_path: Path) -> None:
    records = book.training(7)
    time = records[-1].time
    records += [
        Record(time=time + 50, event=events.Resumed(step=5)),
        Record(time=time + 53, event=book.step_done(6, 12, loss=9.0)),
    ]
    curve = build_report(records, tmp_path).trials[0].loss_curve

    assert [point.step for point in curve] == [1, 2, 3, 4, 5, 6]
    assert curve[-1].loss == 9.0


def test_what_was_warned_of_is_reported_once(tmp_path: Path) -> None:
    warned = [
        Record(time=book.START + t, event=events.Warned(message="battery is low")) for t in (1, 2)
    ]
    report = build_report([book.story()[0], *warned], tmp_path)

    assert report.warnings == ("battery is low",)


def test_a_folder_in_which_no_run_has_begun_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run has begun here") as caught:
        build_report([], tmp_path)

    assert "\n" not in str(caught.value)


def test_writing_again_replaces_the_files_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Drawn(monkeypatch)
    for name in NAMES - {"pictures"}:
        (tmp_path / name).write_text("of an earlier moment", encoding="utf-8")
    write_report(build_report(book.story(), tmp_path), tmp_path)

    assert json.loads((tmp_path / "report.json").read_bytes())["met"] is True
    assert {path.name for path in tmp_path.iterdir()} == NAMES


def test_equal_records_give_equal_bytes(tmp_path: Path) -> None:
    assert pages(book.story(), tmp_path) == pages(book.story(), tmp_path)
    for picture in pictures_of(build_report(book.story(), tmp_path))[1:3]:
        assert draw_png(picture) == draw_png(picture)


def later(records: list[Record]) -> list[Record]:
    """The record of a run that is over after its command was given once more."""
    last = records[-1]
    started = next(r.event for r in records if isinstance(r.event, events.RunStarted))
    again = [started.model_copy(update={"resumed": True}), last.event]
    return [*records, *(Record(time=last.time + 9, event=event) for event in again)]


def test_the_picture_marks_what_a_score_counts_for_where_that_is_less(tmp_path: Path) -> None:
    def counting(event: RunEvent, share: float | None) -> RunEvent:
        if not isinstance(event, events.Evaluated) or event.score is None:
            return event
        return event.model_copy(update={"counts": share and share * event.score.accuracy})

    def drawn(share: float | None) -> bytes:
        found = [r.model_copy(update={"event": counting(r.event, share)}) for r in book.story()]
        shown = {p.name: p for p in pictures_of(build_report(found, tmp_path))}
        return draw_png(shown["scores"])

    whole = drawn(None)
    assert drawn(1.0) == whole
    assert drawn(0.1) != whole


def test_a_report_that_is_written_again_keeps_its_pictures_while_they_show_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Drawn(monkeypatch)
    write_report(build_report(book.story(), tmp_path), tmp_path)
    before = (tmp_path / "report.html").read_text(encoding="utf-8")
    (tmp_path / "pictures" / "loss-0.png").unlink()
    write_report(build_report(later(book.story()), tmp_path), tmp_path)

    after = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert drawn.count == 10
    assert before != after
    assert Page(before).addresses == Page(after).addresses
    assert (tmp_path / "pictures" / "loss-0.png").read_bytes() == PNG + b"loss-0" + bytes([False])


@pytest.mark.parametrize(
    ("what", "again"),
    [("another target", 2), ("a damaged picture", 1), ("another page", 5), ("no page", 5)],
)
def test_pictures_of_something_else_and_damaged_ones_alone_are_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, again: int
) -> None:
    drawn, page = Drawn(monkeypatch), tmp_path / "report.html"
    report = build_report(book.story(), tmp_path)
    write_report(report, tmp_path)
    text = page.read_text(encoding="utf-8")
    embedded = base64.b64encode(PNG + b"scores" + bytes([True])).decode("ascii")
    assert embedded in text
    match what:
        case "another target":
            report = report.model_copy(update={"target": 0.9})
        case "a damaged picture":
            page.write_text(text.replace(embedded, "A" * len(embedded)), encoding="utf-8")
        case "another page":
            page.write_bytes(b"\xff<picture>")
        case _:
            page.unlink()
    write_report(report, tmp_path)

    assert drawn.count == 10 + 2 * again
    assert embedded in page.read_text(encoding="utf-8")


def test_importing_the_report_and_the_view_loads_no_matplotlib_jinja_or_torch() -> None:
    program = (
        "import sys, autotune.report, autotune.screen\n"
        "print(sorted({'matplotlib', 'jinja2', 'torch', 'numpy'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_the_timed_ways_to_cut_a_step_and_the_prediction_are_in_the_report(
    tmp_path: Path, name: str
) -> None:
    text = without_tags(pages(book.story(), tmp_path)[name])
    assert "Micro-batch settings, timed" in text
    assert "1000" in text
    assert "measured 3.10 GiB: 3.2 % too low" in text


def test_the_title_names_what_was_trained_on_and_not_data_that_nobody_took(tmp_path: Path) -> None:
    report = build_report(book.story(), tmp_path)
    assert report.trained_on == report.data
    own = [trial.model_copy(update={"data": "practice data"}) for trial in report.trials]
    both = report.model_copy(update={"trials": (report.trials[0], *own[1:])})
    assert both.best is not None and both.best in own[1].checkpoints
    assert both.trained_on == "practice data"
    assert f"| data | A: {report.data}; B: practice data |" in render_markdown(both)
    early = both.model_copy(update={"best": None})
    assert early.trained_on == f"{report.data}, practice data"
    alone = report.model_copy(update={"trials": tuple(own)})
    assert f"# {report.model} on practice data" in render_markdown(alone)
