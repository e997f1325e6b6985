"""Advice on what the model learns: loss, gradient norm, overflows.

Each rule returns one sentence, or None where all is well or too little is known. Ranges are a
profile's; what holds for any model is a constant here with its reason.
"""

from math import hypot, sqrt
from statistics import median, pstdev

from autotune.base.format import counted, percent, rate_text
from autotune.train.advice.facts import Facts

INSPECT = "`smolsft-autotune inspect`"

EARLY_SHARE = 0.2
"""Share of the steps after which a loss that learns at all has fallen (the guide's fifth)."""

LOSS_RISE_FACTOR = 1.1
"""A tenth above the best window before: five to ten times the noise of a window of steps of 64."""

LOSS_RISE_ERRORS = 4.0
"""Standard errors of the difference of two windows. Steps of few conversations differ so much that
a tenth is noise, and the best of some twenty windows lies about two errors below its mean."""

MEDIAN_ERROR = 1.25
"""Standard error of a median of n normal values: their deviation by the root of n, times this."""

NORM_MARGIN = 1.1
"""A median norm a tenth outside its range: the range's ends are given to one decimal."""

SPIKE_FACTOR = 10.0
MIN_SPIKES = 3
RECENT_STEPS = 50
MIN_NORMS = 20
"""A norm ten times the usual one, three times in 50 steps. One alone is a single odd conversation,
and it is cut to `max_grad_norm` anyway."""

MAX_OVERFLOWS = 5
"""Overflows in 50 steps. A scaler that grows every 2000 steps overflows once after each growth, and
some times at the start while it looks for its scale."""

MIN_MOVED_SHARE = 1e-4
"""Of the weights' norm. Less than one part in ten thousand is what bf16 weights move, which round
most updates away; a dozen steps at 4e-5 move fp32 weights five times as far."""


def first_loss(facts: Facts) -> str | None:
    """The loss of the first steps, before the warm-up has changed much, is that of the model."""
    if facts.ranges is None or facts.ranges.first_loss is None:
        return None
    if len(facts.steps) != facts.window:
        return None
    low, high = facts.ranges.first_loss
    loss = facts.windows[0]
    if low <= loss <= high:
        return None
    return (
        f"the first steps have a loss of {loss:.2f}, {low:g} to {high:g} is usual for this model on"
        f" this data: look with {INSPECT} at the supervised tokens"
    )


def loss_slow(facts: Facts) -> str | None:
    """The guide's "loss does not fall"."""
    if facts.ranges is None or facts.ranges.loss_at_20_percent is None or facts.loss is None:
        return None
    most = facts.ranges.loss_at_20_percent
    if facts.progress < EARLY_SHARE or facts.trial.trained is not None or facts.loss <= most:
        return None
    return (
        f"loss still {facts.loss:.2f} after {percent(facts.progress, 0)} of the steps, above"
        f" {most:g}: check with {INSPECT} that the answers and nothing else are supervised"
        f"{_more(facts, ', then ')}"
    )


def loss_at_end(facts: Facts) -> str | None:
    """The loss that a training ends with, above or below its range."""
    if facts.ranges is None or facts.ranges.final_loss is None or facts.loss is None:
        return None
    if facts.trial.trained is None:
        return None
    low, high = facts.ranges.final_loss
    if facts.loss > high:
        return f"loss ended at {facts.loss:.2f}, above {high:g}{_more(facts, ': ')}"
    if facts.loss < low:
        return (
            f"loss ended at {facts.loss:.2f}, below {low:g}: the model may know the data by heart;"
            " compare the scores of the earlier checkpoints, and train fewer epochs if they are"
            " better"
        )
    return None


