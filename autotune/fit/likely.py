"""How long a plan's answering is likely to take where nobody has answered yet: an estimate.

`fit.expected` then counts every answer as long as it may be. That bounds the time; of real answers
many end earlier, prompts are shorter than the context that a probe fills, and so is what stands
before an answer's average token.
"""

from statistics import fmean

from autotune.fit.answer_lengths import TRAINED, UNTRAINED, expected_share
from autotune.fit.expected import accepted_measurement, evaluation_seconds, start_seconds
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.results import Fit
from autotune.run.setup import Setup
from autotune.run.state import StudyState

TEXT_CHARACTERS = 4
"""Characters of a token of English prose, on average."""

HALF_FULL = 0.5
"""Of the time of a token behind the longest context, which a probe measures: answers begin with
hardly any, and most of that time is spent on attending to what stands before."""


def likely_untrained(state: StudyState, setup: Setup, fit: Fit, *, measured: bool) -> float:
    """Seconds until the untrained model has answered all prompts."""
    most, at_most = evaluation_seconds(state, setup, fit)
    return min(most, _answering(setup, fit, UNTRAINED, measured)) if at_most else most


def likely(
    bound: TrialEstimate, evaluations: int, setup: Setup, fit: Fit, *, measured: bool
) -> TrialEstimate:
    """A trial's time, of which `bound` is the most where it says so; else that itself."""
    if not bound.at_most:
        return bound
    scoring = evaluations * _answering(setup, fit, TRAINED, measured)
    return bound.model_copy(
        update={"scoring_seconds": min(bound.scoring_seconds, scoring), "at_most": False}
    )


def prompt_tokens(setup: Setup) -> float:
    """Tokens of a prompt on average."""
    return fmean(len(each.prompt) for each in setup.prompts) / TEXT_CHARACTERS


def _answering(setup: Setup, fit: Fit, unended: float, measured: bool) -> float:
    """Seconds of one evaluation; by a probe where one `measured`, else by the assumed rate."""
    measurement = accepted_measurement(fit)
    if measurement is None:
        return 0.0
    cap = setup.profile.evaluate.max_new_tokens
    read = min(1.0, prompt_tokens(setup) / setup.evaluation_context)
    token = measurement.token_seconds * (HALF_FULL if measured else 1.0)
    each = read * measurement.prefill_seconds + cap * expected_share(cap, unended) * token
    # A finished answer's place is taken by the next prompt, so the last batch need not be full.
    return start_seconds(fit) + len(setup.prompts) / setup.evaluation_rows * each
