"""What is known of how a model was chosen, where it is the best of a run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autotune.base.errors import EnvironmentFault
from autotune.cli.find_answers import judged_by, run_whose_best
from autotune.run.readings import Readings
from autotune.score.evaluation import Evaluation
from autotune.score.prompts import Prompt, written_prompts


def with_choice(
    found: Evaluation, model: Path, prompts: Sequence[Prompt], readings: Readings | None = None
) -> Evaluation:
    """The evaluation with what is known of the choice, where the model is the best of a run."""
    try:
        known = run_whose_best(model, readings or Readings())
        if known is None:
            return found
        run, state, _ = known
        # The luck of the choice was worked out on the run's own prompts, and is other on others; so
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
