"""A training plan in words: briefly as it begins, and whole."""

from autotune.base.format import counted, rate_text
from autotune.protocol.plan import TrainPlan
from autotune.protocol.result_text import shape_rounds
from autotune.protocol.results import Checkpoint


def brief_plan(plan: TrainPlan) -> str:
    """What the record's line says: `lr 4e-5, 1024 x 6 rounds, 12 steps of 8 conversations`."""
    steps = counted(plan.total_steps, "step")
    return (
        f"lr {rate_text(plan.learning_rate)},"
        f" {shape_rounds(plan.model_max_length, plan.max_rounds)},"
        f" {steps} of {counted(plan.batch_size, 'conversation')}"
    )


def step_text(plan: TrainPlan, checkpoint: Checkpoint) -> str:
    """Where in its training a checkpoint is: `7 of 8 steps`."""
    return f"{checkpoint.step} of {counted(plan.total_steps, 'step')}"


def whole_plan(plan: TrainPlan) -> str:
    """All that a report says of it."""
    held_out = f" ({plan.held_out} more are held out)" if plan.held_out else ""
    alpha = plan.neftune_noise_alpha
    noise = f" NEFTune alpha {alpha:g}," if alpha else ""
    return (
        f"{counted(plan.num_train_epochs, 'epoch')} of"
        f" {counted(plan.conversations, 'conversation')}{held_out}, batch {plan.batch_size}, lr"
        f" {rate_text(plan.learning_rate)} {plan.lr_scheduler_type}, warm-up {plan.warmup_ratio},"
        f" weight decay {plan.weight_decay},{noise} {plan.precision}, seed {plan.seed}, supervision"
        f" {plan.data.supervision}"
    )
