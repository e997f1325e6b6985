"""Practice data in words: what a model is asked, and what came of its answers."""

from autotune.base.format import counted
from autotune.protocol.events import PracticeMade, PracticeStarted


def asked_sentence(started: PracticeStarted) -> str:
    """What is asked of whom, which rules are kept back, and which prompts are not asked."""
    times = f", {started.samples} times each" if started.samples > 1 else ""
    held = f"; held out: {', '.join(started.held_out)}" if started.held_out else ""
    near = (
        f"; left out: {counted(started.near_copies, 'near copy', 'near copies')} of scored prompts"
        if started.near_copies
        else ""
    )
    there = f" ({started.answered} of {counted(started.answers, 'answer')} made)"
    return (
        f"practice {f'resumes{there}' if started.answered else 'begins'}: {started.model} is asked"
        f" {counted(started.asked, 'prompt')}{times}; its answers are amended for"
        f" {counted(started.prompts, 'prompt')}{held}{near}"
    )


def made_sentence(made: PracticeMade) -> str:
    """How many chats came of how many answers, and how fast these came."""
    speed = made.tokens_per_second
    pace = f", sampled with {speed:.0f} tokens/s" if speed is not None else ""
    parts = (
        f"; {made.as_sampled} as sampled, {made.conversations - made.as_sampled} amended, all"
        " verified"
        if made.conversations
        else ""
    )
    return (
        f"practice made: {counted(made.conversations, 'chat')} of"
        f" {counted(made.answers, 'answer')}{pace}{parts}"
    )
