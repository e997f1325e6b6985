"""The options of `synth` alone: what is asked, how answers are sampled, which chats are kept."""

from dataclasses import dataclass

from autotune.cli.setting import Command, option
from autotune.protocol.choices import Asked

SYNTH: tuple[Command, ...] = ("synth",)


@dataclass(frozen=True, slots=True)
class PracticeOptions:
    """Options that set something in a profile's `[synth]`, as typed; None where one was not."""

    tasks: int | None = option(
        SYNTH,
        "Things that the model is asked for.",
        metavar="N",
        rule="must be a whole number from 1 to 20000",
        sets=("synth.tasks",),
    )
    variants: int | None = option(
        SYNTH,
        "Choices of instructions for each, which its answers are amended for.",
        metavar="N",
        rule="must be a whole number from 1 to 8",
        sets=("synth.variants",),
    )
    samples: int | None = option(
        SYNTH,
        "Answers to each.",
        metavar="N",
        rule="must be a whole number from 1",
        sets=("synth.samples",),
    )
    ask: str | None = option(
        SYNTH,
        "What the model is asked: the task alone, or with the first choice of instructions.",
        choices=tuple(Asked),
        sets=("synth.ask",),
    )
    max_words: str | None = option(
        SYNTH,
        "Words that an answer is cut to at most; the number is drawn from 25 on for each prompt.",
        count=True,
        rule="must be a whole number from 25, or all",
        sets=("synth.max_words",),
    )
    temperature: float | None = option(
        SYNTH,
        "Of the sampling; below 1 likely words are more likely.",
        metavar="T",
        rule="must be above 0",
        sets=("synth.temperature",),
    )
    top_p: float | None = option(
        SYNTH,
        "Only the likeliest words are drawn, so many that they make up this share.",
        metavar="P",
        rule="must be above 0 and at most 1",
        sets=("synth.top_p",),
    )
    sampled_tokens: int | None = option(
        SYNTH,
        "Longest answer.",
        metavar="N",
        spelled="--max-new-tokens",
        rule="must be a whole number from 64",
        sets=("synth.max_new_tokens",),
    )
    most_chats: str | None = option(
        SYNTH,
        "Number of chats to keep, balanced over kinds of instruction and lengths.",
        spelled="--max-conversations",
        count=True,
        absent="all",
        sets=("synth.max_conversations",),
    )
    held_out_kinds: int | None = option(
        SYNTH,
        "Kinds of instruction that no prompt of practice asks for.",
        metavar="N",
        rule="must be a whole number from 0 to 8",
        sets=("synth.held_out_kinds",),
    )
