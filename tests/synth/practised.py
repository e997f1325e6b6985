"""Prompts and answers of practice that tests make by hand."""

from collections.abc import Sequence
from typing import Any

from autotune.protocol.choices import Asked
from autotune.score.answers import Answer
from autotune.score.ifeval.amended import Amended
from autotune.score.ifeval.instructions import read_arguments
from autotune.synth import practice
from autotune.synth.chats import PracticeChat
from autotune.synth.practice import Practice
from autotune.synth.prompts import PracticePrompt

Instruction = tuple[str, dict[str, Any]]

COMMAS: Instruction = ("punctuation:no_comma", {})
SMALL: Instruction = ("change_case:english_lowercase", {})
QUOTED: Instruction = ("startend:quotation", {})
TITLE: Instruction = ("detectable_format:title", {})
PILLOW: Instruction = ("keywords:existence", {"keywords": ["pillow"]})

SLEEP = (
    "Sleep is good for the brain, and it keeps the heart healthy. Most people need eight hours.\n\n"
    "A dark room helps; a quiet room helps even more. Coffee late in the day does not, of course."
)
NAPS = (
    "A short nap at noon does no harm to anybody. Whoever sleeps longer than an hour wakes up with"
    " a heavy head and a bad mood. A soft pillow is worth its price."
)


def prompt(task: int, variant: int, *asked: Instruction) -> PracticePrompt:
    """One variant of a task, with these instructions."""
    return PracticePrompt(
        key=10 * task + variant + 1,
        prompt=f"Write about sleep, task {task}, variant {variant}.",
        instruction_id_list=tuple(name for name, _ in asked),
        kwargs=tuple(read_arguments(name, given) for name, given in asked),
        task=task,
        variant=variant,
        request=f"Write about sleep, task {task}.",
        topic="sleep",
        form="article",
    )


def answer(to: PracticePrompt, text: str | None, sample: int = 0, whole: bool = True) -> Answer:
    """An answer that was sampled for a prompt; `whole`: the model ended it by itself."""
    return Answer(
        key=to.key,
        prompt=to.prompt,
        response=text,
        finish="stop" if whole else "length",
        new_tokens=40,
        sample=sample,
    )


def chat(key: int, *kinds: str, words: int = 60, strained: tuple[str, ...] = ()) -> PracticeChat:
    """A chat whose prompt has instructions of these kinds, with so many words."""
    asked = prompt(key, 0).model_copy(
        update={"key": key, "instruction_id_list": kinds, "kwargs": ({},) * len(kinds)}
    )
    text = " ".join(["word"] * words)
    return PracticeChat(asked, answer(asked, text), Amended(text, strained, strained, False))


def practise(
    prompts: Sequence[PracticePrompt], answers: Sequence[Answer], *, seed: int, limit: int | None
) -> Practice:
    """Chats of whole answers to the first variants."""
    return practice.practise(
        prompts, answers, ask=Asked.VARIANT, words=None, seed=seed, limit=limit
    )
