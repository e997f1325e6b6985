"""The score of a run's best on more prompts than the run asked, put into the run's own report."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from autotune.base.errors import EnvironmentFault
from autotune.base.manifest import entries_of, weights_in
from autotune.cli.find_answers import judged_by, run_of_best
from autotune.cli.run import save_report
from autotune.config.profile import Profile
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.run.folder import RunDir
from autotune.run.record_cache import RecordCache
from autotune.run.session import Session
from autotune.run.state import StudyState
from autotune.score.evaluation import Evaluation
from autotune.score.prompts import Prompt, written_prompts
from autotune.study.best import is_current_copy
from autotune.study.in_full import baseline_in_full, best_in_full
from autotune.study.model_card import write_card


def emit_full_score(
    found: Evaluation,
    model: Path,
    prompts: Sequence[Prompt],
    label: str,
    profile: Profile,
    say: Callable[[str], None],
    record_cache: RecordCache | None = None,
) -> None:
    """Record the score in the run whose best `model` is, and write the run's report again.

    Only a score on all prompts of a source, and at least as many as the run's own; `label` names
    them. Weights that are not those which the run scored have no place there, nor has a score of
    another text of the answers; both are said.
    """
    if profile.prompts.limit != "all":
        return
    record_cache = record_cache or RecordCache()
    try:
        known = run_of_best(model, record_cache)
        if known is None:
            return
        run, state, best = known
        asked = {prompt.key: prompt.prompt for prompt in written_prompts(run.prompts, Prompt)}
        now = {prompt.key: prompt.prompt for prompt in prompts}
        if asked == now or len(now) < len(asked):
            return
        if found.report.think is not (judges := judged_by(run)):
            say(
                f"this score does not join the report of {run.root}: it was judged with --think"
                f" {found.report.think}, the run's own with --think {judges}; give that to join it"
            )
            return
        weights = weights_in(model)
        if not weights or not are_scored_weights(weights, run, state, best):
            say(
                f"this score does not join the report of {run.root}: the weights in {model} are not"
                " known to be those that the run scored"
            )
            return
        with RunDir(run.root) as rundir:
            session = Session(rundir, SubprocessRunner(), history=record_cache.of(rundir))
            event = best_in_full(
                session,
                found.report,
                best,
                weights=weights,
                prompts=label,
                scorer=found.scorer.name,
                max_new_tokens=profile.evaluate.max_new_tokens,
                unhealthy=found.unhealthy,
                counts=found.counts,
            )
            session.emit(event)
            for name, report in found.baselines.items():
                session.emit(baseline_in_full(name, report, event))
            save_report(session)
            write_card(session)
    except EnvironmentFault as fault:
        say(f"this score does not join the report of its run: {fault}")
        return
    say(f"this score stands in the report of the run as well: {run.root / 'report.html'}")


def are_scored_weights(
    weights: Mapping[str, str], run: RunDir, state: StudyState, best: events.Evaluated
) -> bool:
    """Whether weights, by name and sha256, are those of the best checkpoint that the run scored.

    Where the checkpoint is gone, `best/` is it, if it is the copy that the record knows.
    """
    sealed = entries_of(run.checkpoint(best.number, best.checkpoint))
    if sealed is None and is_current_copy(run, state, best):
        sealed = entries_of(run.best)
    digests = {n: e.get("sha256") for n, e in (sealed or {}).items() if isinstance(e, dict)}
    return all(digests.get(name) == sha256 for name, sha256 in weights.items())
