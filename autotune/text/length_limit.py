"""What ends the search for a longer length: memory, the data, or the model and the profile."""

from dataclasses import dataclass

from autotune.protocol.results import Fit, TrialOutcome, Verdict


@dataclass(frozen=True, slots=True)
class LengthLimit:
    """Of a length that fits: the next longer one that was tried and did not, if there was one.

    `whole_row` is the longest conversation in tokens where every one is whole at this length, so
    that no longer one is needed. Where both are None, model and profile allow no more.
    """

    failed: TrialOutcome | None = None
    whole_row: int | None = None


def length_limit(fit: Fit) -> LengthLimit:
    """What stands above the length that fits, by the probe's trials."""
    length = fit.model_max_length
    longer = [
        trial
        for trial in fit.trials
        if trial.verdict is not Verdict.FITS and trial.point.model_max_length > length
    ]
    if longer:
        return LengthLimit(failed=min(longer, key=lambda trial: trial.point.model_max_length))
    rows = [
        trial.point.row_tokens
        for trial in fit.trials
        if trial.verdict is Verdict.FITS and trial.point.model_max_length == length
    ]
    # A row that is cut is as long as the length: where the longest is shorter, none was.
    return LengthLimit(whole_row=max(rows)) if rows and max(rows) < length else LengthLimit()
