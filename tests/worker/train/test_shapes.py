"""Few shapes: what is filled, by how much, and that it changes no row and no limit."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.protocol.plan import MicroBatching
from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train.batches import step_rows
from autotune.worker.train.shapes import filled, rounded_up
from autotune.worker.train.step import Stepper
from tests.worker.toys import loaded_toy, some_rows, stepper_of

pytestmark = pytest.mark.torch

LENGTHS = st.lists(st.integers(2, 300), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Stepper:
    return stepper_of(loaded_toy(tmp_path_factory.mktemp("toy")))


def lognormal(count: int) -> list[int]:
    """Lengths like those of real conversations: median 180 tokens, 5 % cut at 512."""
    draw = random.Random(3)
    return [min(512, max(16, round(180 * 2.718 ** draw.gauss(0, 0.63)))) for _ in range(count)]


def sizes_of(piece: Sequence[Row]) -> list[int]:
    return [len(row.input_ids) for row in piece]


def rounded(tokens: int) -> int:
    return int(rounded_up(np.array(tokens, dtype=np.float64)))


@pytest.mark.parametrize(("micro_batch_tokens", "most"), [(512, 90), (2048, 150)])
def test_a_training_over_six_hundred_lengths_has_few_shapes_for_little_filling(
    toy: Stepper, micro_batch_tokens: int, most: int
) -> None:
    rows = some_rows(lognormal(600))
    toy.packing = False
    toy.resize(MicroBatching(micro_batch_tokens=micro_batch_tokens, gradient_checkpointing=False))
    shapes: set[tuple[int, int]] = set()
    taken = needed = 0
    for number in range(1, 40):
        for piece in toy.pieces([rows[at] for at in step_rows(len(rows), 32, 5, number)]):
            shapes.add((len(piece), max(sizes_of(piece))))
            taken += len(piece) * max(sizes_of(piece))
            bare = [len(row.labels) - trailing(row) for row in piece]
            needed += len(piece) * max(bare)
    assert len({width for _, width in shapes}) <= 60
    assert len(shapes) <= most
    assert taken / needed - 1 < 0.03


def test_packed_micro_batches_have_few_sizes_for_little_filling(toy: Stepper) -> None:
    rows = some_rows(lognormal(600))
    toy.packing = True
    toy.resize(MicroBatching(micro_batch_tokens=2048, gradient_checkpointing=False))
    pieces = [
        piece
        for number in range(1, 40)
        for piece in toy.pieces([rows[at] for at in step_rows(len(rows), 32, 5, number)])
    ]
    totals = [sum(sizes_of(piece)) for piece in pieces]
    assert len(set(totals)) <= 20
    assert sum(totals) / sum(sum(s) - trailing_of(p) for p, s in sized(pieces)) - 1 < 0.03


def sized(pieces: Sequence[list[Row]]) -> list[tuple[list[Row], list[int]]]:
    return [(piece, sizes_of(piece)) for piece in pieces]


def trailing(row: Row) -> int:
    """Tokens of filling: `some_rows` gives every row's last token a label."""
    return next(at for at, label in enumerate(reversed(row.labels)) if label != IGNORED)


def trailing_of(piece: Sequence[Row]) -> int:
    return sum(trailing(row) for row in piece)


@settings(deadline=None)
@given(
    lengths=LENGTHS,
    packing=st.booleans(),
    limit=st.integers(1, 4000),
    positions=st.integers(300, 400),
)
def test_filling_stays_within_the_limit_and_the_models_positions_and_adds_no_label(
    lengths: list[int], packing: bool, limit: int, positions: int
) -> None:
    rows = some_rows(lengths)
    found = filled(rows, packing=packing, micro_batch_tokens=limit, positions=positions, filler=0)
    before = sum(lengths) if packing else len(rows) * max(lengths)
    after = sum(sizes_of(found)) if packing else len(found) * max(sizes_of(found))
    assert before <= after <= max(before, limit)
    assert max(sizes_of(found)) <= positions
    assert sum(row.supervised for row in found) == sum(row.supervised for row in rows)
    for row, other in zip(rows, found, strict=True):
        more = len(other.input_ids) - len(row.input_ids)
        assert other.input_ids == row.input_ids + [0] * more
        assert other.labels == row.labels + [IGNORED] * more


@given(st.integers(1, 100_000))
def test_a_size_grows_by_less_than_a_sixteenth_or_eight_tokens(tokens: int) -> None:
    size = rounded(tokens)
    assert tokens <= size < tokens + max(8, tokens / 16)
    assert size % 8 == 0
    assert rounded(size) == size


def test_rows_are_filled_up_no_further_than_their_micro_batch_may_grow(toy: Stepper) -> None:
    # 100 tokens are filled up to 104, but eight times that would be above 800.
    toy.packing = False
    toy.resize(MicroBatching(micro_batch_tokens=800, gradient_checkpointing=False))
    assert [max(sizes_of(piece)) for piece in toy.pieces(some_rows([100] * 8))] == [100]
    assert [max(sizes_of(piece)) for piece in toy.pieces(some_rows([100] * 7))] == [104]


def test_a_row_as_long_as_the_model_allows_is_not_filled_beyond() -> None:
    row = some_rows([300])
    found = filled(row, packing=False, micro_batch_tokens=1024, positions=300, filler=0)
    assert sizes_of(found) == [300]
