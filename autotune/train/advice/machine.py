"""Advice on the machine: speed, heat, power, memory, and what to do where a training stopped.

Each rule returns one sentence, or None where all is well or the driver does not report it.
"""

from statistics import fmean

from autotune.base.format import duration
from autotune.base.sizes import show_size
from autotune.device.spill import FULL_CARD_SHARE
from autotune.protocol.failure import Failure
from autotune.protocol.throttle import Throttle
from autotune.train.advice.facts import Facts

SLOW_SHARE = 0.5
"""A speed below half is no noise: rows of one data set give a step's speed to some 10 %."""

LAST_STEPS = 5
EARLIER_STEPS = 10

SEEN_SECONDS = 60.0
"""Of training, before its speed is judged. Steps of a toy take less than a second: a dozen of them
are over before one pause of the computer is, and tell of that pause."""

LEFT_SECONDS = 120.0
"""Of training still to come, for advice on its speed: nobody closes a program, or finds a charger,
for what is over sooner."""

HOT_SAMPLES = 3
"""Samples in a row, so more than half a minute: a card that touches its limit for a moment is no
reason to get up."""

NEAR_BUDGET_SHARE = 0.98
"""Share of the budget above which a peak that the probe did not foresee is worth a word."""

LENGTHS = (1024, 768, 512)
"""The guide's ladder of shorter rows, in tokens."""

CHARGER = "connect the charger and choose the system's high-performance mode"
COOLING = "give it air (raise the laptop, clear its vents) or pause other work on it"
CLOSING = "close other programs, the browser first"

HOT = {Throttle.HEAT, Throttle.HARDWARE}


def slowed(facts: Facts) -> str | None:
    """The last steps against those before them."""
    if len(facts.steps) < LAST_STEPS + EARLIER_STEPS:
        return None
    before = facts.rate(facts.steps[:-LAST_STEPS])
    now = facts.rate(facts.steps[-LAST_STEPS:])
    if before is None or now is None or now >= SLOW_SHARE * before or not _matters(facts):
        return None
    return f"speed fell from {before:.0f} to {now:.0f} tokens/s: {_cause(facts)}"


def slow(facts: Facts) -> str | None:
    """The whole training against what the probe timed on rows of the same data."""
    if facts.expected_rate is None or len(facts.steps) < EARLIER_STEPS:
        return None
    now = facts.rate(facts.steps)
    if now is None or now >= SLOW_SHARE * facts.expected_rate or not _matters(facts):
        return None
    return (
        f"{now:.0f} tokens/s, less than half of the {facts.expected_rate:.0f} that the probe timed:"
        f" {_cause(facts)}"
    )


def _matters(facts: Facts) -> bool:
    """Whether the speed was seen for long enough, and enough is left to do something about it."""
    seen = [facts.trial.telemetry.awake_seconds(step) for step in facts.steps]
    left = fmean(seen) * (facts.trial.plan.total_steps - facts.steps[-1].step)
    return sum(seen) >= SEEN_SECONDS and left >= LEFT_SECONDS


def hours(facts: Facts) -> str | None:
    """The time that the training will take at this speed, beside what is usual on this machine."""
    most = facts.ranges.training_hours if facts.ranges else None
    if most is None or len(facts.steps) < EARLIER_STEPS or facts.trial.trained is not None:
        return None
    each = fmean(facts.trial.telemetry.awake_seconds(step) for step in facts.steps)
    seconds = each * facts.trial.plan.total_steps
    if seconds <= most * 3600:
        return None
    return (
        f"at this speed the training takes {duration(seconds)}, up to {most:g} h are usual on this"
        f" machine: {_cause(facts)}"
    )


def heat(facts: Facts) -> str | None:
    """A card that has been too hot for a while."""
    cards = facts.trial.telemetry.cards[-HOT_SAMPLES:]
    if len(cards) < HOT_SAMPLES or not all(HOT & set(c.throttled or ()) for c in cards):
        return None
    at = "" if cards[-1].celsius is None else f" at {cards[-1].celsius:.0f} C"
    return f"the card throttles its clock because of its temperature{at}: {COOLING}"


def battery(facts: Facts) -> str | None:
    """A laptop without its charger."""
    if facts.card is None or facts.card.on_battery is not True:
        return None
    return f"the computer runs on its battery, which can halve the card's clock: {CHARGER}"


def card_full(facts: Facts) -> str | None:
    """A card that is full, ours or others' memory, in two samples running."""
    cards = facts.trial.telemetry.cards[-2:]
    if len(cards) < 2:
        return None
    for card in cards:
        if card.used_bytes is None or card.total_bytes is None:
            return None
        if card.used_bytes < FULL_CARD_SHARE * card.total_bytes:
            return None
    used, total = cards[-1].used_bytes or 0, cards[-1].total_bytes or 0
    return (
        f"the card is full ({show_size(used)} of {show_size(total)}); Windows then lends it the"
        f" computer's memory, which is many times slower: {CLOSING}"
    )


def near_budget(facts: Facts) -> str | None:
    """A peak that is above the probe's and nearly at the budget."""
    compared, run = facts.trial.peak, facts.run
    if compared is None or run is None or compared.peak_bytes <= compared.predicted_bytes:
        return None
    peak = max((step.memory_bytes for step in facts.steps), default=0)
    if peak < NEAR_BUDGET_SHARE * run.budget_bytes:
        return None
    return (
        f"memory peaks at {show_size(peak)} of {show_size(run.budget_bytes)}, more than the probe"
        f" measured: {CLOSING}; should it run out, training continues in smaller micro-batches"
    )


def out_of_memory(facts: Facts) -> str | None:
    """Memory ran out in spite of the probe."""
    if facts.trial.resized is None:
        return None
    length = facts.trial.plan.model_max_length
    shorter = [str(tokens) for tokens in LENGTHS if tokens < length]
    if shorter:
        then = f"--model-max-length {', then '.join(shorter)}"
    else:
        then = "a smaller model, or fewer --max-rounds"
    return f"memory ran out though the probe found room: {CLOSING}; if it happens again, {then}"


def stopped(facts: Facts) -> str | None:
    """What to do about numbers that no step can mend. The worker says which; this says what now."""
    faults = [f for f in facts.trial.telemetry.faults if f.fault is Failure.NUMERIC]
    if not faults:
        return None
    message = faults[-1].message
    if "supervised" in message:
        then = (
            "check the supervised tokens with `smolsft-autotune inspect`, or raise"
            " --model-max-length"
        )
    else:
        then = "lower learning_rate, or use --precision fp32"
    return f"training cannot continue: {message}; {then}"


def _cause(facts: Facts) -> str:
    """What most likely holds the speed down, and what to do about it."""
    card = facts.card
    held = set(card.throttled or ()) if card else set()
    if card is not None and card.on_battery:
        return f"the computer runs on its battery; {CHARGER}"
    if held & HOT:
        return f"the card is too hot; {COOLING}"
    if _full(facts):
        return f"the card's memory is full; {CLOSING}"
    if held:
        return f"the card is at its power limit; {CHARGER}"
    return f"{CLOSING}; on a laptop, {CHARGER}"


def _full(facts: Facts) -> bool:
    card = facts.card
    if card is None or card.used_bytes is None or card.total_bytes is None:
        return False
    return card.used_bytes >= FULL_CARD_SHARE * card.total_bytes
