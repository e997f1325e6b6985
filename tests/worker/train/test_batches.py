"""Steps and micro-batches: every row once, whatever the limit; the order depends on the seed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train.batches import BATCH_COST_TOKENS, micro_batches, packs, pad, step_rows
from autotune.worker.train.shapes import rounded_up
from tests.worker.toys import some_rows

pytestmark = pytest.mark.torch

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=60)
COUNTS = st.integers(1, 200)


@given(lengths=LENGTHS, limit=st.integers(1, 2000))
def test_every_row_is_in_exactly_one_micro_batch(lengths: list[int], limit: int) -> None:
    groups = micro_batches(lengths, limit)
    assert sorted(at for group in groups for at in group) == list(range(len(lengths)))


@given(lengths=LENGTHS, limit=st.integers(1, 2000))
def test_a_micro_batch_stays_within_the_limit_unless_it_is_one_row(
    lengths: list[int], limit: int
) -> None:
    for group in micro_batches(lengths, limit):
        padded = len(group) * max(lengths[at] for at in group)
        assert padded <= limit or len(group) == 1


@given(lengths=LENGTHS, limit=st.integers(1, 2000))
def test_the_longest_row_comes_first(lengths: list[int], limit: int) -> None:
    assert lengths[micro_batches(lengths, limit)[0][0]] == max(lengths)


@given(lengths=LENGTHS, limit=st.integers(300, 2000))
def test_cutting_a_micro_batch_again_does_not_shrink_it(lengths: list[int], limit: int) -> None:
    for group in micro_batches(lengths, limit):
        assert len(micro_batches([lengths[at] for at in group], limit)) == 1


@given(lengths=LENGTHS, limit=st.integers(1, 2000))
def test_no_micro_batch_could_be_cut_in_two_to_save_more_filling_than_a_batch_costs(
    lengths: list[int], limit: int
) -> None:
    for group in micro_batches(lengths, limit):
        sizes = [lengths[at] for at in group]  # sorted, the longest first
        wide = [int(width) for width in rounded_up(np.array(sizes, dtype=np.float64))]
        for cut in range(1, len(sizes)):
            two = cut * wide[0] + (len(sizes) - cut) * wide[cut]
            assert len(sizes) * wide[0] - two <= BATCH_COST_TOKENS


def test_rows_of_one_length_make_micro_batches_of_like_size() -> None:
    assert [len(group) for group in micro_batches([100] * 9, 800)] == [5, 4]


def test_a_long_row_does_not_stretch_many_short_ones() -> None:
    assert [len(group) for group in micro_batches([1000] + [50] * 19, 20_000)] == [1, 19]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 2000))
def test_packed_groups_hold_every_row_once_within_the_limit_and_few_of_them(
    lengths: list[int], limit: int
) -> None:
    groups = packs(lengths, limit)
    assert sorted(at for group in groups for at in group) == list(range(len(lengths)))
    sizes = [sum(lengths[at] for at in group) for group in groups]
    assert all(size <= limit or len(group) == 1 for size, group in zip(sizes, groups, strict=True))
    assert sizes == sorted(sizes, reverse=True)
    # No two groups could have been one.
    assert len(groups) < 2 or sizes[-1] + sizes[-2] > limit


@given(rows=COUNTS, batch_size=COUNTS, seed=st.integers(0, 2**32), epoch=st.integers(0, 5))
def test_an_epoch_takes_every_row_once(rows: int, batch_size: int, seed: int, epoch: int) -> None:
    steps = -(-rows // batch_size)
    picked = [
        step_rows(rows, batch_size, seed, epoch * steps + number) for number in range(1, steps + 1)
    ]
    assert sorted(row for step in picked for row in step) == list(range(rows))
    assert all(len(step) == batch_size for step in picked[:-1])


def test_epochs_and_seeds_differ_and_a_step_does_not() -> None:
    first = step_rows(100, 10, seed=1, step=1)
    assert first == step_rows(100, 10, seed=1, step=1)
    assert first != step_rows(100, 10, seed=2, step=1)
    assert first != step_rows(100, 10, seed=1, step=11)


def test_the_order_is_the_same_in_every_process() -> None:
    code = "from autotune.worker.train.batches import step_rows; print(step_rows(40, 12, 3, 6))"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert said.strip() == str(step_rows(40, 12, 3, 6))


def test_short_rows_are_filled_up_on_the_right_and_carry_no_label_there() -> None:
    input_ids, labels = pad([Row([5, 6, 7], [IGNORED, 6, 7]), Row([8], [8])], 2)
    assert input_ids.tolist() == [[5, 6, 7], [8, 2, 2]]
    assert labels.tolist() == [[IGNORED, 6, 7], [8, IGNORED, IGNORED]]


def test_rows_of_one_length_are_not_filled_up() -> None:
    input_ids, labels = pad(some_rows([9, 9, 9]), 0)
    assert input_ids.shape == labels.shape == (3, 9)
    assert input_ids.dtype == labels.dtype == torch.long
