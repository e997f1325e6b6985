"""`--to script`: one file of plain torch and transformers that trains as the run did."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from autotune.base.files import write_text_atomic
from autotune.export.training import Training
from autotune.protocol.export_jobs import TrainedChats

SCRIPT = "train.py"


def write_script(training: Training, chats: TrainedChats, work: Path) -> None:
    """Write the script, the rows that it would read otherwise, and the run's losses."""
    template = resources.files("autotune.export").joinpath("templates/train.py.txt")
    text = template.read_text(encoding="utf-8").replace("@@SETTINGS@@", settings(training, chats))
    write_text_atomic(work / SCRIPT, text)
    exact = {at: [list(row.input_ids), list(row.labels)] for at, row in chats.exact.items()}
    write_text_atomic(work / "exact_rows.json", json.dumps(exact) + "\n")
    write_text_atomic(work / "losses.json", json.dumps(training.losses, indent=1) + "\n")


def settings(training: Training, chats: TrainedChats) -> str:
    """The run's settings as assignments in Python, each with what it is."""
    plan = training.plan
    return "\n".join(
        f"{name} = {value!r}{f'  # {about}' if about else ''}"
        for name, value, about in _named(training, chats)
    ) + (
        f"\n# trial {training.number}, strategy {plan.strategy!r}; digest of the plan"
        f" {plan.identity}"
    )


def _named(training: Training, chats: TrainedChats) -> list[tuple[str, Any, str]]:
    plan = training.plan
    return [
        ("MODEL", training.model, "a folder or a hub id"),
        ("CONVERSATIONS", chats.conversations, ""),
        ("SUPERVISION", plan.data.supervision.value, "which tokens are learned: see encode"),
        ("TRUNCATION", plan.data.truncation.value, "the side of a long conversation that goes"),
        ("MODEL_MAX_LENGTH", plan.model_max_length, "tokens"),
        ("BATCH_SIZE", plan.batch_size, "conversations in a step"),
        ("NUM_TRAIN_EPOCHS", plan.num_train_epochs, ""),
        ("TOTAL_STEPS", plan.total_steps, "of the whole training: the schedule ends here"),
        (
            "LAST_STEP",
            training.checkpoint.step,
            "the run's best is after this step; no more is taken",
        ),
        ("AVERAGED_STEPS", list(training.averaged_steps), "its weights are the mean of these"),
        ("LEARNING_RATE", plan.learning_rate, ""),
        ("LR_SCHEDULER_TYPE", plan.lr_scheduler_type, ""),
        ("WARMUP_STEPS", plan.warmup_steps, ""),
        ("WEIGHT_DECAY", plan.weight_decay, ""),
        ("MAX_GRAD_NORM", plan.max_grad_norm, "gradients are clipped to it"),
        ("NEFTUNE_NOISE_ALPHA", plan.neftune_noise_alpha, "0: no noise"),
        ("PRECISION", plan.precision.value, "of the arithmetic; weights are fp32"),
        ("MICRO_BATCH_TOKENS", plan.micro_batch_tokens, "lower it where memory is short"),
        ("GRADIENT_CHECKPOINTING", plan.gradient_checkpointing, "less memory, more time"),
        ("SEED", plan.seed, ""),
        ("STOP_IDS", list(chats.stop_ids), "tokens that end an answer"),
        ("PAD_TOKEN_ID", chats.pad_token_id, ""),
        ("CHAT_TEMPLATE", chats.chat_template, ""),
    ]
