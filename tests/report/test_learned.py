"""A run says what its practice made better in the answers, and as plainly what it made worse."""

import re
from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.protocol.gain import Gain
from autotune.protocol.results import EvalReport, Health
from autotune.protocol.scores import Metric
from autotune.report.build import build_report
from autotune.report.write import render_html, render_markdown
from autotune.run.answering import SCORES
from autotune.run.folder import RunDir
from autotune.run.state import replay
from autotune.screen import summary
from autotune.study.model_card import card_text
from tests import setups
from tests.report.test_practice import apart, found
from tests.report.test_practice import story as practised
from tests.screens import printed, squeezed

BEFORE = Health(stop=0.52, loop=0.22, echo=0.0, empty=0.0)
LOOPING = Health(stop=0.67, loop=0.43, echo=0.0, empty=0.0)
BETTER = Health(stop=0.67, loop=0.20, echo=0.0, empty=0.0)
NOISE = Gain(before=0.033, after=0.067, gained=3, lost=1, p_value=0.62)


def story(
    after: Health,
    kinds: events.KindsApart,
    gain: Gain = NOISE,
    before: events.KindsApart | None = None,
) -> list[Record]:
    """A run that practised, whose checkpoints all have these figures."""

    def changed(event: RunEvent) -> RunEvent:
        if isinstance(event, events.BaselineScored) and event.name == "untrained":
            update = {"health": BEFORE, "kinds": (before or apart(3, 50),)}
            return event.model_copy(update=update)
        if isinstance(event, events.Evaluated):
            return event.model_copy(update={"health": after, "kinds": (kinds,), "gain": gain})
        return event

    return [r.model_copy(update={"event": changed(r.event)}) for r in practised(found("A", "B"))]


def scored(folder: Path, score: Metric, **by_type: int) -> None:
    """Leave the file of scores of an evaluation, with the passes of each kind, of six."""
    folder.mkdir(parents=True)
    types = {name.replace("__", ":"): Metric.of(passes, 6) for name, passes in by_type.items()}
    report: EvalReport = setups.report(score.passes, score.total)
    (folder / SCORES).write_text(
        report.model_copy(update={"by_type": types}).model_dump_json(), encoding="utf-8"
    )


def with_scores(root: Path, records: list[Record]) -> None:
    state, rundir = replay(records), RunDir(root)
    best = state.best
    assert best is not None and best.score is not None
    untrained = state.baselines["untrained"].score
    scored(rundir.eval_folder("untrained"), untrained, case__upper=1, a__b=5, c__d=1, e__f=2)
    where = rundir.checkpoint_eval(best.number, best.checkpoint)
    scored(where, best.score, case__upper=4, a__b=4, c__d=0, e__f=2)


def faces(root: Path, records: list[Record]) -> dict[str, str]:
    """The end of the screen, both forms of the report, and the model's card."""
    state, report = replay(records), build_report(records, root)
    assert state.best is not None
    pages = {
        "screen": printed(summary(state, root), 1000),
        "report.md": render_markdown(report).replace("\\", ""),
        "report.html": re.sub(r"<[^>]+>", "", render_html(report)),
        "card": card_text(state, state.best, RunDir(root)),
    }
    return {name: squeezed(text) for name, text in pages.items()}


@pytest.mark.parametrize("face", ["screen", "report.md", "report.html", "card"])
def test_every_face_says_what_got_worse_beside_what_got_better(tmp_path: Path, face: str) -> None:
    records = story(LOOPING, apart(3, 120))
    with_scores(tmp_path, records)
    said = faces(tmp_path, records)[face]
    assert (
        "What got better: what the score counts for 3.3 % to 6.7 %, answers that end by themselves"
        " 52 % to 67 %, rules of practised kinds 50/200 to 120/200, 1 of 4 kinds of rule. What got"
        " worse: answers that end in a loop 22 % to 43 %, 2 of 4 kinds of rule (a:b 5/6 to 4/6,"
        " c:d 1/6 to 0/6). As before: rules of held-out kinds 3/40 to 3/40."
    ) in said


@pytest.mark.parametrize("face", ["screen", "report.md", "report.html", "card"])
def test_where_nothing_got_worse_that_is_said(tmp_path: Path, face: str) -> None:
    said = faces(tmp_path, story(BETTER, apart(12, 120)))[face]
    assert "answers that end in a loop 22 % to 20 %" in said
    assert "Nothing of its answers got worse." in said
    assert "What got worse" not in said


def test_a_share_that_moves_within_a_percent_shows_by_how_much(tmp_path: Path) -> None:
    told = BETTER.model_copy(update={"loop": 0.222})
    said = faces(tmp_path, story(told, apart(12, 120)))["screen"]
    assert "What got worse: answers that end in a loop 22.0 % to 22.2 %." in said


def test_kinds_that_fell_are_named_up_to_three_of_them(tmp_path: Path) -> None:
    records = story(BETTER, apart(12, 120))
    state, rundir = replay(records), RunDir(tmp_path)
    best = state.best
    assert best is not None and best.score is not None
    untrained = state.baselines["untrained"].score
    scored(rundir.eval_folder("untrained"), untrained, a=6, b=6, c=6, d=6, e=6)
    where = rundir.checkpoint_eval(best.number, best.checkpoint)
    scored(where, best.score, a=5, b=4, c=3, d=2, e=1)
    said = faces(tmp_path, records)["screen"]
    worse = "5 of 5 kinds of rule (e 6/6 to 1/6, d 6/6 to 2/6, c 6/6 to 3/6, and 2 more)"
    assert f"What got worse: {worse}." in said


def test_a_better_score_is_never_followed_by_a_word_that_nothing_got_better(
    tmp_path: Path,
) -> None:
    said = faces(tmp_path, story(BEFORE, apart(3, 50)))["screen"]
    assert "better than the untrained model, but within noise: it counts for 6.7 %" in said
    assert "What got better: what the score counts for 3.3 % to 6.7 %." in said
    assert "Nothing of its answers got better" not in said


def test_a_score_that_fell_is_among_what_got_worse(tmp_path: Path) -> None:
    fell = Gain(before=0.333, after=0.25, gained=1, lost=3, p_value=0.62)
    said = faces(tmp_path, story(BEFORE, apart(3, 50), fell))["screen"]
    assert "Nothing of its answers got better. What got worse: what the score counts for" in said


def test_beside_a_verdict_on_all_prompts_it_says_that_its_own_prompts_are_meant(
    tmp_path: Path,
) -> None:
    records = story(LOOPING, apart(12, 120))
    best = replay(records).best
    assert best is not None
    full = events.BestInFull.from_parts(
        best, kind="best_in_full", weights={}, prompts="IFEval", scorer="ifeval", max_new_tokens=9
    )
    untrained = events.BaselineInFull.from_parts(
        full, kind="baseline_in_full", name="untrained", gain=NOISE
    )
    more = [Record(time=9e9, event=event) for event in (full, untrained)]
    said = faces(tmp_path, [*records, *more])["screen"]
    assert "On the run's own prompts: what got better: what the score" in said
