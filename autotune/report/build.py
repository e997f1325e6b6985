"""A report is a fold of a run's records: nothing is measured, scored or decided here."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.data.retention_notes import fit_notes
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.gain import Gain
from autotune.protocol.kernels import kernels_sentence
from autotune.protocol.scores import Metric
from autotune.report.by_instruction import instruction_scores
from autotune.report.data_table import data_notes, data_used
from autotune.report.examples import examples_of
from autotune.report.fit_reasons import fit_reasons
from autotune.report.loss_chart import epoch_means
from autotune.report.practice import kinds_scores, practice_reports
from autotune.report.reproduction import commands, environment, hashes, seeds_of, steps_again
from autotune.report.schema import Escalation, Moment, Report
from autotune.report.score_schema import BaselineReport, BestGain, CheckpointScore, FullScore
from autotune.report.trial_schema import HeldOutPoint, LossPoint, TimeSpent, TrialReport
from autotune.run.folder import RunDir
from autotune.run.history import RunHistory, history_of
from autotune.run.kept_scores import before_and_after_scores
from autotune.run.machine import PROGRAM
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.run.trial_summary import point_of, value_of
from autotune.score.gain import improvement
from autotune.text.conclusions import beaten_by, conclusions, next_steps, outcome
from autotune.text.events import describe, trial_verdict
from autotune.text.gain import gain_of_best
from autotune.text.score import outcome_text, partial_text
from autotune.text.training_events import (
    advice_lines,
    damaged_sentence,
    lost_sentence,
    precision_sentence,
    repeats_sentence,
    resized_sentence,
)


def build_report(records: Iterable[Record], run_dir: Path) -> Report:
    """The report of these records; see `report_of`."""
    return report_of(history_of(records), run_dir)


def report_of(history: RunHistory, run_dir: Path) -> Report:
    """The report of what a run's record says, whether the run is over or not.

    The answers of examples and the counts by instruction are read from the run's folder, where they
    are there.

    Raises:
        BadInput: no run has begun in them.
    """
    state, without_steps = history.state, history.without_steps
    run, first, last = state.run, history.first, history.last
    if run is None or first is None or last is None:
        raise BadInput(
            f"{run_dir}: no run has begun here, so there is nothing to report; start one with"
            " smolsft-autotune run"
        )
    best = state.best
    met = state.ended.met if state.ended else best is not None and best.met
    sentences = conclusions(state, RunDir(run_dir))
    starts = [r.event for r in without_steps if isinstance(r.event, events.RunStarted)]
    asked, machine = commands(starts), environment(starts)
    versions = _versions(without_steps, machine)
    kept = before_and_after_scores(state, RunDir(run_dir))
    return Report.from_parts(
        run,
        met=met,
        status="unfinished" if state.ended is None else "met" if met else "below target",
        reason=state.ended.reason if state.ended else outcome(state)[0],
        strategy=_strategy(state),
        best=_score(best) if best is not None else None,
        best_in_full=_in_full(state),
        chosen_among=state.scored_checkpoints,
        corrected=state.corrected,
        beaten_by_echo=beaten_by(state) is not None,
        gain=_gain(state),
        baselines=_baselines(state.baselines),
        spot_checks=state.spot_checks,
        practice=practice_reports(state),
        kinds=kinds_scores(state),
        trials=tuple(_trial(trial, state) for trial in state.trials),
        study=state.total,
        escalations=tuple(map(Escalation.from_parts, state.escalations)),
        importances=state.importances.shares if state.importances else {},
        fit=state.fit,
        started=first,
        last_record=last,
        seconds=max(0.0, last - first),
        conclusions=tuple(sentences),
        next_steps=tuple(next_steps(state, run_dir)),
        warnings=_warnings(without_steps),
        data_notes=(*data_notes(state), *fit_notes(state.fit)),
        advice=tuple(advice_lines(state)),
        timeline=tuple(
            Moment(time=record.time, text=text)
            for record in without_steps
            if (text := describe(record, state)) is not None
        ),
        events=dict(sorted(history.kinds.items())),
        versions=versions,
        attention=_attention(without_steps, state),
        command=asked[0] if asked else "",
        later_commands=asked[1:],
        environment=machine,
        seeds=seeds_of(starts, state),
        hashes=hashes(state),
        reproduce=steps_again(path_text(run_dir), run.target, machine, versions),
        time_split=history.time_split.until(last),
        time_notes=tuple(
            record.event.sentence
            for record in without_steps
            if isinstance(record.event, events.Notice) and record.event.about == "kept_answers"
        ),
        data_used=data_used(state),
        fit_reasons=fit_reasons(state.fit),
        by_instruction=instruction_scores(state, *kept),
        examples=examples_of(state, RunDir(run_dir), *kept),
        run_dir=path_text(run_dir),
    )


def path_text(path: Path) -> str:
    """A path as valid Unicode: bytes that are none (possible in Linux names) are spelled out."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _strategy(state: StudyState) -> str | None:
    """The strategy of the best checkpoint, else the one being tried."""
    best = state.best
    if best is None:
        return state.strategy
    return next((t.plan.strategy for t in state.trials if t.number == best.number), state.strategy)


