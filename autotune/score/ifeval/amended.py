"""An answer made to follow every instruction of its prompt, or why it cannot be.

For practice data: sampled by a model, mended by construction, verified by the checkers that score.
First it is cut to what it says itself, in whole sentences, once; then each instruction amends it,
in the order of `instruction.Stage`; then the whole prompt's strict verdict counts, and what a score
cannot tell: a loop, an echo, a text that says next to nothing or the same again and again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from autotune.score.genuine import without_prompt
from autotune.score.health import echoes, loops
from autotune.score.ifeval.combination import RepeatPrompt, TwoResponses
from autotune.score.ifeval.instruction import Instruction, Stage
from autotune.score.ifeval.instructions import instruction_of
from autotune.score.ifeval.own_sentences import (
    MAX_REPEATED,
    different_words,
    goes_on,
    own_sentences,
    repeated,
    speaks_aside,
)
from autotune.score.ifeval.pieces import closed, pieces
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from autotune.score.ifeval.unasked import unasked

MIN_DIFFERENT_WORDS = 20
"""An answer to practice on has at least so many different words of its own: two sentences do. From
a shorter one a model learns to be brief, and of one that edits made longer it learns the edits.
Each of two responses is an answer: "No, no!" is none, nor is what was said of a haiku."""

MIN_OWN_WORDS = 10
"""So many of them at least are in what is left without the prompt given back, wherever that is: a
sentence. Not more, since with the prompt's words go those between them."""

ROUNDS = 2
"""How often all instructions amend: a title or an ending makes one paragraph more, which is divided
anew the second time. What a third would change, it would change forever."""

SHARES = (1.0, 0.8, 0.6, 0.4)
"""Of an answer's sentences, tried in this order where one of its instructions takes text away, for
what the others add takes room; and where it says the same again and again."""

REPEATS = "repeats itself"


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
    """`loop`, `echo`, `says too little`, `repeats itself`, `speaks of rules or itself`, `does not
    follow`, or what it shows that nobody asked for (`unasked`)."""
    unfollowed: tuple[str, ...] = ()
    """The instructions that no edit makes it follow, or whose edits undo each other."""


def amended(
    prompt: IFEvalPrompt,
    answer: str,
    seed: int,
    finished: bool,
    about: str = "",
    *,
    refuse_unasked: bool = True,
) -> Amended | Unusable:
    """A prompt's answer made to follow it; the same text for the same seed.

    What the prompt is `about` is a noun phrase, empty where it is not known.

    `finished` is whether the model ended it by itself: else its last sentence goes if it is not
    whole. What follows as it is, is left as it is. `refuse_unasked` refuses what shows a gap,
    program code or a title that nobody asked for.

    Raises:
        ArgumentFault: an instruction that IFEval does not know.
        EnvironmentFault: a package that a check needs is not installed.
    """
    instructions = [
        instruction_of(name, given, prompt.prompt, about)
        for name, given in zip(prompt.instruction_id_list, prompt.kwargs, strict=True)
    ]
    fault_of = partial(_fault, prompt, instructions, refuse_unasked)
    repeats = RepeatPrompt.id in prompt.instruction_id_list
    aside = speaks_aside(prompt.prompt, _after_request(answer, instructions))
    if finished and not aside and fault_of(answer, answer) is None:
        return Amended(text=answer, edited=(), strained=(), cut=False)
    own = own_sentences("" if repeats else prompt.prompt, answer, finished)
    if aside and not own:
        return Unusable("speaks of rules or itself")
    cuts = any(each.stage is Stage.CUT for each in instructions)
    first: Unusable | None = None
    for share in SHARES:
        draft = _beginning(own, share)
        text, edited = _edited(draft, instructions, seed)
        fault = fault_of(draft, text)
        if fault is None:
            return Amended(
                text=text,
                edited=tuple(each.id for each in instructions if each in edited),
                strained=tuple(each.id for each in edited if each.strains),
                cut=own != answer or share < 1,
            )
        first = first or fault
        if not cuts and fault.reason != REPEATS:
            break
    return first or Unusable("says too little")


def _edited(
    text: str, instructions: Sequence[Instruction], seed: int
) -> tuple[str, list[Instruction]]:
    """The text after all edits, and the instructions that changed it."""
    draw = Random(seed)
    edited: list[Instruction] = []
    in_order = sorted(instructions, key=lambda each: each.stage)
    for _ in range(ROUNDS):
        for instruction in tuple(in_order):
            made = instruction.amend(text, draw)
            if made is None:
                # What could not be edited is not made of what others have added since.
                in_order.remove(instruction)
            elif made != text:
                text = made
                edited += [instruction] if instruction not in edited else []
    return text, edited


def _fault(
    prompt: IFEvalPrompt,
    instructions: Sequence[Instruction],
    refuse_unasked: bool,
    draft: str,
    text: str,
) -> Unusable | None:
    """What makes a text that edits made of `draft` unfit, the first that is found; else None."""
    if loops(text) or any(goes_on(text[slice(*span)]) for span in pieces(text)):
        return Unusable("loop")
    if echoes(prompt.prompt, text):
        return Unusable("echo")
    after = _after_request(text, instructions)
    own = different_words(_after_request(draft, instructions)) & different_words(after)
    left = own & different_words(without_prompt(prompt.prompt, after))
    if len(own) < MIN_DIFFERENT_WORDS or len(left) < MIN_OWN_WORDS:
        return Unusable("says too little")
    two = any(isinstance(each, TwoResponses) and each.follows(text) for each in instructions)
    for part in after.split("******") if two else ():
        if len(own & different_words(part)) < MIN_DIFFERENT_WORDS:
            return Unusable("says too little")
    if repeated(text) > MAX_REPEATED:
        return Unusable(REPEATS)
    if refuse_unasked and (shown := unasked(prompt.instruction_id_list, after)):
        return Unusable(shown)
    if not IFEval().passes(prompt, text):
        failed = (each.id for each in instructions if not each.follows(text))
        return Unusable("does not follow", tuple(failed))
    return None


def _after_request(text: str, instructions: Sequence[Instruction]) -> str:
    """The text without the request that an instruction has it repeat first."""
    for each in instructions:
        if isinstance(each, RepeatPrompt):
            return each.after(text)
    return text


def _beginning(text: str, share: float) -> str:
    """The first share of its pieces."""
    said = pieces(text)
    if not said or share == 1:
        return text
    return closed(text[: said[max(1, round(share * len(said))) - 1][1]])
