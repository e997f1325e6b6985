"""Before a run: what it will write at most, held against what is free on its disk."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autotune import events
from autotune.budget import show_apart, show_size
from autotune.disk import ROOM, WHOLE, Writes, folder_bytes, needed_bytes, sizes_of
from autotune.errors import EnvironmentFault
from autotune.plan import Strategy
from autotune.session import Session
from autotune.setup import Setup

BYTES_A_TOKEN = 8
"""Of an answer in UTF-8 JSON, with escapes: English has about 5, rarer scripts more."""

BYTES_A_PROMPT = 2048
"""Beside the answer's text: the prompt once more, and the verdict on each instruction."""


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """What a run will still write at most, beside what is free."""

    needed_bytes: int
    free_bytes: int

    @property
    def sentence(self) -> str:
        """Both, in words."""
        needed, free = show_size(self.needed_bytes), show_size(self.free_bytes)
        return f"disk: needs {needed} at most, {free} free"


def plan_disk(session: Session, setup: Setup, strategies: Sequence[Strategy]) -> None:
    """Say what the run needs and what is free.

    Raises:
        EnvironmentFault: less is free than the run needs.
    """
    planned = disk_plan(session.rundir.root, setup, strategies)
    if planned is not None:
        session.note(events.Notice(about="disk", sentence=planned.sentence))


def demand_disk(session: Session, setup: Setup) -> None:
    """Refuse a run before its probe, which may take an hour, where there is no room for it after.

    What fits is not known yet, so all strategies are counted, those to fall back on as well: what
    is let through here is not refused for the strategies that are left.

    Raises:
        EnvironmentFault: less is free than the run needs.
    """
    if session.state.fit is None:
        disk_plan(session.rundir.root, setup, setup.profile.strategies)


def disk_plan(root: Path, setup: Setup, strategies: Sequence[Strategy]) -> DiskPlan | None:
    """What is needed and free on the disk of a run folder; None where the model does not tell.

    What the run folder holds already is part of the need, so a run that goes on needs less. A
    model folder that cannot be read is left to the worker, which says what is wrong with it.

    Raises:
        EnvironmentFault: less is free than the run needs.
    """
    sizes = sizes_of(setup.model_folder)
    if sizes is None:
        return None
    whole = needed_bytes(sizes, writes_of(setup, strategies))
    # However much is there, one more save may come.
    needed = max(whole - folder_bytes(root), ROOM * (WHOLE * sizes.weights + sizes.rest))
    free = shutil.disk_usage(root).free
    if free < needed:
        there, most = show_apart(free, needed)
        raise EnvironmentFault(
            f"{root}: {there} free on its disk, the run needs {most} at most; free disk space or"
            " choose another --run-dir, then run the same command again"
        )
    return DiskPlan(needed_bytes=needed, free_bytes=free)


def writes_of(setup: Setup, strategies: Sequence[Strategy]) -> Writes:
    """What these strategies write if all of them are tried to the end."""
    evaluate = setup.profile.evaluate
    answers = sum(len(p.prompt.encode("utf-8")) + BYTES_A_PROMPT for p in setup.prompts)
    answers += len(setup.prompts) * evaluate.max_new_tokens * BYTES_A_TOKEN
    return Writes(
        trials=sum(s.n_trials for s in strategies),
        scored=len(setup.profile.train.checkpoint_fractions),
        averaged=any(s.average_checkpoints for s in strategies),
        answer_bytes=answers,
    )
