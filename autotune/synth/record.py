"""One line of practice data: a chat as any chat data has it, and where it comes from."""

from collections.abc import Iterable, Iterator
from typing import Literal

from autotune.base.model import Boundary
from autotune.score.ifeval.arguments import Argument
from autotune.synth.chats import PracticeChat


class Turn(Boundary):
    """What one side says."""

    role: Literal["user", "assistant"]
    content: str


class Provenance(Boundary):
    """Where a practice chat comes from, and why it is one.

    `model` answered `sample` of the first variant of `task`, sampled with `seed`. The prompt is
    `variant`, with its instructions and their arguments as prompts files have them. `as_sampled`
    is whether the answer is the model's, character for character; else `edits` are the instructions
    that it was edited for, `strained` those of them whose edit adds words that it does not lead to,
    and `cut` whether sentences were taken out. `verdict` says by what it was verified: `strict`, as
    IFEval counts.
    """

    model: str
    seed: int
    sample: int
    key: int
    task: int
    variant: int
    topic: str
    form: str
    instruction_id_list: tuple[str, ...]
    kwargs: tuple[dict[str, Argument], ...]
    as_sampled: bool
    edits: tuple[str, ...]
    strained: tuple[str, ...]
    cut: bool
    verdict: Literal["strict"] = "strict"


class PracticeRecord(Boundary):
    """One line of practice data; training reads its `messages` only."""

    messages: tuple[Turn, Turn]
    practice: Provenance


def record_of(chat: PracticeChat, *, model: str, seed: int) -> PracticeRecord:
    """The line of a chat; `model` names who answered, `seed` is that of the whole."""
    made = chat.amended
    return PracticeRecord(
        messages=(
            Turn(role="user", content=chat.prompt.prompt),
            Turn(role="assistant", content=made.text),
        ),
        practice=Provenance.from_parts(
            chat.prompt,
            made,
            model=model,
            seed=seed,
            sample=chat.answer.sample or 0,
            edits=made.edited,
        ),
    )


def practice_lines(chats: Iterable[PracticeChat], *, model: str, seed: int) -> Iterator[str]:
    """The lines of a practice file, each with its line break, in the order of the chats."""
    for chat in chats:
        yield record_of(chat, model=model, seed=seed).model_dump_json() + "\n"
