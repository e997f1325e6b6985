"""What an export of a training has in common: its conversations, and what was found of them."""

from collections.abc import Callable
from pathlib import Path

from autotune.export.job import run_job
from autotune.export.training import Training
from autotune.launch import TrialRunner
from autotune.protocol.export_jobs import TrainedChats, TrainedChatsJob
from autotune.protocol.job import on_the_computer

CHATS = "chats.jsonl"


def write_chats(
    training: Training,
    work: Path,
    say: Callable[[str], None],
    runner: TrialRunner | None = None,
) -> TrainedChats:
    """Write the conversations that were trained on into `work`, one a line.

    Raises:
        BadInput: the data is not there any more, or is other data.
        EnvironmentFault: the worker could not do it.
    """

    def job(found: Path) -> TrainedChatsJob:
        drop = training.drop_prompts
        return TrainedChatsJob(
            device=on_the_computer(),
            plan=training.plan,
            model_folder=str(training.model_folder),
            data_path=str(training.data),
            drop_prompts=str(drop) if drop else None,
            data_sha256=training.data_sha256,
            out=str(work / CHATS),
            found=str(found),
        )

    what = f"the data of trial {training.number}"
    return TrainedChats.model_validate_json(run_job(job, what, say, runner))
