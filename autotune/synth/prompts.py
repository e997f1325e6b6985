"""Composes prompts with verifiable instructions: a topic, a form, one to three instructions."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from autotune.base.errors import BadInput
from autotune.base.model import Boundary
from autotune.score.ifeval.instructions import read_arguments
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.synth import phrases, wording
from autotune.synth.arguments import draw_arguments
from autotune.synth.forms import Kind, choose_form
from autotune.synth.kinds import Ask, KwargValue, Rule, choose_asks, shuffled_asks
from autotune.synth.request import word_request
from autotune.synth.topics import Topic, training_topics

Card = TypeVar("Card")

MAX_ATTEMPTS = 200
"""Draws before a prompt is given up; nearly all need one."""


class PracticePrompt(IFEvalPrompt):
    """A prompt of practice: one variant of a task. `key` is unique over all.

    `task` counts from 0; `variant` 0..m-1 within it; variants of a task share what is asked for
    and differ in the instructions. `topic` and `form` name what it was composed from.
    """

    task: int
    variant: int
    topic: str
    form: str


def compose(
    seed: int, tasks: int, variants: int, held_out: frozenset[str]
) -> tuple[PracticePrompt, ...]:
    """`tasks` x `variants` prompts, all different, in the order of tasks, then of variants.

    No prompt asks for an instruction of `held_out`. The same in every process, and fewer tasks
    with the same other arguments are the beginning of more.

    Raises:
        BadInput: fewer than one task or variant, or more than the material allows.
    """
    found: list[PracticePrompt] = []
    drawn = iter(compose_prompts(training_topics(), seed, 2 * tasks * variants))
    for each in drawn:
        if len(found) == tasks * variants:
            break
        if held_out & set(each.instruction_id_list):
            continue
        task, variant = divmod(len(found), variants)
        found.append(
            PracticePrompt(
                key=len(found) + 1,
                prompt=each.prompt,
                instruction_id_list=each.instruction_id_list,
                kwargs=tuple(
                    read_arguments(name, given)
                    for name, given in zip(each.instruction_id_list, each.kwargs, strict=True)
                ),
                task=task,
                variant=variant,
                topic="",
                form="",
            )
        )
    return tuple(found)


class DemoPrompt(Boundary):
    """One prompt in the format of the public IFEval files; `kwargs` runs parallel."""

    key: int
    prompt: str
    instruction_id_list: tuple[str, ...]
    kwargs: tuple[dict[str, KwargValue], ...]


def compose_prompts(topics: Sequence[Topic], seed: int, count: int) -> tuple[DemoPrompt, ...]:
    """`count` prompts, all different, keys from 1; fewer with the same seed are their beginning.

    Raises:
        BadInput: a negative count, or one for which the material runs out.
    """
    if count < 0:
        raise BadInput(f"prompts {count}: must be at least 0; ask for 48, say")
    leads = _endless(f"{seed}:prompt leads", shuffled_asks)
    subjects = _endless(f"{seed}:prompt topics", lambda rng: rng.sample(topics, len(topics)))
    seen: set[str] = set()
    kept: list[DemoPrompt] = []
    for key in range(1, count + 1):
        prompt = _new(f"{seed}:prompt {key}", key, next(leads), next(subjects), seen)
        seen.add(prompt.prompt)
        kept.append(prompt)
    return tuple(kept)


def _endless(seed: str, fresh: Callable[[random.Random], list[Card]]) -> Iterator[Card]:
    """Cards of one shuffled deck after the other."""
    rng = random.Random(seed)
    while True:
        yield from fresh(rng)


def _new(name: str, key: int, lead: Ask, topic: Topic, seen: set[str]) -> DemoPrompt:
    for attempt in range(MAX_ATTEMPTS):
        # A string seeds by its SHA-512, so the draw is the same in every process.
        rng = random.Random(f"{name}:{attempt}")
        prompt = _compose(key, topic, choose_asks(lead, rng), rng)
        if prompt.prompt not in seen:
            return prompt
    raise BadInput(
        f"prompts: no new one about {topic.name} was found in {MAX_ATTEMPTS} draws;"
        " ask for fewer prompts"
    )


def _compose(key: int, topic: Topic, asks: tuple[Ask, ...], rng: random.Random) -> DemoPrompt:
    drawn = tuple(
        each for ask in asks if ask is not Ask.REPEAT for each in draw_arguments(ask, topic, rng)
    )
    request = word_request(_task(topic, asks, rng), drawn, rng)
    if Ask.REPEAT in asks:
        kwargs: dict[str, KwargValue] = {"prompt_to_repeat": request}
        drawn = (Rule(instruction_id=Ask.REPEAT.value, kwargs=kwargs), *drawn)
        request = request + "\n" + rng.choice(wording.SENTENCES[Ask.REPEAT])
    return DemoPrompt(
        key=key,
        prompt=request,
        instruction_id_list=tuple(each.instruction_id for each in drawn),
        kwargs=tuple(each.kwargs for each in drawn),
    )


def _task(topic: Topic, asks: tuple[Ask, ...], rng: random.Random) -> str:
    """What is asked for, before the instructions."""
    if Ask.CONSTRAINED in asks:
        if rng.random() < 0.2:
            return rng.choice(phrases.UNANSWERABLE).format(topic=topic.name)
        return rng.choice(topic.questions)
    if Ask.LANGUAGE in asks:
        return rng.choice(_LANGUAGE_TASKS).format(topic=topic.name)
    form = choose_form(asks, rng)
    requests = form.requests
    if Ask.JSON in asks and form.kind is not Kind.ITEMS:
        requests = _JSON_TASKS
    return rng.choice(requests).format(
        topic=topic.name,
        items=topic.items_about,
        fact=rng.choice(topic.plain_facts),
        question=rng.choice(topic.questions),
    )


_LANGUAGE_TASKS = (
    "Write a few sentences about {topic}.",
    "Write a short text about {topic}.",
)
_JSON_TASKS = (
    "Tell me something about {topic}.",
    "Give me a small data record about {topic}.",
    "Collect a few useful details on {topic}.",
    "What is worth knowing about {topic}?",
)
