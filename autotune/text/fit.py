"""What the probe found, in words: trials, the answer, how good a prediction was, times."""

from collections.abc import Iterable

from autotune.base.format import about, counted, percent, strategies_text
from autotune.base.sizes import show_apart, show_size
from autotune.protocol import events
from autotune.protocol.plan import Rounds, TrialPoint
from autotune.protocol.result_text import rounds_text, shape_rounds, shape_text
from autotune.protocol.results import Fit, StrategyFit, TrialOutcome, Verdict


def peak_sentence(event: events.PeakCompared) -> str:
    """What a training's peak is beside the probe's: `peak 3.40 GiB, 4.0 % above the ...`."""
    off = event.peak_bytes / event.predicted_bytes - 1 if event.predicted_bytes else 0.0
    # Rounded first: a difference that shows as 0.0 % is neither above nor below.
    rounded = round(off, 3)
    where = (
        f"{percent(abs(rounded))} {'above' if rounded > 0 else 'below'}"
        if rounded
        else "as high as"
    )
    if not rounded:
        peak, probed = show_size(event.peak_bytes), show_size(event.predicted_bytes)
    else:
        peak, probed = show_apart(event.peak_bytes, event.predicted_bytes)
    return f"peak {peak}, {where} the {probed} that the probe measured"


def describe_trial(outcome: TrialOutcome) -> str:
    """A probe trial in one line: what was tried, the verdict, what was measured or why not."""
    text = (
        f"{shape_rounds(outcome.point.model_max_length, outcome.point.max_rounds)}, micro-batch"
        f" {micro_batching_text(outcome.point)}: {outcome.verdict}"
    )
    if outcome.verdict is not Verdict.FITS or outcome.measurement is None:
        return f"{text}, {outcome.reason}"
    speed = rate_of_trial(outcome)
    text += f", peak {peak_of_trial(outcome)}"
    if outcome.measurement.timed is not None:
        return f"{text}, {speed} tokens/s over {timed_on(outcome)}"
    return f"{text}, {speed} tokens/s on its longest sequence" if speed != NOT_MEASURED else text


NOT_MEASURED = "-"
"""What stands in a table where nothing was measured."""


def rate_of_trial(outcome: TrialOutcome) -> str:
    """Tokens a second, padding not counted: of a timed step, else of the fastest after the first.

    The first step warms up caches; of the others the fastest was disturbed least.
    """
    measured = outcome.measurement
    if measured is None:
        return NOT_MEASURED
    if measured.timed is not None:
        return f"{measured.timed.tokens / measured.timed.seconds:.0f}"
    steps = measured.step_seconds[1:] or measured.step_seconds
    return f"{measured.tokens / min(steps):.0f}" if steps and min(steps) > 0 else NOT_MEASURED


SPEED_MEANING = (
    "tokens/s: tokens of conversations in a second of training steps, padding aside; of a length"
    " that is tried, on its longest sequence"
)


def is_of(trial: TrialOutcome, found: StrategyFit) -> bool:
    """Whether a trial has the length and the rounds that a strategy trains with."""
    point = trial.point
    shape = (found.model_max_length, found.max_rounds)
    return (point.model_max_length, point.max_rounds) == shape


def first_of_each(timed: Iterable[TrialOutcome]) -> dict[str, TrialOutcome]:
    """The first timing of each setting: all of one process, and so to be compared."""
    found: dict[str, TrialOutcome] = {}
    for trial in timed:
        found.setdefault(micro_batching_text(trial.point), trial)
    return found


def peak_of_trial(outcome: TrialOutcome) -> str:
    """The peak of a trial, if it was measured."""
    return show_size(outcome.measurement.peak_bytes) if outcome.measurement else NOT_MEASURED


def timed_on(outcome: TrialOutcome) -> str:
    """What a trial's step was timed on: `8 conversations, new process`, if it was.

    A setting may be timed twice: among others in one process, and again in a process of its own.
    """
    measured = outcome.measurement
    if measured is None or measured.timed is None:
        return NOT_MEASURED
    process = "new process" if measured.fresh else "same process"
    return f"{counted(measured.timed.conversations, 'conversation')}, {process}"


PROBE_COLUMNS = ("length", "rounds", "micro-batch", "peak", "verdict", "tokens/s", "reason")
"""The headings over `probe_cells`."""


def probe_cells(outcome: TrialOutcome) -> tuple[str, ...]:
    """A trial of the probe as a row of a table: sizes in tokens, the peak, the speed."""
    point = outcome.point
    return (
        str(point.model_max_length),
        str(point.max_rounds),
        str(point.micro_batch_tokens),
        peak_of_trial(outcome),
        outcome.verdict.value,
        rate_of_trial(outcome),
        outcome.reason,
    )


TIMED_COLUMNS = (
    "length x rounds",
    "micro-batch",
    "timed on",
    "peak",
    "verdict",
    "tokens/s",
)
"""The headings over `timed_cells`."""


def timed_cells(outcome: TrialOutcome) -> tuple[str, ...]:
    """A timed micro-batch setting as a row of a table, with all that tells it from the others."""
    point = outcome.point
    return (
        shape_text(point.model_max_length, point.max_rounds),
        micro_batching_text(point),
        timed_on(outcome),
        peak_of_trial(outcome),
        outcome.verdict.value,
        rate_of_trial(outcome),
    )


def fit_sentence(fit: Fit) -> str:
    """The probe's answer in one sentence."""
    checkpointing = "with" if fit.gradient_checkpointing else "without"
    # One round is the fewest there can be, whether or not it stays whole.
    said = [] if fit.max_rounds == 1 else ["the most that this length keeps whole"]
    own: dict[Rounds, list[str]] = {}
    for name, found in fit.strategies.items():
        if found.planned and found.max_rounds != fit.max_rounds:
            own.setdefault(found.max_rounds, []).append(name)
    said += [f"{strategies_text(each)}: {rounds_text(rounds)}" for rounds, each in own.items()]
    why = f" ({'; '.join(said)})" if said else ""
    return (
        f"fits: model_max_length {fit.model_max_length} with max_rounds {fit.max_rounds}{why}, in"
        f" micro-batches of {fit.micro_batch_tokens} tokens {checkpointing} gradient checkpointing;"
        f" {fit.words}" + (f"; attention: {fit.attention.words}" if fit.attention else "")
    )


def prediction_sentence(fit: Fit) -> str | None:
    """How far off the prediction of the accepted point was, if there was one."""
    if fit.predicted_peak_bytes is None:
        return None
    off = fit.predicted_peak_bytes / fit.peak_bytes - 1
    return (
        f"predicted peak {show_size(fit.predicted_peak_bytes)}, measured"
        f" {show_size(fit.peak_bytes)}: {percent(abs(off))} too {'high' if off > 0 else 'low'}"
    )


def time_text(strategy: StrategyFit) -> str:
    """About how long a strategy takes, with what its micro-batching saves."""
    now = about(strategy.eta_seconds)
    single = strategy.eta_single_seconds
    before = now if single is None else about(single)
    return now if before == now else f"{before} -> {now}"


def micro_batching_text(micro_batching: StrategyFit | TrialPoint) -> str:
    """The micro-batching: tokens, rows laid end to end, layers compiled, recomputed."""
    compiled = ", compiled" if micro_batching.torch_compile else ""
    packed = ", packed" if micro_batching.packing else ""
    recomputed = ", recomputed" if micro_batching.gradient_checkpointing else ""
    return f"{micro_batching.micro_batch_tokens} tokens{packed}{compiled}{recomputed}"
