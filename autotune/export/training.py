"""The training that led to a checkpoint, as far as another program needs it to do it again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Checkpoint
from autotune.run.folder import RunDir
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState


@dataclass(frozen=True, slots=True)
class Training:
    """A trial's plan and which of its checkpoints is meant.

    `averaged_steps` are those whose weights that one is the mean of, empty for one step's own.
    `model` is what to begin with: a hub id, or a folder of this machine, which `model_folder` is in
    any case. `data_sha256` is None where the record does not have it. `losses` are the mean losses
    of the steps, by step from 1. `on_cpu` says that it computed on the processor.
    """

    number: int
    plan: TrainPlan
    checkpoint: Checkpoint
    averaged_steps: tuple[int, ...]
    model: str
    model_folder: Path
    data: Path
    data_label: str
    data_sha256: str | None
    drop_prompts: Path | None
    losses: dict[int, float]
    on_cpu: bool = False


def training_of(run: RunDir, state: StudyState, folder: Path) -> Training:
    """The training of the checkpoint in `folder`, which is `best/` or one of a trial.

    Raises:
        BadInput: the run has none there, or its model is not on this machine any more.
    """
    scored = scored_at(run, state, folder)
    if scored is None:
        raise BadInput(
            f"{folder}: the run in {run.root} has no score of it; give the run, or one of its"
            " checkpoints (trials/0000/checkpoints/...)"
        )
    trial = state.trials[scored.number]
    plan = trial.plan
    model_folder = Path(plan.model_folder)
    if not model_folder.is_dir():
        raise BadInput(
            f"model folder {model_folder}: is not there any more, and the run began with it; put it"
            " back"
        )
    surveyed = state.own_surveys.get(plan.strategy)
    label = surveyed.data if surveyed else state.run.data if state.run else ""
    return Training(
        number=trial.number,
        plan=plan,
        checkpoint=scored.checkpoint,
        averaged_steps=_averaged(trial, scored.checkpoint),
        model=_named_model(state, model_folder),
        model_folder=model_folder,
        data=_moved(run, Path(plan.data.path)),
        data_label=label or Path(plan.data.path).name,
        data_sha256=_data_sha256(state, plan),
        drop_prompts=_moved(run, Path(plan.data.drop_prompts)) if plan.data.drop_prompts else None,
        losses=dict(_losses(run, trial.number)),
        on_cpu=state.run is not None and state.run.device_kind == "cpu",
    )


def scored_at(run: RunDir, state: StudyState, folder: Path) -> events.Evaluated | None:
    """What a checkpoint of a run scored; None where the folder is none that has a score."""
    here, best = folder.absolute(), state.best
    if best is not None and here == run.best.absolute():
        return best
    for trial in state.trials:
        for scored in trial.scored:
            if here == run.checkpoint(trial.number, scored.checkpoint).absolute():
                return scored
    return None


def _averaged(trial: TrialState, checkpoint: Checkpoint) -> tuple[int, ...]:
    """The steps of the checkpoints that one is the mean of: the last scored ones of its plan."""
    if not checkpoint.averaged:
        return ()
    return tuple(sorted(trial.plan.checkpoint_steps))[-checkpoint.averaged :]


def _named_model(state: StudyState, folder: Path) -> str:
    """A hub id where the run had its model by one, which other machines know too."""
    from autotune.sources.hub import as_hub_id

    label = state.run.model if state.run else ""
    hub = as_hub_id(label) if "/" in label else None
    return hub.repo if hub is not None and hub.revision is None else str(folder)


def _data_sha256(state: StudyState, plan: TrainPlan) -> str | None:
    if (mixed := state.mixed.get(plan.strategy)) is not None:
        return mixed.sha256
    content = state.content
    if content is None:
        return None
    return next(iter(content.own_data.get(plan.strategy, content.data).values()), None)


def _moved(run: RunDir, path: Path) -> Path:
    """A file that the plan names; where it lay in the run's folder, which moved since, as it is."""
    if path.exists():
        return path
    for at in range(1, len(path.parts)):
        inside = run.root.joinpath(*path.parts[at:])
        if inside.is_file():
            return inside
    return path


def _losses(run: RunDir, number: int) -> Iterator[tuple[int, float]]:
    """The loss of each step of a trial, as it is on record; of a step taken twice the later."""
    current = -1
    for record in run.records():
        if isinstance(record.event, events.TrialStarted):
            current = record.event.number
        elif isinstance(record.event, events.StepDone) and current == number:
            yield record.event.step, record.event.loss
