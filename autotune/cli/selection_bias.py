"""What is known of how a model was chosen, where it is the best of a run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autotune.base.errors import EnvironmentFault
from autotune.cli.find_answers import judged_by, run_of_best
from autotune.run.record_cache import RecordCache
from autotune.score.evaluation import Evaluation
from autotune.score.prompts import Prompt, written_prompts


def with_selection_bias(
    found: Evaluation,
    model: Path,
    prompts: Sequence[Prompt],
    record_cache: RecordCache | None = None,
) -> Evaluation:
    """The evaluation with what is known of the choice, where the model is the best of a run."""
    try:
        known = run_of_best(model, record_cache or RecordCache())
        if known is None:
            return found
        run, state, _ = known
        # The selection bias was estimated on the run's own prompts, and is another on others; so
        # it is where another text of the answers was judged.
        same = found.report.think is judged_by(run) and {
            p.key: p.prompt for p in written_prompts(run.prompts, Prompt)
        } == {p.key: p.prompt for p in prompts}
    except EnvironmentFault:  # the run's record is damaged, which takes nothing from the score
        return found
    return replace(
        found,
        chosen_among=state.scored_checkpoints,
        corrected=state.corrected if same else None,
    )
