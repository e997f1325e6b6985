"""What was seen of a training besides its steps, as sentences for a person."""

from autotune import events
from autotune.figures import duration
from autotune.study import StudyState


def card_sentence(event: events.CardSampled) -> str | None:
    """What began or ended to hold the card's clock down, None where nothing did."""
    told = []
    if event.began:
        told.append(f"clock held down by {', '.join(event.began)}")
    if event.ended:
        told.append(f"clock no longer held down by {', '.join(event.ended)}")
    if not told:
        return None
    heat = "" if event.celsius is None else f"{event.celsius:.0f} C"
    power = "" if event.watts is None else power_text(event.watts, event.limit_watts)
    state = ", ".join(part for part in (heat, power) if part)
    return f"card: {' and '.join(told)}" + (f" ({state})" if state else "")


def power_text(watts: float | None, limit_watts: float | None) -> str:
    """`61 of 115 W`, without the limit where it is not known; `n/a` without the power."""
    if watts is None:
        return "n/a"
    return f"{watts:.0f} W" if limit_watts is None else f"{watts:.0f} of {limit_watts:.0f} W"


def slept_sentence(event: events.Slept) -> str:
    """How long nothing ran, and that it does no harm."""
    return (
        f"nothing ran for {duration(event.seconds)}: the computer slept or the program was stopped;"
        " nothing is lost, and speed and time left leave it out"
    )


def advice_lines(state: StudyState) -> list[str]:
    """The advice on all trials, in order."""
    return [
        f"trial {trial.number} ({trial.plan.strategy}): {advised.message}"
        for trial in state.trials
        for advised in trial.watched.advice
    ]
