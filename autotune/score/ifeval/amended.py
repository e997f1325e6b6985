"""An answer made to follow every instruction of its prompt, or why it cannot be.

For practice data: sampled by a model, mended by construction, verified by the checkers that score.
First it is cut to what it says itself, in whole sentences, once; then each instruction amends it,
in the order of `instruction.Stage`; then the whole prompt's strict verdict counts, and what a score
cannot tell: a loop, an echo, a text that says next to nothing or the same again and again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from autotune.score.genuine import without_prompt, without_repeats
from autotune.score.health import echoes, loops
from autotune.score.ifeval.combination import RepeatPrompt
from autotune.score.ifeval.instruction import Instruction, Stage
from autotune.score.ifeval.instructions import instruction_of
from autotune.score.ifeval.pieces import Span, keep, pieces, whole_sentences
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval

MIN_DIFFERENT_WORDS = 20
"""An answer to practice on has at least so many different words: two sentences do. From a shorter
one a model learns to be brief."""

MIN_OWN_WORDS = 10
"""So many of them at least are in what is left without the prompt given back: a sentence."""

MAX_REPEATED = 0.15
"""Share of an answer's sentences at most that say what was said before, as a refrain does."""

RUN = 4
"""Words in a row by which a sentence is found to be said before."""

SAID_BEFORE = 0.8
"""Share of a sentence's runs of words that were said before, so that it says nothing new: in a
loop that counts up, or changes a name each time, the rest of a sentence stays."""

MIN_COPIED_WORDS = 6
"""Shorter sentences that the prompt has too may be what it asks for, such as "Dear Sir"."""

ROUNDS = 2
"""How often all instructions amend: a title or an ending makes one paragraph more, which is divided
anew the second time. What a third would change, it would change forever."""

SHARES = (1.0, 0.8, 0.6, 0.4)
"""Of an answer's sentences, tried in this order where one of its instructions takes text away: what
the others add takes room."""

_STOPS = ".!?…\"'”’)*"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Amended:
    """A text that follows all of a prompt's instructions and is fit to practice on."""

    text: str
    edited: tuple[str, ...]
    """The instructions that it was edited for, each once, in their order in the prompt."""
    strained: tuple[str, ...]
    """Those of them whose edit adds what the answer does not lead to (`Instruction.strains`)."""
    cut: bool
    """Whether sentences were taken out before: an unfinished one, a loop, repeats, the prompt's."""

    @property
    def as_sampled(self) -> bool:
        """Whether it is the model's answer, character for character."""
        return not self.edited and not self.cut


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why an answer cannot be practised on."""

    reason: str
    """`loop`, `echo`, `says too little`, `repeats itself` or `does not follow`."""
    unfollowed: tuple[str, ...] = ()
    """The instructions that no edit makes it follow, or whose edits undo each other."""


def amended(prompt: IFEvalPrompt, answer: str, seed: int, finished: bool) -> Amended | Unusable:
    """A prompt's answer made to follow it; the same text for the same seed.

    `finished` is whether the model ended it by itself: else its last sentence goes if it is not
    whole. What follows as it is, is left as it is.

    Raises:
        ArgumentFault: an instruction that IFEval does not know.
        EnvironmentFault: the published checkers are not installed.
    """
    instructions = [
        instruction_of(name, given)
        for name, given in zip(prompt.instruction_id_list, prompt.kwargs, strict=True)
    ]
    if finished and _fault(prompt, answer, instructions) is None:
        return Amended(text=answer, edited=(), strained=(), cut=False)
    own = _own(prompt, answer, finished)
    shares = SHARES if any(each.stage is Stage.CUT for each in instructions) else SHARES[:1]
    first: Unusable | None = None
    for share in shares:
        text, edited = _edited(_beginning(own, share), instructions, seed)
        fault = _fault(prompt, text, instructions)
        if fault is None:
            return Amended(
                text=text,
                edited=tuple(each.id for each in instructions if each in edited),
                strained=tuple(each.id for each in edited if each.strains),
                cut=own != answer or share < 1,
            )
        first = first or fault
    return first or Unusable("says too little")


def _edited(
    text: str, instructions: Sequence[Instruction], seed: int
) -> tuple[str, list[Instruction]]:
    """The text after all edits, and the instructions that changed it."""
    draw = Random(seed)
    edited: list[Instruction] = []
    for _ in range(ROUNDS):
        for instruction in sorted(instructions, key=lambda each: each.stage):
            made = instruction.amend(text, draw)
            if made is not None and made != text:
                text = made
                edited += [instruction] if instruction not in edited else []
    return text, edited


def _fault(prompt: IFEvalPrompt, text: str, instructions: Sequence[Instruction]) -> Unusable | None:
    """What makes a text unfit, the first that is found; None of one that is fit."""
    said = pieces(text)
    if loops(text) or any(_loops(text[slice(*span)]) for span in said):
        return Unusable("loop")
    if echoes(prompt.prompt, text):
        return Unusable("echo")
    own = without_prompt(prompt.prompt, text)
    if _different(text) < MIN_DIFFERENT_WORDS or _different(own) < MIN_OWN_WORDS:
        return Unusable("says too little")
    if len(said) - len(list(_new(text, set()))) > MAX_REPEATED * len(said):
        return Unusable("repeats itself")
    if not IFEval().passes(prompt, text):
        failed = (each.id for each in instructions if not each.follows(text))
        return Unusable("does not follow", tuple(failed))
    return None


def _different(text: str) -> int:
    return len(set(_WORD.findall(text.lower())))


def _own(prompt: IFEvalPrompt, answer: str, finished: bool) -> str:
    """The answer's own whole sentences, each once."""
    text = answer.strip() if finished else whole_sentences(answer.strip())
    repeats = RepeatPrompt.id in prompt.instruction_id_list
    asked = [] if repeats else [prompt.prompt[a:b] for a, b in pieces(prompt.prompt)]
    long = (piece for piece in asked if len(_WORD.findall(piece)) >= MIN_COPIED_WORDS)
    before = {run for piece in long for run in _runs(piece)}
    once = keep(text, {span for span in _new(text, before) if not _loops(text[slice(*span)])})
    return whole_sentences(without_repeats(once)) if loops(once) else once


def _loops(piece: str) -> bool:
    """Whether a sentence loops, be it ended at last."""
    return loops(piece.rstrip(_STOPS))


def _new(text: str, before: set[tuple[str, ...]]) -> Iterator[Span]:
    """The pieces that say what was not said before in the text, nor in the runs of `before`."""
    said = set(before)
    for span in pieces(text):
        runs = _runs(text[slice(*span)])
        if not runs or len(runs & said) < SAID_BEFORE * len(runs):
            yield span
        said |= runs


def _runs(piece: str) -> set[tuple[str, ...]]:
    """Its runs of RUN words, or all of its words where it has fewer; none of a single word."""
    words = _WORD.findall(piece.lower())
    size = min(RUN, len(words))
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)} if size > 1 else set()


def _beginning(text: str, share: float) -> str:
    """The first share of its pieces."""
    said = pieces(text)
    return text[: said[max(1, round(share * len(said))) - 1][1]] if said and share < 1 else text
