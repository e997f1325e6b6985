"""One checkpoint of a trial: its score, or why it is not worth a whole one."""

from pathlib import Path

from autotune.protocol import events
from autotune.protocol.choices import Think
from autotune.protocol.gain import Gain
from autotune.protocol.results import Checkpoint, EvalReport
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.trial_state import TrialState
from autotune.score.gain import gain_of
from autotune.score.health import broken_limits, unmet
from autotune.score.lift import counts_for
from autotune.score.prompt_order import shuffled
from autotune.score.report_check import EvaluationFailed
from autotune.score.scorer import Scorer
from autotune.score.stats import wilson
from autotune.score.stopping.stop_rule import StoppedEvaluation, StopRule, read_verdicts
from autotune.study.answer import answer_and_score, answer_early, choosing_report
from autotune.study.held_out_kinds import kinds_of
from autotune.study.next_action import Evaluate
from autotune.study.precision import as_trained

MIN_PROMPTS = 32
"""Prompts from which on early decisions are made. The best checkpoint is answered in two workers
then, and starting one takes about as long as so many short answers; and of few prompts most are
needed to decide anything: without a single pass, 25 % is out of reach after 12 of 24, 16 of 48 and
23 of 541."""


def evaluate_checkpoint(
    session: Session, setup: Setup, scorer: Scorer, action: Evaluate, target: float
) -> events.Evaluated:
    """Score the action's checkpoint; a failure is an event with its `problem`.

    It answers in the precision that it was trained in.
    """
    trial, checkpoint = action.trial, action.checkpoint
    setup = as_trained(setup, trial)
    folder = session.rundir.checkpoint(trial.number, checkpoint)
    where = session.rundir.checkpoint_eval(trial.number, checkpoint)
    try:
        if action.full or is_only_one(trial) or not decides_early(setup, scorer):
            found = answer_and_score(session, setup, scorer, folder, where)
        else:
            rule = StopRule(shuffled(setup.prompts, setup.profile.prompts.seed), target)
            early = answer_early(session, setup, scorer, folder, where, rule)
            if isinstance(early, StoppedEvaluation):
                return ended_early(trial.number, checkpoint, early)
            found = early
        chosen_by = choosing_report(setup, scorer, where)
    except EvaluationFailed as error:
        return events.Evaluated.without_score(
            trial.number, checkpoint, f"evaluation failed: {error}"
        )
    evaluate = setup.profile.evaluate
    scored = events.Evaluated.from_parts(
        found,
        number=trial.number,
        checkpoint=checkpoint,
        met=False,
        unhealthy=broken_limits(found.health, evaluate.health),
        counts=counts_for(found, evaluate.score_per_lift),
        unmet=unmet(found.health, evaluate.require, found.answered, found.score.passes),
        chosen_by=chosen_by.score if chosen_by is not None else None,
        chosen_counts=counts_for(chosen_by, evaluate.score_per_lift) if chosen_by else None,
        gain=gain_on_untrained(session, setup, found, where),
        kinds=kinds_of(session.state, found),
    )
    return scored.model_copy(update={"met": scored.meets(target)})


def gain_on_untrained(
    session: Session, setup: Setup, found: EvalReport, where: Path
) -> Gain | None:
    """A checkpoint's report, whose verdicts are in `where`, held against the untrained model's."""
    before = session.state.baselines.get("untrained")
    if before is None:
        return None
    per_lift = setup.profile.evaluate.score_per_lift
    untrained = read_verdicts(session.rundir.eval_folder("untrained"))
    return gain_of(
        counts_for(before, per_lift), counts_for(found, per_lift), untrained, read_verdicts(where)
    )


def is_only_one(trial: TrialState) -> bool:
    """Whether a trial has no other checkpoint to choose from, now or later.

    Such a one is its best whatever it scores, so it would be answered to its end all the same, by
    a second worker that has to load it.
    """
    left = trial.is_training or trial.checkpoints_to_average
    return len(trial.checkpoints) == 1 and not left


def decides_early(setup: Setup, scorer: Scorer) -> bool:
    """Whether checkpoints may be judged by less than all finished answers.

    Not with a holdout: there one half of the prompts chooses and the other is reported. Nor where
    thoughts are left out: until an answer is finished, all of it may turn out to be one.
    """
    evaluate = setup.profile.evaluate
    return (
        evaluate.early
        and not evaluate.holdout
        and evaluate.think is Think.KEEP
        and scorer.decides_early
        and len(setup.prompts) >= MIN_PROMPTS
    )


def ended_early(
    number: int, checkpoint: Checkpoint, stopped: StoppedEvaluation
) -> events.Evaluated:
    """The event of a checkpoint that was stopped."""
    score = stopped.score
    return events.Evaluated.ended_early(
        number, checkpoint, score, wilson(score.passes, score.total), stopped.partial
    )
