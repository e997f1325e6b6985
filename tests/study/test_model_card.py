"""`best/` has a card of what it is and what it scored; one that a person edits stays theirs."""

import json
import os
import re
import stat
from pathlib import Path

from autotune.base.manifest import fault_of
from tests.study.test_cleanup import A, B, judge, tuner


def test_the_best_has_a_card_with_its_score_its_settings_and_its_limits(tmp_path: Path) -> None:
    tuner(tmp_path, judge(t0_step_5=3, t1_step_6=2), A, B).run()
    card = (tmp_path / "best" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "| **this model** | 3/8 37.5 % [" in card
    assert "The best of 4 scored checkpoints of its run." in card
    said = re.search(r"after (\d+) of (\d+) steps of supervised", card)
    planned = re.search(r"\((\d+) steps\) \|", card)
    assert said and planned
    assert said[2] == planned[1], "one number of steps"
    assert "- Target of 25.0 % not met" in card  # also what is known only at the end
    assert "smolsft-autotune chat PATH/TO/THIS/FOLDER" in card
    assert "README.md" not in json.loads((tmp_path / "best" / "manifest.json").read_text("utf-8"))
    assert fault_of(tmp_path / "best") is None


def test_a_card_that_somebody_edited_stays_and_another_is_written_again(tmp_path: Path) -> None:
    card = tmp_path / "best" / "README.md"
    tuner(tmp_path, judge(t0_step_5=3), A, B).run()
    first = card.read_text(encoding="utf-8")
    card.unlink()
    tuner(tmp_path, judge(t0_step_5=3), A, B).run()
    assert card.read_text(encoding="utf-8") == first
    card.write_text("mine\n" + first, encoding="utf-8")
    tuner(tmp_path, judge(t0_step_5=3), A, B).run()
    assert card.read_text(encoding="utf-8") == "mine\n" + first


def test_the_files_of_the_best_may_be_read_by_others(tmp_path: Path) -> None:
    tuner(tmp_path, judge(t0_step_5=3), A).run()
    if os.name != "posix":
        return
    mask = os.umask(0)
    os.umask(mask)
    for path in (tmp_path / "best").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask, path.name
