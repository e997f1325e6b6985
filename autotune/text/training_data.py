"""What a run trains on, in words: practice data, and mixtures of data."""

from autotune.base.format import counted, percent, strategies_text
from autotune.data.contamination import tell_of_scored_prompts
from autotune.protocol.events import DataMixed, PracticeFound
from autotune.run.state import StudyState


def practice_sentence(state: StudyState) -> str | None:
    """What a score after practice has to be read with; None where no trial trained on any.

    That no prompt of the test was trained on is said only where they were looked for.
    """
    strategies = {t.plan.strategy for t in state.trials}
    practised = sorted(s for s in strategies if state.practice_of(s) is not None)
    if not practised:
        return None
    surveys = [state.own_surveys.get(s, state.survey) for s in practised]
    known = [surveyed.found for surveyed in surveys if surveyed is not None]
    end = ", and none of its prompts" if len(known) == len(surveys) else ""
    if any(map(tell_of_scored_prompts, known)):
        end = ", and some prompts of the test are among them"
    names = strategies_text(practised)
    return (
        f"{names[:1].upper()}{names[1:]} practised: the training prompts have the same kinds of"
        f" rule as the test{end}."
    )


def practice_line(event: PracticeFound) -> str:
    """What practice data was found to be, for the timeline."""
    of = f" of {strategies_text(event.strategies)}" if event.strategies else ""
    out = f"; held out: {', '.join(event.held_out)}" if event.held_out else ""
    return (
        f"data {event.data}{of}: {counted(event.conversations, 'conversation')} of practice,"
        f" {counted(len(event.practised), 'kind')} of instruction{out}"
    )


def mixed_line(event: DataMixed) -> str:
    """What a strategy trains on, where that was mixed."""
    return (
        f"strategy {event.strategy}: {event.own} of {event.own_data} and {event.others} of"
        f" {event.other_data} ({percent(event.own / (event.own + event.others), 0)} its own)"
    )
