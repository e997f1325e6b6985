"""What a run will write at most, and which checkpoints keep their weights after a trial.

The rest are judged and give their room back. What they scored is in the record, and so is that
they are gone, written before they go.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autotune.base.disk import (
    BYTES_A_PROMPT,
    BYTES_A_TOKEN,
    SPARE_SAVES,
    Writes,
    folder_bytes,
    needed_bytes,
    sizes_of,
)
from autotune.base.errors import EnvironmentFault
from autotune.base.files import remove_tree
from autotune.base.manifest import OPTIMIZER, discard, drop_optimizer, sweep
from autotune.base.sizes import show_apart, show_size
from autotune.config.own_data import trained_on
from autotune.protocol import events
from autotune.protocol.choices import SYNTH
from autotune.protocol.plan import Strategy
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.trial_state import TrialState
from autotune.study.best import keep_best


def reconcile_checkpoints(session: Session) -> None:
    """Remove what the trials that are over do not keep; what was begun before is finished."""
    over = [trial for trial in session.state.trials if trial.ended is not None]
    if any(removable_folders(session, trial) for trial in over):
        # Before the next best goes, which it takes should the best be lost.
        keep_best(session)
    for trial in over:
        remove_unneeded(session, trial)


def remove_unneeded(session: Session, trial: TrialState) -> None:
    """Remove the judged checkpoints of a trial that is over, and optimizers that nobody resumes."""
    root = session.rundir.checkpoints(trial.number)
    if not root.is_dir():
        return
    sweep(root)
    for half in root.glob(".*.tmp"):  # nobody goes on with a trial that is over
        remove_tree(half)
    going = removable_folders(session, trial)
    # What only served resuming: between scored checkpoints, and never judged.
    spare = [p for p in unscored_folders(root, trial) if trial.failure is None]
    moments = [p for p in root.glob(f"*/{OPTIMIZER}") if p.parent not in (*going, *spare)]
    new = tuple(p.name for p in (*going, *spare) if p.name not in trial.removed)
    if new:
        freed = sum(folder_bytes(p) for p in (*going, *spare))
        freed += sum(p.stat().st_size for p in moments)
        session.emit(events.CheckpointsRemoved(number=trial.number, names=new, freed_bytes=freed))
    for folder in (*going, *spare):
        discard(folder)
    for path in moments:
        drop_optimizer(path.parent)


def removable_folders(session: Session, trial: TrialState) -> list[Path]:
    """The checkpoints on disk that have a score and are not the best of their trial.

    What is left of one that was lost stays as it is: somebody may mend it.
    """
    best, root = trial.best, session.rundir.checkpoints(trial.number)
    folders = (
        root / e.checkpoint.name
        for e in trial.scored
        if best is not None
        and e.checkpoint != best.checkpoint
        and e.checkpoint.place not in trial.lost
    )
    return [folder for folder in folders if folder.is_dir()]


def unscored_folders(root: Path, trial: TrialState) -> Iterator[Path]:
    """The checkpoints on disk that were saved for resuming only."""
    scored = {c.name for c in trial.checkpoints.values()}
    return (p for p in sorted(root.glob("step-*")) if p.name not in scored)


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


def plan_disk(
    session: Session, setup: Setup, strategies: Sequence[Strategy], trials: int | None = None
) -> None:
    """Say what the run needs and what is free; `trials` as in `disk_plan`.

    Raises:
        EnvironmentFault: less is free than the run needs.
    """
    planned = disk_plan(session.rundir.root, setup, strategies, trials)
    if planned is not None:
        session.emit(events.Notice(about="disk", sentence=planned.sentence))


def demand_disk(session: Session, setup: Setup) -> None:
    """Refuse a run before its probe, which may take an hour, where there is no room for it after.

    What fits is not known yet, so all strategies are counted, those to fall back on as well: what
    is let through here is not refused for the strategies that are left.

    Raises:
        EnvironmentFault: less is free than the run needs.
    """
    if session.state.fit is None:
        disk_plan(session.rundir.root, setup, setup.profile.tried)


def disk_plan(
    root: Path, setup: Setup, strategies: Sequence[Strategy], trials: int | None = None
) -> DiskPlan | None:
    """What is needed and free on the disk of a run folder; None where the model does not show it.

    What the run folder holds already is part of the need, so a run that resumes needs less; it
    need not be there yet. `trials` is how many there are in all, where that is known better. A
    model folder that cannot be read is left to the worker, which says what is wrong with it.

    Raises:
        EnvironmentFault: less is free than the run needs.
    """
    sizes = sizes_of(setup.model_folder)
    if sizes is None:
        return None
    writes = writes_of(setup, strategies)
    if trials is not None:
        writes = replace(writes, trials=max(1, trials))
    whole = needed_bytes(sizes, writes)
    # However much is there, one more save may come.
    needed = max(whole - folder_bytes(root), SPARE_SAVES * sizes.whole)
    there_is = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there_is).free
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
        data_bytes=made_data_bytes(setup),
    )


def made_data_bytes(setup: Setup) -> int:
    """What practice data and mixtures take at most; of packed data as much as is packed."""
    choice, strategies = setup.profile.synth, trained_on(setup.profile)
    each = BYTES_A_PROMPT + choice.max_new_tokens * BYTES_A_TOKEN
    prompts = choice.tasks * choice.variants
    chats = min(prompts, choice.max_conversations or prompts) * each
    practice = choice.tasks * choice.samples * each + prompts * BYTES_A_PROMPT + chats
    whole = practice if any(s.data == SYNTH for s in strategies) else 0
    for strategy in strategies:
        if strategy.mix is not None and strategy.mix < 1:
            own = setup.own_data.get(strategy.name)
            mine = chats if own is None else _file_bytes(own.source.path)
            whole += mine + _file_bytes(setup.run_data.source.path)
    return whole


def _file_bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
