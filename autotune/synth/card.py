"""The card of practice data: what it was made of, by whom and how, and what is in it."""

from collections.abc import Iterable, Iterator, Sequence

from autotune.base.format import counted, percent, safe
from autotune.base.model import Boundary
from autotune.protocol.choices import Asked
from autotune.synth.counts import PracticeCounts

SAME_KINDS = (
    "The prompts ask for the same kinds of rule as IFEval's, in topics and words of their own; no"
    " IFEval prompt and no near copy of one is among them. A score on IFEval after training on them"
    " says that a model keeps to rules of these kinds: whether it follows others too shows on the"
    " kinds that were held out."
)
"""What a score means after training on such data."""

LICENCE = (
    "The answers are the model's own words, the prompts this tool's. What may be done with them is"
    " said by the model's licence and this tool's; nobody else's text is in them."
)

SOURCES = (
    (
        "Rejection sampling fine-tuning (RFT)",
        "Yuan et al. 2023, Scaling Relationship on Learning Mathematical Reasoning with Large"
        " Language Models",
        "arXiv:2308.01825",
    ),
    (
        "STaR",
        "Zelikman et al. 2022, STaR: Bootstrapping Reasoning With Reasoning",
        "arXiv:2203.14465",
    ),
    (
        "IFEval",
        "Zhou et al. 2023, Instruction-Following Evaluation for Large Language Models",
        "arXiv:2311.07911",
    ),
)
"""Where the method and the rules come from: what is called so, the paper, its number."""


FRONT_MATTER = """---
language:
- en
task_categories:
- text-generation
tags:
- instruction-following
- synthetic
---"""
"""What hubs read of a data set's card."""


class PracticeCard(Boundary):
    """All that a person needs to judge practice data, or to make it again.

    `model` answered; `model_digest` is the digest of its weights. `seed` is that of the prompts,
    the samples and the edits. The model was asked each task, or the first of its `variants`
    (`ask`), `samples` times; `words` is the range of lengths of the beginning of an answer that was
    amended, None where that was the whole. `near_copies` is how many composed prompts were left
    out, since a scored one, or nearly one, stands in them. How long it took is not said here: the
    same data has the same card.
    """

    model: str
    model_digest: str
    seed: int
    temperature: float
    top_p: float
    max_new_tokens: int
    variants: int
    samples: int
    ask: Asked
    words: tuple[int, int] | None
    held_out_kinds: tuple[str, ...]
    near_copies: int
    counts: PracticeCounts


def card_text(card: PracticeCard) -> str:
    """The card as README.md beside the data, with the front matter of a data set's card."""
    parts = (
        [FRONT_MATTER, "# Practice data", _summary(card)],
        ["## How it was made", _rows(("", ""), _facts(card))],
        ["## What is in it", _kinds(card.counts), _lengths(card.counts)],
        ["## What was left out", _left_out(card)],
        ["## What it is for", SAME_KINDS],
        [
            "## Sources",
            "\n".join(f"- {name}: {paper}, {number}" for name, paper, number in SOURCES),
        ],
        ["## Licence", LICENCE],
    )
    return "\n\n".join(part for section in parts for part in section if part) + "\n"


def _summary(card: PracticeCard) -> str:
    counts = card.counts
    own = f"{counts.kept_as_sampled} as they were sampled"
    amended = f"{counts.kept - counts.kept_as_sampled} amended by construction"
    return (
        f"{counted(counts.kept, 'chat')}, each a prompt with verifiable instructions and an answer"
        f" that follows all of them, as IFEval's strict verdict says. The answers are the model's:"
        f" {own}, {amended} and verified again. One JSON object a line: `messages` are the chat,"
        " `practice` says where it comes from."
    )


def _facts(card: PracticeCard) -> Iterator[tuple[str, str]]:
    counts = card.counts
    yield "model", f"`{safe(card.model)}`, {card.model_digest}"
    yield "seed", str(card.seed)
    yield (
        "sampling",
        f"temperature {card.temperature:g}, top-p {card.top_p:g}, at most"
        f" {counted(card.max_new_tokens, 'token')}, {counted(card.samples, 'sample')} a task",
    )
    yield (
        "prompts",
        f"{counts.prompts} of {counted(counts.tasks, 'task')}, {card.variants} each at most",
    )
    asked = "the task alone" if card.ask is Asked.TASK else "the first prompt of each task"
    yield "the model was asked", asked
    if card.words is not None:
        least, most = card.words
        yield "cut to the beginning", f"of {least} to {most} words, drawn for each prompt"
    yield "sampled answers", f"{counts.samples}, {counted(counts.sampled_tokens, 'token')}"
    yield (
        "held against a prompt",
        f"{counts.texts} times: {counts.as_sampled} pass as they are, {counts.usable} after"
        " amending",
    )
    yield "held-out kinds", ", ".join(f"`{kind}`" for kind in card.held_out_kinds) or "none"


def _kinds(counts: PracticeCounts) -> str:
    """A prompt may ask for several kinds, so the columns add up to more than there are chats."""
    rows = (
        (f"`{each.kind}`", each.asked, each.usable, each.kept, each.as_sampled)
        for each in counts.kinds
    )
    return _rows(("kind of instruction", "prompts", "usable", "kept", "as sampled"), rows)


def _lengths(counts: PracticeCounts) -> str:
    if counts.words is None:
        return ""
    words = counts.words
    said = (
        f"Words of an answer: {words.mean:.0f} on average; quartiles {words.first_quartile:.0f},"
        f" {words.median:.0f} and {words.third_quartile:.0f}."
    )
    bands = (
        (
            f"{each.least} and more" if each.below is None else f"{each.least} to {each.below - 1}",
            each.kept,
            percent(each.kept / counts.kept),
        )
        for each in counts.lengths
    )
    return said + "\n\n" + _rows(("words", "chats", "share"), bands)


def _left_out(card: PracticeCard) -> str:
    counts = card.counts
    told = [f"{counted(card.near_copies, 'prompt')} with a scored prompt, or nearly one, in them"]
    told += [f"{counted(number, 'text')}: {reason}" for reason, number in counts.unusable.items()]
    unfollowed = ", ".join(f"`{kind}` {number}" for kind, number in counts.unfollowed.items())
    if unfollowed:
        told.append(f"instructions that no edit made a text follow: {unfollowed}")
    return "\n".join(f"- {each}" for each in told)


def _rows(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
