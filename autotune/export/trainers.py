"""`--to trl|axolotl|llamafactory|script`: a folder to do the winning training again from."""

from collections.abc import Callable, Sequence
from pathlib import Path

from autotune.base.files import write_text_atomic
from autotune.base.format import counted
from autotune.export.chats import CHATS, write_chats
from autotune.export.configs import COMMAND, CONFIG, INSTALL, Trainer, config_of
from autotune.export.script import SCRIPT, write_script
from autotune.export.training import Training
from autotune.export.yaml_text import yaml_text
from autotune.launch import TrialRunner
from autotune.text.training_plan import step_text, whole_plan

README = "README.md"


def export_script(
    training: Training, work: Path, say: Callable[[str], None], runner: TrialRunner | None = None
) -> None:
    """The script and what it reads, in `work`."""
    chats = write_chats(training, work, say, runner)
    write_script(training, chats, work)
    notes = [
        "It takes the run's conversations in the run's order, so on the same kind of device the"
        " losses are the run's but for rounding: `python train.py --steps 3` shows both.",
        f"{counted(len(chats.exact), 'conversation')} of {chats.conversations} stand in"
        " `exact_rows.json` as token ids, because a plain reading of their text would not give"
        " what the run trained on.",
    ]
    if training.plan.neftune_noise_alpha:
        notes.append("The noise on the embeddings is drawn otherwise: losses are near, not equal.")
    write_text_atomic(
        work / README,
        readme("one script", training, f"python {SCRIPT}", "torch and transformers", notes),
    )


def export_config(
    trainer: Trainer,
    training: Training,
    work: Path,
    say: Callable[[str], None],
    runner: TrialRunner | None = None,
) -> None:
    """The trainer's configuration and what it reads, in `work`."""
    chats = write_chats(training, work, say, runner)
    config = config_of(trainer, training, chats)
    about = f"Trains as trial {training.number} of the run did; in this folder:\n{COMMAND[trainer]}"
    write_text_atomic(work / CONFIG[trainer], yaml_text(config.settings, about))
    for name, text in config.files.items():
        write_text_atomic(work / name, text)
    text = readme(trainer, training, COMMAND[trainer], f"`{INSTALL[trainer]}`", config.differences)
    write_text_atomic(work / README, text)


def readme(kind: str, training: Training, command: str, needs: str, notes: Sequence[str]) -> str:
    """What lies here, how it is used, and what will not be as in the run."""
    listed = "\n".join(f"- {note}" for note in notes)
    return (
        f"# The winning training for {kind}\n\n"
        f"Trial {training.number}, strategy {training.plan.strategy}:"
        f" {whole_plan(training.plan)}. The run's best is its checkpoint after"
        f" {step_text(training.plan, training.checkpoint)}.\n\n"
        f"It needs {needs}. In this folder: `{command}`\n\n"
        f"`{CHATS}` holds the conversations that were trained on ({training.data_label}), one a"
        f" line. The model to begin with is `{training.model}`.\n\n"
        f"## What to know\n\n{listed}\n"
    )