def grad_norm(facts: Facts) -> str | None:
    """The usual norm of the gradient after the warm-up, above or below its range."""
    if facts.ranges is None or facts.ranges.grad_norm is None or not facts.steps:
        return None
    norms = facts.norms(2 * facts.window)
    after = facts.steps[-1].step - facts.trial.plan.warmup_steps
    if after < 2 * facts.window or len(norms) < 2 * facts.window:
        return None
    low, high = facts.ranges.grad_norm
    usual = median(norms)
    if usual > high * NORM_MARGIN:
        return (
            f"gradient norm stays at {usual:.2f}, {low:g} to {high:g} is usual: each step pulls"
            " hard; a lower learning_rate is calmer"
        )
    if usual < low / NORM_MARGIN:
        return (
            f"gradient norm stays at {usual:.2f}, {low:g} to {high:g} is usual: a step teaches"
            f" little{_more(facts, ': ')}"
        )
    return None


def loss_rising(facts: Facts) -> str | None:
    """The loss against its own best, two whole windows running: holds for any model."""
    if len(facts.windows) < 4:
        return None
    best, now = min(facts.windows[:-2]), min(facts.windows[-2:])
    noise = LOSS_RISE_ERRORS * hypot(*(_error(facts, at) for at in (best, now)))
    if now <= max(best * LOSS_RISE_FACTOR, best + noise):
        return None
    return (
        f"loss rose from {best:.2f} to {now:.2f} and stays there: the learning rate is too high for"
        f" this data; try {rate_text(facts.trial.plan.learning_rate / 2)}"
    )


def _error(facts: Facts, loss: float) -> float:
    """Standard error of the window that has this median loss."""
    losses = facts.losses_of(facts.windows.index(loss))
    return MEDIAN_ERROR * pstdev(losses) / sqrt(len(losses))


def norm_spikes(facts: Facts) -> str | None:
    """Norms far above the usual one, several times: holds for any model."""
    norms = facts.norms(RECENT_STEPS)
    if len(norms) < MIN_NORMS:
        return None
    usual = median(norms)
    spikes = sum(norm > SPIKE_FACTOR * usual for norm in norms)
    if spikes < MIN_SPIKES:
        return None
    return (
        f"{spikes} of the last {len(norms)} gradient norms are more than"
        f" {SPIKE_FACTOR:g} times the usual {usual:.2f}: look with {INSPECT} for odd"
        " conversations, or lower learning_rate"
    )


def overflows(facts: Facts) -> str | None:
    """Steps whose fp16 gradients overflowed, more than a scaler's search explains."""
    recent = facts.steps[-RECENT_STEPS:]
    skipped = sum(step.skips > 0 for step in recent)
    if skipped <= MAX_OVERFLOWS:
        return None
    return (
        f"{skipped} of the last {counted(len(recent), 'step')} overflowed in fp16 and cost a second"
        " try: use --precision bf16 where the card has it (GeForce RTX 30 and later), or fp32"
    )


def weights_still(facts: Facts) -> str | None:
    """Weights that are at the end where they were at the start: holds for any model."""
    trained = facts.trial.trained
    if trained is None or trained.weights_moved >= MIN_MOVED_SHARE:
        return None
    return (
        f"weights moved by {percent(trained.weights_moved, 4)} of their size, hardly at all: what"
        " is scored is the untrained model; raise learning_rate or train longer"
    )


def _more(facts: Facts, before: str) -> str:
    """`before` and how to learn more: the next higher rate of the range, one more epoch."""
    assert facts.ranges is not None
    plan, (low, high) = facts.trial.plan, facts.ranges.learning_rate
    suggestions = []
    # To the middle of the range first, then to its end, as the guide does: 4e-5, 5e-5, 6e-5.
    higher = next((r for r in ((low + high) / 2, high) if r > plan.learning_rate * 1.001), None)
    if higher is not None:
        suggestions.append(f"raise learning_rate to {rate_text(higher)}")
    most = facts.ranges.most_epochs
    if most is not None and plan.num_train_epochs < most:
        suggestions.append(f"train for {counted(plan.num_train_epochs + 1, 'epoch')}")
    return before + " or ".join(suggestions) if suggestions else ""
