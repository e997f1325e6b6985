"""The report of a run that worked at a study with others: every host's trials, and the best."""

import json
from pathlib import Path

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.report import build_report, run_json
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.text.conclusions import conclusions
from tests import records as book

EVIL = "<b>host</b> | `x`"


def story() -> list[Record]:
    """A run whose study found something better elsewhere."""
    there, here = (
        events.HostTrial(
            number=number,
            strategy=strategy,
            outcome=outcome,
            host=host,
            card="cuda-1a2b3c4d",
            run_folder="/runs/x",
            checkpoint=f"/runs/x/{number}/step-000012" if passes else None,
            passes=passes,
            n=24 if passes else None,
            counts=passes / 24 if passes else None,
            genuine=passes,
            shuffled=0.05,
            hours=1.25,
            failure=None if passes else "diverged",
        )
        for number, strategy, outcome, host, passes in (
            (0, "A", "COMPLETE", EVIL, 9),
            (1, "B", "FAIL", "here", None),
        )
    )
    total = events.StudyTotal(
        study="monday",
        trials=(there, here),
        best=0,
        candidates=5,
        corrected=0.33,
        interval=(0.2, 0.5),
    )
    told = book.story()
    at = next(n for n, r in enumerate(told) if isinstance(r.event, events.RunEnded))
    return [*told[:at], Record(time=told[at].time, event=total), *told[at:]]


def test_a_report_has_the_trials_of_all_hosts_and_names_the_best_ones_place(tmp_path: Path) -> None:
    report = build_report(story(), tmp_path)
    said = json.loads(json.dumps(run_json(report)))["study"]
    assert [(t["number"], t["host"], t["outcome"]) for t in said["trials"]] == [
        (0, EVIL, "COMPLETE"),
        (1, "here", "FAIL"),
    ]
    for page in (render_markdown(report), render_html(report)):
        assert "All hosts of study monday" in page and "diverged" in page
        assert "/runs/x/0/step" in page and EVIL not in page
    line = next(line for line in conclusions(replay(story())) if line.startswith("Study monday"))
    assert "9/24 37.5 %" in line and "5 checkpoints of 2 trials on 2 hosts" in line
    assert "about 33.0 % without that" in line


def test_a_run_by_itself_has_no_such_table(tmp_path: Path) -> None:
    assert "All hosts" not in render_markdown(build_report(book.story(), tmp_path))
