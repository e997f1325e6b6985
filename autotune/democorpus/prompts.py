"""Evaluation prompts of the demo's own, about topics that no training conversation touches."""

import random

from autotune.democorpus.compose import MAX_ATTEMPTS, endless, shuffled
from autotune.democorpus.constraints import Ask, choose_asks, deck
from autotune.democorpus.conversation import DemoPrompt
from autotune.democorpus.topics import Topic, held_out_topics
from autotune.democorpus.turn import Turn, compose_turn
from autotune.errors import BadInput


def demo_prompts(seed: int, count: int) -> tuple[DemoPrompt, ...]:
    """`count` different prompts in IFEval's format, keys from 1; each has a known good answer.

    Raises:
        BadInput: a negative count, or one for which the material runs out.
    """
    if count < 0:
        raise BadInput(f"demo prompts {count}: must be at least 0; ask for 48, say")
    leads = endless(f"{seed}:prompt leads", deck)
    topics = endless(f"{seed}:prompt topics", lambda rng: shuffled(held_out_topics(), rng))
    seen: set[str] = set()
    kept: list[DemoPrompt] = []
    for key in range(1, count + 1):
        turn = _turn(f"{seed}:prompt {key}", next(leads), next(topics), seen)
        seen.add(turn.request)
        kept.append(_prompt(key, turn))
    return tuple(kept)


def _turn(name: str, lead: Ask, topic: Topic, seen: set[str]) -> Turn:
    # Language texts belong to training, so no prompt asks for another language.
    lead = Ask.NO_COMMA if lead is Ask.LANGUAGE else lead
    for attempt in range(MAX_ATTEMPTS):
        rng = random.Random(f"{name}:{attempt}")
        turn = compose_turn(topic, choose_asks(lead, rng), rng, short=False)
        if turn is not None and turn.request not in seen:
            return turn
    raise BadInput(
        f"demo prompts: no new one about {topic.name} was found in {MAX_ATTEMPTS} draws;"
        " ask for fewer prompts"
    )


def _prompt(key: int, turn: Turn) -> DemoPrompt:
    return DemoPrompt(
        key=key,
        prompt=turn.request,
        instruction_id_list=tuple(each.instruction_id for each in turn.constraints),
        kwargs=tuple(each.kwargs for each in turn.constraints),
    )
