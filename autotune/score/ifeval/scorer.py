"""IFEval: how many prompts and instructions an answer follows, strictly and loosely.

Strict is the answer as it stands. Loose also tries it without its first line, its last line, both,
and each of these without asterisks (Zhou et al., "Instruction-Following Evaluation for Large
Language Models", arXiv:2311.07911, section 2.3). The answer as it stands is one of the loose
variants, so what holds strictly holds loosely.
"""

from collections.abc import Mapping, Sequence

from autotune.base.errors import EnvironmentFault
from autotune.protocol.results import EvalReport, InstructionVerdict, PromptVerdict
from autotune.score.answers import Answer, match
from autotune.score.health import is_empty
from autotune.score.ifeval.checkers import build_check
from autotune.score.ifeval.instructions import INSTRUCTIONS, Argument, Instructions
from autotune.score.prompts import Prompt
from autotune.score.scorer import report_of

MAX_CHARACTERS = 2**17
"""Longest answer that is checked: eight times the longest real one seen (15 899 characters in 1 024
tokens). 1 280 tokens, the usual cap, of up to 102 characters (SmolLM2's longest has 81) never get
there, so that an answer can be known to pass before it is finished. Short enough that no verdict on
one instruction takes 5 s, loose variants included. No clock enforces that: a verdict would then
depend on how busy the machine is, and a thread cannot be stopped on every platform. Every checker
needs time linear in the text instead, and JSON's depth is capped, so that the worst case is known:
`tests/score/ifeval/test_fuzzed_answers.py` looks for a worse one."""


class IFEval:
    """The IFEval scorer; a `Scorer`."""

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return "ifeval"

    @property
    def instructions(self) -> Instructions:
        """The 25 kinds of the published set."""
        return INSTRUCTIONS

    @property
    def decides_early(self) -> bool:
        """`early` knows its rules."""
        return True

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> EvalReport:
        """The report over all `prompts`; one without an answer fails and is listed.

        Raises:
            EnvironmentFault: the published checkers are not installed.
        """
        matched, _ = match(prompts, answers)
        verdicts = [judge(prompt, matched.get(prompt.key)) for prompt in prompts]
        return report_of(prompts, answers, verdicts)


def judge(prompt: Prompt, answer: Answer | None) -> PromptVerdict:
    """The verdict on one answer; whatever its text, this returns."""
    response = None if answer is None else answer.response
    reason = _unfit(response)
    instructions = tuple(
        _verdict(instruction, kwargs, response or "", reason)
        for instruction, kwargs in zip(prompt.instruction_id_list, prompt.kwargs, strict=True)
    )
    return PromptVerdict(
        key=prompt.key,
        strict=all(each.strict for each in instructions),
        loose=all(each.loose for each in instructions),
        answered=response is not None,
        instructions=instructions,
    )


def loose_variants(response: str) -> tuple[str, ...]:
    """The texts that loose scoring tries, the response itself first, none twice, none blank."""
    lines = response.split("\n")
    cuts = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    texts = [response, response.replace("*", "")]
    texts += cuts + [cut.replace("*", "") for cut in cuts]
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def _unfit(response: str | None) -> str | None:
    """Why an answer fails every instruction unread, if it does."""
    if response is None:
        return "no answer"
    if is_empty(response):
        return "empty answer"
    if len(response) > MAX_CHARACTERS:
        return f"answer of {len(response)} characters; at most {MAX_CHARACTERS} are checked"
    return None


def _verdict(
    instruction: str, kwargs: Mapping[str, Argument], response: str, reason: str | None
) -> InstructionVerdict:
    """Both verdicts of one check; a text that it dies of is not followed, and `error` says so.

    One check serves both, so what a checker draws or remembers cannot part them.
    """
    if reason is not None:
        return InstructionVerdict(instruction=instruction, strict=False, loose=False, error=reason)
    strict = loose = False
    error: str | None = None
    try:
        check = build_check(instruction, kwargs)
    except EnvironmentFault:
        raise
    except Exception as fault:  # an instruction that nobody can check is not followed either
        error = _named(fault)
        return InstructionVerdict(instruction=instruction, strict=False, loose=False, error=error)
    for variant in loose_variants(response):
        try:
            loose = check(variant)
        except ImportError as fault:  # else every answer would fail, and nobody would know why
            raise EnvironmentFault(
                f"scoring needs the package {fault.name}, which cannot be imported ({fault});"
                " install smolsft-autotune again"
            ) from fault
        except Exception as fault:  # a checker may die of anything; one answer must not end a run
            error = error or _named(fault)
        if loose:
            strict = variant is response
            break
    return InstructionVerdict(instruction=instruction, strict=strict, loose=loose, error=error)


def _named(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"[:200]
