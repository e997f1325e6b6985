"""Which answers a run is at by its state: the file that they go to, and how many there will be.

For those who only look: how many there are is not on record.
"""

from dataclasses import dataclass
from pathlib import Path

from autotune.protocol import events
from autotune.run.answering import RESPONSES
from autotune.run.folder import EVALUATED, RunDir
from autotune.run.state import StudyState


@dataclass(frozen=True, slots=True)
class AnswersOfNow:
    """The file of answers; `total` of them, or as many as a file of prompts has lines.

    `finished` where answers that were cut short before are taken to their end.
    """

    place: Path
    total: int | Path
    finished: bool = False


def answers_of_now(state: StudyState, rundir: RunDir) -> AnswersOfNow | None:
    """The answers that are made now, None where none are."""
    if state.ended is not None:
        return None
    if (practice := state.in_practice) is not None:
        return AnswersOfNow(rundir.practice_folder(practice.name) / RESPONSES, practice.answers)
    run, trial = state.run, state.current
    if run is None:
        return AnswersOfNow(rundir.eval_folder(EVALUATED) / RESPONSES, rundir.prompts)
    if state.fit is None or not run.target:
        return None
    if trial is None:
        return _between_trials(state, rundir, run)
    if trial.is_training:
        return None
    if trial.unscored:
        place = rundir.checkpoint_eval(trial.number, trial.unscored[0])
        return AnswersOfNow(place / RESPONSES, run.prompt_count)
    best = state.best
    if best is None or not best.partial or best.number != trial.number:
        return None
    place = rundir.checkpoint_eval(best.number, best.checkpoint)
    return AnswersOfNow(place / RESPONSES, run.prompt_count, finished=True)


def _between_trials(
    state: StudyState, rundir: RunDir, run: events.RunStarted
) -> AnswersOfNow | None:
    best = state.best
    of_best = None if best is None else (best.number, best.checkpoint)
    if state.scores_in_full:
        place = rundir.full_eval(of_best if state.best_in_full is None else None)
        return AnswersOfNow(place / RESPONSES, rundir.all_prompts)
    if "untrained" not in state.baselines:
        return AnswersOfNow(rundir.eval_folder("untrained") / RESPONSES, run.prompt_count)
    checked = rundir.spot_check_eval(of_best if "untrained" in state.spot_checks else None)
    return AnswersOfNow(checked / RESPONSES, rundir.spot_check)
