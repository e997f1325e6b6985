"""The strict verdict on an answer before it is finished, as soon as nothing can change it.

Only the strict one: loose scoring takes lines and asterisks away, and health asks how an answer
ends. An answer that is dropped here has neither.
"""

from autotune.score.ifeval.instruction import Instruction, lacks
from autotune.score.ifeval.instructions import CLASSES
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.scorer import EarlyVerdict

MAX_CHARACTERS = 2**17
"""Longest answer that is checked: eight times the longest real one seen (15 899 characters in 1 024
tokens). 1 280 tokens, the usual cap, of up to 102 characters (SmolLM2's longest has 81) never get
there, so that an answer can be known to pass before it is finished. Short enough that no verdict on
one instruction takes 5 s, loose variants included. No clock enforces that: a verdict would then
depend on how busy the machine is, and a thread cannot be stopped on every platform. Every checker
needs time linear in the text instead, and JSON's depth is capped, so that the worst case is known:
`tests/score/ifeval/test_fuzzed_answers.py` looks for a worse one."""


class IFEvalEarlyJudge:
    """Looks at one prompt's answer while it grows; an `EarlyJudge`."""

    def __init__(self, prompt: IFEvalPrompt) -> None:
        self._key = prompt.key
        self._instructions = [
            (name, CLASSES[name](kwargs) if name in CLASSES else None)
            for name, kwargs in zip(prompt.instruction_id_list, prompt.kwargs, strict=True)
        ]

    def look(self, so_far: str, longest: int | None = None) -> EarlyVerdict | None:
        """The verdict on every answer that begins with `so_far`, None while it is open.

        `so_far` is the decoded text of all new tokens; halves of characters at its end are passed
        over. `longest` is the most characters that the whole answer can get, None if unknown: an
        answer beyond the scorer's cap fails, so only one that cannot get there passes early.
        Time is linear in the text.
        """
        text = so_far.rstrip("\ufffd")  # bytes of a character whose others are still to come
        if len(text) > MAX_CHARACTERS:
            return self._verdict(text, False, self._instructions[0][0])
        if not text.strip():
            return None
        passed = True
        for name, instruction in self._instructions:
            verdict = _decide(instruction, text)
            if verdict is False:
                return self._verdict(text, False, name)
            passed = passed and verdict is True
        if passed and longest is not None and longest <= MAX_CHARACTERS:
            return self._verdict(text, True, None)
        return None

    def _verdict(self, text: str, strict: bool, instruction: str | None) -> EarlyVerdict:
        return EarlyVerdict(
            key=self._key, strict=strict, instruction=instruction, characters=len(text)
        )


def _decide(instruction: Instruction | None, text: str) -> bool | None:
    """What is certain of one instruction; nothing of one that nobody knows."""
    try:
        return instruction.decide_early(text) if instruction is not None else None
    except ImportError as fault:
        raise lacks(fault) from fault
    except Exception:  # arguments or a text that it raises on are the scorer's to judge
        return None
