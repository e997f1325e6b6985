"""What the optimizer keeps is stated once, and what a checkpoint takes follows from it."""

from pathlib import Path

import pytest

from autotune.base.disk import RECORD_BYTES, RESUMABLE, SPARE_SAVES, Sizes, Writes, needed_bytes
from autotune.base.optimizer_state import ADAMW, KEPT, State

LION = State("Lion", moments=("exp_avg",), counts_steps=False)
HALVES = State("AdamW in 16 bits", moments=("exp_avg", "exp_avg_sq"), moment_bytes=2)
NOTHING = State("SGD", moments=(), counts_steps=False)


def test_what_trains_here_keeps_two_moments_of_four_bytes_a_weight() -> None:
    assert KEPT is ADAMW
    assert ADAMW.bytes_per_weight == 8
    page = (Path(__file__).resolve().parents[2] / "docs" / "train.md").read_text(encoding="utf-8")
    assert f"**{KEPT.optimizer}** on fp32 weights" in page


@pytest.mark.parametrize(
    "state, whole", [(ADAMW, 1201), (LION, 801), (HALVES, 801), (NOTHING, 401)]
)
def test_a_checkpoint_takes_its_weights_and_what_the_optimizer_keeps(
    state: State, whole: int
) -> None:
    assert Sizes(weights=400, rest=1, state=state).whole == whole


@pytest.mark.parametrize("state", [ADAMW, LION, NOTHING])
def test_only_checkpoints_to_resume_from_hold_the_state(state: State) -> None:
    """In a study's last trial those are the newest two and the one that is written."""
    once = Writes(trials=1, scored=1, averaged=False, answer_bytes=0)
    needed = needed_bytes(Sizes(weights=400, rest=0, state=state), once)
    assert needed == RECORD_BYTES + 400 * (1 + RESUMABLE + SPARE_SAVES) + (
        (RESUMABLE + SPARE_SAVES) * 100 * state.bytes_per_weight
    )
