"""A run whose best is no better than the untrained model says so first, wherever it is shown."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.gain import Gain
from autotune.report.build import build_report
from autotune.report.schema import run_json
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.screen import summary
from autotune.text.conclusions import conclusions, next_steps
from tests import records as book
from tests.screens import FOLDER, live_text, plain_lines, printed, squeezed

WORSE = Gain(before=8 / 24, after=6 / 24, gained=1, lost=3, p_value=0.625)
NOISE = Gain(before=6 / 24, after=8 / 24, gained=5, lost=3, p_value=0.73)
BETTER = Gain(before=1 / 24, after=8 / 24, gained=7, lost=0, p_value=0.0156)
FIRST = "no better than the untrained model"


def story(gain: Gain | None) -> list[Record]:
    """A whole run whose checkpoints have this gain."""
    return [
        r.model_copy(update={"event": r.event.model_copy(update={"gain": gain})})
        if isinstance(r.event, events.Evaluated)
        else r
        for r in book.story()
    ]


def summary_text(records: list[Record]) -> str:
    return squeezed(printed(summary(replay(records), FOLDER), 200))


def markdown(records: list[Record]) -> str:
    return render_markdown(build_report(records, FOLDER))


def page_body(records: list[Record]) -> str:
    return render_html(build_report(records, FOLDER)).partition("<h1>")[2]


@pytest.mark.parametrize(
    ("face", "before"),
    [
        (summary_text, "Target of"),
        (markdown, ", met"),
        (page_body, "met</span>"),
        (live_text, "smolsft-autotune"),
        (lambda records: plain_lines(records)[-1], "run over"),
        (lambda records: "\n".join(conclusions(replay(records))), "Target of"),
    ],
    ids=["summary", "report.md", "report.html", "live screen", "plain lines", "conclusions"],
)
def test_every_face_says_first_that_nothing_was_gained(
    face: Callable[[list[Record]], str], before: str
) -> None:
    said = face(story(WORSE))
    assert FIRST in said[: said.index(before)]
    for gain in (NOISE, BETTER, None):
        assert FIRST not in face(story(gain))


def test_the_page_has_it_as_its_first_sentence_in_red() -> None:
    assert f'<p class="bad">The best checkpoint is {FIRST}' in page_body(story(WORSE))
    assert '<p class="bad">' not in page_body(story(BETTER))


def test_equal_is_no_better() -> None:
    equal = Gain(before=8 / 24, after=8 / 24, gained=0, lost=0, p_value=1.0)
    assert FIRST in conclusions(replay(story(equal)))[0]


def test_a_gain_within_noise_is_said_with_its_p_value_and_a_real_one_as_one() -> None:
    first, second, *_ = conclusions(replay(story(NOISE)))
    assert first.startswith("Target of 25.0 % met")
    assert "better than the untrained model, but within noise" in second
    assert "(5 gained, 3 lost; exact McNemar, p = 0.73)" in second
    real = conclusions(replay(story(BETTER)))[1]
    assert real.startswith("The best checkpoint is better than the untrained model: ")
    assert "p = 0.016" in real and "choice among 4 checkpoints" in real


def test_scripts_get_the_gain_and_what_it_says() -> None:
    found = json.loads(json.dumps(run_json(build_report(story(WORSE), FOLDER))))
    assert found["gain"] == WORSE.model_dump() | {"verdict": "no better"}
    assert found["met"] is True  # of that the target decides alone


def test_best_is_not_offered_where_nothing_was_gained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (FOLDER / "best").mkdir(parents=True)
    worse, better = (next_steps(replay(story(gain)), FOLDER) for gain in (WORSE, NOISE))
    assert worse[0].startswith("do not take best/ for an improvement")
    assert not any("eval" in step for step in worse)
    assert any("smolsft-autotune eval" in step for step in better)
    assert "best checkpoint, no improvement: " in summary_text(story(WORSE))


def test_a_record_of_an_older_version_is_judged_by_its_scores() -> None:
    records = [
        r.model_copy(update={"event": book.baseline("untrained", 8, book.HEALTHY)})
        if isinstance(r.event, events.BaselineScored) and r.event.name == "untrained"
        else r
        for r in book.story()
    ]
    assert FIRST in conclusions(replay(records))[0]
