"""The best of several checkpoints: what its score is worth, and a holdout that is not chosen by."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.cli.options import Options
from autotune.cli.settings import settings_text
from autotune.config.profile import Profile
from autotune.protocol import events
from autotune.protocol.gain import Improvement
from autotune.report.build import build_report
from autotune.run.state import replay
from autotune.score.bootstrap import correct_selection_bias
from autotune.score.prompt_order import halves
from autotune.study.selection_bias import without_selection_bias
from autotune.study.tuner import Tuner
from autotune.text.conclusions import conclusions
from tests import setups
from tests.contains import Contains
from tests.played import Workers
from tests.study.test_tuner import DATA, recorded, started

EARLY, LATE = "step-000005", "step-000006"
CHOOSING, REPORTED = (tuple(p.key for p in half) for half in halves(setups.prompts(), seed=0))


def profile(holdout: bool) -> Profile:
    tree = json.loads(setups.profile(setups.strategy("A")).model_dump_json(by_alias=True))
    tree["evaluate"]["holdout"] = holdout
    return Profile.model_validate_json(json.dumps(tree))


def tuner(
    folder: Path, early: Sequence[int], late: Sequence[int], target: float, holdout: bool = False
) -> Tuner:
    """A run of two checkpoints, each of which passes these prompts (keys) and no other."""
    session, _ = setups.session(folder, Workers())
    session.emit(started().model_copy(update={"target": target}))
    asked = []
    for prompt in setups.prompts():
        first, second = prompt.key in early, prompt.key in late
        wanted = "step-" if first and second else EARLY if first else LATE if second else "nothing"
        change = {"instruction_id_list": ("contains",), "kwargs": ({"expected": wanted},)}
        asked.append(prompt.model_copy(update=change))
    setup = replace(setups.setup(profile(holdout)), prompts=tuple(asked))
    return Tuner(session, setup, DATA, setups.fit(), Contains(), target)


def test_the_best_of_two_is_reported_with_what_it_is_worth_without_selection_bias(
    tmp_path: Path,
) -> None:
    run = tuner(tmp_path, early=(0, 1, 2), late=(3, 4, 5, 6), target=0.9)
    assert not run.run()
    (chosen,) = recorded(run.session, events.BestCorrected)
    assert chosen.candidates == 2
    assert chosen.corrected < 0.5  # the score of the winner, 4 of 8
    report = build_report(list(run.session.rundir.records()), tmp_path)
    assert report.corrected == chosen.corrected
    assert report.chosen_among == 2
    assert any("selection bias" in line for line in report.conclusions)
    # The untrained model passes none, so of 8 prompts 4 are gained.
    assert report.gain is not None
    assert (report.gain.gained, report.gain.lost, report.gain.p_value) == (4, 0, 0.125)
    assert report.gain.verdict is Improvement.WITHIN_NOISE


def test_selection_bias_is_taken_off_for_the_prompts_that_were_chosen_by_only() -> None:
    draw = random.Random(3)
    best, other = ({key: draw.random() < 0.25 for key in range(400)} for _ in range(2))
    both = [best, other] if sum(best.values()) >= sum(other.values()) else [other, best]
    score = sum(both[0].values()) / 400
    first = {key: both[1][key] for key in range(40)}
    off_all, off_first = (
        score - without_selection_bias([both[0], row], 0)[0] for row in (both[1], first)
    )
    assert 0.0 < off_first < off_all
    assert off_all == pytest.approx(
        score - correct_selection_bias([list(row.values()) for row in both], 0).corrected
    )


def test_a_correction_is_void_once_another_checkpoint_has_a_score(tmp_path: Path) -> None:
    run = tuner(tmp_path, early=(0, 1, 2), late=(3, 4, 5, 6), target=0.9)
    run.run()
    records = list(run.session.rundir.records())
    again = next(r for r in records if isinstance(r.event, events.Evaluated))
    assert replay(records).corrected is not None
    assert replay([*records, again]).corrected is None


def test_without_a_holdout_the_best_on_all_prompts_meets_the_target(tmp_path: Path) -> None:
    run = tuner(tmp_path, early=CHOOSING[:3], late=REPORTED, target=0.5)
    assert run.run()
    best = run.session.state.best
    assert best is not None and best.score is not None
    assert best.checkpoint.folder.endswith(LATE)
    assert (best.score.passes, best.score.total, best.chosen_by) == (4, 8, None)


def test_a_holdout_chooses_by_one_half_and_holds_the_other_against_the_target(
    tmp_path: Path,
) -> None:
    run = tuner(tmp_path, early=CHOOSING[:3], late=REPORTED, target=0.5, holdout=True)
    # The late one passes all of the half that is reported, and is not the one that was chosen.
    assert not run.run()
    best = run.session.state.best
    assert best is not None and best.score is not None and best.chosen_by is not None
    assert best.checkpoint.folder.endswith(EARLY)
    assert (best.score.passes, best.score.total) == (0, 4)
    assert (best.chosen_by.passes, best.chosen_by.total) == (3, 4)
    assert [e.score.total for e in recorded(run.session, events.BaselineScored)] == [4, 4]
    assert recorded(run.session, events.BestCorrected) == []
    assert any("Chosen by the other half" in line for line in conclusions(run.session.state))


def test_a_holdout_meets_the_target_on_the_half_that_is_reported(tmp_path: Path) -> None:
    run = tuner(tmp_path, early=(), late=(CHOOSING[0], *REPORTED[:2]), target=0.5, holdout=True)
    assert run.run()
    best = run.session.state.best
    assert best is not None and best.score is not None
    assert (best.score.passes, best.score.total) == (2, 4)


def test_the_option_puts_the_holdout_into_the_profile() -> None:
    assert Options(holdout=True).adjust(profile(False)) == profile(True)
    assert Options(holdout=False).adjust(profile(True)) == profile(False)
    assert Options().adjust(profile(True)) == profile(True)


def test_a_run_with_a_holdout_is_not_gone_on_with_without_one() -> None:
    assert settings_text(profile(True)) != settings_text(profile(False))