def _score(event: events.Evaluated, kept: bool = True, lost: bool = False) -> CheckpointScore:
    at, strict = event.checkpoint, event.score
    return CheckpointScore.from_parts(
        event,
        at,
        checkpoint=at.folder,
        **_counts(strict),
        kept=kept,
        lost=lost,
        outcome=outcome_text(event),
        ended_early=partial_text(strict, event.partial) if strict and event.partial else None,
    )


def _in_full(state: StudyState) -> FullScore | None:
    """The best on all prompts, and the baselines there."""
    event, beside = state.best_in_full, state.beside_best_in_full
    if event is None:
        return None
    gain = next((b.gain for b in beside.values() if b.gain is not None), None)
    return FullScore.from_parts(
        event,
        **_counts(event.score),
        gain=None if gain is None else _judged(gain),
        baselines=_baselines(beside),
    )


def _judged(gain: Gain) -> BestGain:
    return BestGain.from_parts(gain, verdict=improvement(gain))


def _baselines(
    scored: Mapping[str, events.BaselineScored | events.BaselineInFull],
) -> dict[str, BaselineReport]:
    return {
        name: BaselineReport.from_parts(event, **_counts(event.score))
        for name, event in sorted(scored.items())
    }


def _gain(state: StudyState) -> BestGain | None:
    gain = gain_of_best(state)
    return None if gain is None else _judged(gain)


def _counts(score: Metric | None) -> dict[str, float | int | None]:
    """A score as the report names its parts; None each where there is none."""
    if score is None:
        return dict.fromkeys(("strict", "passes", "n"))
    return {"strict": score.accuracy, "passes": score.passes, "n": score.total}


def _trial(trial: TrialState, state: StudyState) -> TrialReport:
    plan, last, trained = trial.plan, trial.last_step, trial.trained
    own = state.own_surveys.get(plan.strategy)
    curve = tuple(LossPoint.from_parts(step) for step in trial.steps)
    return TrialReport.from_parts(
        plan,
        number=trial.number,
        verdict=trial_verdict(trial),
        step=last.step if last else 0,
        final_loss=last.loss if last else None,
        skipped_steps=trained.skipped_steps if trained else None,
        weights_moved=trained.weights_moved if trained else None,
        training_seconds=trained.seconds if trained else None,
        failure=trial.failure,
        data=own.data if own else None,
        plan=plan,
        plan_identity=plan.identity,
        checkpoints=tuple(
            _score(
                e,
                kept=e.checkpoint.name not in trial.removed and place not in trial.lost,
                lost=place in trial.lost,
            )
            for place, e in sorted(trial.evaluations.items())
        ),
        loss_curve=curve,
        epoch_losses=epoch_means(curve, plan.steps_per_epoch),
        held_out=tuple(HeldOutPoint.from_parts(e) for _, e in sorted(trial.held_out.items())),
        pruned=trial.pruned.reason if trial.pruned else None,
        expected=trial.expected,
        took=TimeSpent.from_parts(trial.clock),
        point=dict(point_of(trial)),
        value=value_of(trial),
    )


def _warnings(records: Sequence[Record]) -> tuple[str, ...]:
    """What was warned of and what a training had to change, each once, in order."""
    sentences: dict[str, None] = {}
    for record in records:
        match record.event:
            case events.Warned() as event:
                sentences[event.message] = None
            case events.MicroBatchResized() as event:
                sentences[resized_sentence(event)] = None
            case events.CheckpointDamaged() as event:
                sentences[f"trial {event.number}: {damaged_sentence(event)}"] = None
            case events.BestLost() as event:
                sentences[f"trial {event.number}: {lost_sentence(event)}"] = None
            case events.TrialStarted(repeats=int()) as event:
                sentences[f"trial {event.number}: {repeats_sentence(event)}"] = None
            case events.PrecisionChanged() as event:
                sentences[precision_sentence(event)] = None
            case events.TrainingPruned() as event:
                sentences[f"trial {event.number}: training ended: {event.reason}"] = None
            case _:
                pass
    return tuple(sentences)


def _attention(records: Sequence[Record], state: StudyState) -> str | None:
    """The kernel that the accepted trial attended by, else what the last worker found there."""
    if state.fit is not None and state.fit.attention is not None:
        return state.fit.attention.words
    found = [r.event.attention for r in records if isinstance(r.event, events.Ready)]
    return next((kernels_sentence(f) for f in reversed(found) if f is not None), None)


def _versions(records: Sequence[Record], machine: Mapping[str, str]) -> dict[str, str]:
    """Of the libraries that computed, as the workers reported them; several where they changed.

    Of the tool itself as the run wrote it down: what makes the report may be another version.
    """
    seen: dict[str, dict[str, None]] = {"torch": {}, "transformers": {}}
    for record in records:
        if isinstance(record.event, events.Ready):
            if record.event.torch:
                seen["torch"][record.event.torch] = None
            seen["transformers"][record.event.transformers] = None
    versions = {name: ", ".join(found) for name, found in seen.items() if found}
    return versions | {name: text for name, text in machine.items() if name == PROGRAM}
