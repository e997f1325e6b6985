"""What a run does when the weights of all its best checkpoints are lost: train that trial again.

The same plan with the same seed gives the same weights, so nothing has to be searched anew. Pure.
"""

from dataclasses import dataclass
from operator import attrgetter

from autotune.base.errors import EnvironmentFault
from autotune.protocol import events
from autotune.run.folder import RunDir
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.study.next_action import NextAction
from autotune.study.next_trial import Stop


@dataclass(frozen=True, slots=True)
class TrainAgain:
    """Train the plan of this trial once more, as a trial of its own."""

    trial: TrialState


def lost_best(state: StudyState) -> events.Evaluated | None:
    """The best checkpoint whose weights are lost, where no other one has weights; else None."""
    if state.best is not None:
        return None
    lost = [e for t in state.trials for e in t.scored if e.checkpoint.place in t.lost]
    return max(lost, key=attrgetter("rank"), default=None)


def instead_of(action: NextAction, state: StudyState) -> NextAction | TrainAgain:
    """The action, or the training that comes before it because the best weights are lost.

    A trial that met the target is trained again at once, another when the run has nothing else to
    try that would give it a best checkpoint. Each only once: a disk that loses its weights a second
    time would lose them for ever.
    """
    lost = lost_best(state)
    if lost is None or state.current is not None:
        return action
    trial = state.trials[lost.number]
    if trial.repeats is not None or any(t.repeats == trial.number for t in state.trials):
        return action
    return TrainAgain(trial) if lost.met or isinstance(action, Stop) else action


def demand_best(state: StudyState, rundir: RunDir) -> None:
    """End no run as if it had a best checkpoint where all weights are lost.

    Raises:
        EnvironmentFault: they are.
    """
    lost = lost_best(state)
    if lost is None:
        return
    raise EnvironmentFault(
        f"{rundir.checkpoint(lost.number, lost.checkpoint)}: the best checkpoint is lost, so is"
        f" {rundir.best.name}/, and training it again gave no other; put either back from a backup"
        " and run the same command again, or start a new run on another disk with --run-dir"
    )
