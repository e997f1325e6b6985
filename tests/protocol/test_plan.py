"""What a plan holds fixed however its steps are cut, and what makes it another training."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autotune.fit.resolve import resolve_plan, usable_strategies
from autotune.protocol.choices import Precision
from autotune.protocol.job import DeviceSpec, TrainJob
from autotune.protocol.plan import Strategy, TrainPlan
from tests import records, setups

PLANS = st.builds(
    lambda conversations, batch, epochs, fractions, ratio: records.plan(
        conversations=conversations,
        batch_size=batch,
        num_train_epochs=epochs,
        checkpoint_fractions=tuple(sorted(fractions)),
        warmup_ratio=ratio,
    ),
    st.integers(1, 5000),
    st.integers(1, 96),
    st.integers(1, 8),
    st.sets(st.floats(0.01, 1.0), min_size=1, max_size=6),
    st.floats(0, 0.9),
)


@given(PLANS)
def test_steps_are_the_epochs_of_the_kept_conversations(plan: TrainPlan) -> None:
    assert plan.steps_per_epoch == math.ceil(plan.conversations / plan.batch_size)
    assert plan.total_steps == plan.steps_per_epoch * plan.num_train_epochs
    assert 0 <= plan.warmup_steps <= plan.total_steps


@given(PLANS)
def test_checkpoints_stand_at_their_fractions_of_the_final_step_count(plan: TrainPlan) -> None:
    for step, fraction in plan.checkpoint_steps.items():
        assert 1 <= step <= plan.total_steps
        reached = fraction * plan.total_steps
        assert step >= reached - 1e-6
        assert step == 1 or step - 1 < reached
    ends_at_one = 1.0 in plan.checkpoint_fractions
    assert not ends_at_one or plan.checkpoint_steps[plan.total_steps] == 1.0


def test_the_last_fifth_of_sixty_steps_is_scored_five_times() -> None:
    plan = records.plan(
        conversations=100,
        batch_size=10,
        num_train_epochs=6,
        checkpoint_fractions=(0.8, 0.85, 0.9, 0.95, 1.0),
    )
    assert list(plan.checkpoint_steps) == [48, 51, 54, 57, 60]


def test_fractions_of_the_same_step_are_one_checkpoint_under_the_later_one() -> None:
    plan = records.plan(conversations=16, batch_size=8, num_train_epochs=1)
    assert plan.total_steps == 2
    assert plan.checkpoint_steps == {2: 1.0}


@pytest.mark.parametrize(
    "change",
    [
        {"micro_batch_tokens": 64},
        {"gradient_checkpointing": True},
        {"packing": True},
        {"torch_compile": True},
        {"average_checkpoints": 3},
        {"resume_every_seconds": 5.0},
        {"saving_share": 0.5},
    ],
)
def test_how_a_step_is_cut_changes_neither_the_training_nor_its_schedule(
    change: dict[str, object],
) -> None:
    plan = records.plan()
    other = plan.model_copy(update=change)
    assert other != plan
    assert other.identity == plan.identity
    assert (other.batch_size, other.total_steps) == (plan.batch_size, plan.total_steps)
    assert other.warmup_steps == plan.warmup_steps
    assert other.checkpoint_steps == plan.checkpoint_steps


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 5e-5},
        {"num_train_epochs": 4},
        {"batch_size": 32},
        {"model_max_length": 192},
        {"max_rounds": "all"},
        {"weight_decay": 0.02},
        {"warmup_ratio": 0.25},
        {"lr_scheduler_type": "linear"},
        {"max_grad_norm": 0.5},
        {"precision": Precision.FP32},
        {"seed": 8},
        {"conversations": 65},
        {"model_folder": "models/other"},
        {"checkpoint_fractions": (0.5, 1.0)},
        {"neftune_noise_alpha": 5.0},
        {"held_out": 3},
    ],
)
def test_what_changes_the_weights_makes_it_another_training(change: dict[str, object]) -> None:
    assert records.plan(**change).identity != records.plan().identity


def test_a_training_that_an_earlier_version_began_goes_on() -> None:
    # As saved with checkpoints before rows could be left out for the scored prompts in them.
    assert records.plan("A").identity == "0de548eb0701eaf5"
    data = records.plan("A").data.model_copy(update={"drop_prompts": "prompts.jsonl"})
    assert records.plan("A", data=data).identity != records.plan("A").identity


def test_prompts_whose_rows_are_left_out_are_read_where_they_lie_now() -> None:
    began = records.plan("A").data.model_copy(update={"drop_prompts": "/then/prompts.jsonl"})
    job = TrainJob(
        device=DeviceSpec(kind="cpu", precision=Precision.FP32, limit_bytes=0),
        plan=records.plan("A", data=began),
        out="out",
        data_path="/now/chats.jsonl",
        drop_prompts="/now/prompts.jsonl",
    )
    assert (job.data.path, job.data.drop_prompts) == ("/now/chats.jsonl", "/now/prompts.jsonl")
    assert job.plan.data == began
    # A plan that leaves none out goes on so.
    whole = job.model_copy(update={"plan": records.plan("A")})
    assert whole.data.drop_prompts is None


@pytest.mark.parametrize(("wished", "averaged"), [(0, 0), (2, 2), (3, 2)])
def test_no_more_checkpoints_are_averaged_than_there_are(wished: int, averaged: int) -> None:
    assert records.plan(average_checkpoints=wished).averaged == averaged
    one = records.plan(average_checkpoints=wished, checkpoint_fractions=(1.0,))
    assert one.averaged == 0


def test_a_plan_is_the_same_after_a_file() -> None:
    plan = records.plan()
    assert TrainPlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": "4e-5"},
        {"learning_rate": math.nan},
        {"batch_size": 0},
        {"average_checkpoints": 1},
        {"neftune_noise_alpha": 101.0},
        {"neftune_noise_alpha": -1.0},
        {"held_out": -1},
        {"unknown": 1},
    ],
)
def test_a_wrong_value_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        records.plan(**change)


DATA = setups.survey(*[[100, 100]] * 20)


def test_a_plan_is_a_strategy_clipped_to_what_fits() -> None:
    setup = setups.setup(setups.profile())
    wish = setups.strategy(model_max_length=1024, max_rounds=6, batch_size=16)
    plan = resolve_plan(wish, setups.fit(length=128, micro_batch_tokens=128), DATA, setup)
    assert (plan.model_max_length, plan.max_rounds, plan.batch_size) == (128, 6, 16)
    assert plan.micro_batch_tokens == 128
    assert plan.conversations == 20


@pytest.mark.parametrize(("asked", "held_out"), [(0, 0), (1, 1), (2, 2), (200, 2)])
def test_what_is_held_out_is_not_trained_on_and_is_a_twentieth_at_most(
    asked: int, held_out: int
) -> None:
    chosen = setups.profile()
    train = chosen.train.model_copy(update={"held_out": asked})
    setup = setups.setup(chosen.model_copy(update={"train": train}))
    data = setups.survey(*[[100, 100]] * 59)
    wish = setups.strategy(neftune_noise_alpha=5.0)
    plan = resolve_plan(wish, setups.fit(length=128), data, setup)
    assert (plan.held_out, plan.conversations) == (held_out, 59 - held_out)
    assert plan.kept_conversations == 59
    assert plan.neftune_noise_alpha == 5.0
    searched = resolve_plan(wish, setups.fit(), data, setup, {"neftune_noise_alpha": 0.0})
    assert searched.neftune_noise_alpha == 0.0


@given(PLANS)
def test_the_held_out_loss_is_due_before_training_and_at_fifths_of_the_steps(
    plan: TrainPlan,
) -> None:
    assert plan.held_out_steps == ()
    due = plan.model_copy(update={"held_out": 3}).held_out_steps
    assert due[0] == 0
    assert list(due) == sorted(set(due))
    assert due[-1] <= plan.total_steps
    fifths = [math.ceil(plan.total_steps * at / 5) for at in range(1, 5)]
    assert set(due[1:]) == set(fifths)


def test_less_memory_never_changes_steps_schedule_or_batch() -> None:
    setup = setups.setup(setups.profile())
    wish = setups.strategy(model_max_length="fits")
    plans = [
        resolve_plan(wish, setups.fit(length=length, micro_batch_tokens=length), DATA, setup)
        for length in (64, 128, 256)
    ]
    assert len({(p.batch_size, p.total_steps, p.warmup_steps) for p in plans}) == 1
    assert len({tuple(p.checkpoint_steps) for p in plans}) == 1


def names(*strategies: Strategy, length: int) -> list[str]:
    """The strategies to try where `length` tokens fit."""
    return [s.name for s in usable_strategies(strategies, setups.fit(length=length), DATA)]


A = setups.strategy("A", model_max_length=192)
B = setups.strategy("B", model_max_length=128)
MINIMUM = setups.strategy("minimum", model_max_length=64, fallback=True)


def test_strategies_that_fit_are_tried_without_the_fallback() -> None:
    assert names(A, B, MINIMUM, length=256) == ["A", "B"]
    assert names(A, B, MINIMUM, length=128) == ["B"]


def test_a_strategy_longer_than_all_data_fits_where_the_data_does() -> None:
    assert names(setups.strategy("A", model_max_length=8192), length=256) == ["A"]


def test_where_no_strategy_fits_the_fallback_comes_first_and_the_rest_are_clipped() -> None:
    assert names(A, B, MINIMUM, length=64) == ["minimum", "A", "B"]


def test_a_strategy_that_keeps_no_answer_is_not_tried() -> None:
    data = setups.survey(*[[100, 100]] * 5, prompt=80)
    short = setups.strategy("short", model_max_length=64)
    long = setups.strategy("long", model_max_length=256)
    usable = usable_strategies((short, long), setups.fit(length=128), data)
    assert [s.name for s in usable] == ["long"]
