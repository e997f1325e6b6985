"""IFEval: how many prompts and instructions an answer follows, strictly and loosely.

Strict is the answer as it stands. Loose also tries it without its first line, its last line, both,
and each of these without asterisks (Zhou et al., "Instruction-Following Evaluation for Large
Language Models", arXiv:2311.07911, section 2.3). The answer as it stands is one of the loose
variants, so what holds strictly holds loosely.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotune.base.format import percent
from autotune.protocol.results import EvalReport, InstructionVerdict, PromptVerdict
from autotune.score.answers import Answer, match
from autotune.score.health import echo_answers, is_empty
from autotune.score.ifeval.answer_length import least_tokens, usually_longer
from autotune.score.ifeval.arguments import ArgumentFault, Arguments
from autotune.score.ifeval.combination import RepeatPrompt
from autotune.score.ifeval.early_verdict import MAX_CHARACTERS, IFEvalEarlyJudge
from autotune.score.ifeval.instruction import Instruction, lacks
from autotune.score.ifeval.instructions import CLASSES, instruction_of
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.prompts import Prompt, as_own
from autotune.score.scorer import (
    Baseline,
    EarlyJudge,
    Figure,
    FullSet,
    Scorer,
    report_of,
    share,
)

ECHO = Baseline(
    name="echo",
    answers=echo_answers,
    described="the prompt given back unchanged (echo)",
    brief="prompt given back",
    deed="Giving each prompt back unchanged",
    likened="an echo",
)
"""A prompt contains the words that it asks for, so repeating it passes a quarter of them."""


class IFEval(Scorer):
    """The IFEval scorer."""

    name = "ifeval"
    title = "IFEval"
    main = Figure(name="prompt strict", column="prompts passed, strict")
    others = (
        Figure("instruction strict", "instruct. strict", key="instruction_strict"),
        Figure("prompt loose", "prompts loose", key="prompt_loose"),
        Figure("instruction loose", key="instruction_loose"),
    )
    prompt_type = IFEvalPrompt
    judges_by = ("instructions", "instructions")
    full_set = FullSet(title="IFEval", source="ifeval", count=541)
    baselines = (ECHO,)
    decides_early = True

    def read_prompts(self, path: Path) -> tuple[IFEvalPrompt, ...]:
        """The prompts of a file in the format of the published set; see `read_ifeval_prompts`."""
        return read_ifeval_prompts(path)

    def early_judge(self, prompt: Prompt) -> EarlyJudge:
        """The judge that asks each instruction's `decide_early`."""
        (own,) = as_own(IFEvalPrompt, [prompt])
        return IFEvalEarlyJudge(own)

    def passes(self, prompt: Prompt, response: str) -> bool:
        """Whether a text follows every instruction of a prompt, strictly."""
        (own,) = as_own(IFEvalPrompt, [prompt])
        return _unfit(response) is None and all(
            _follows(name, kwargs, response)
            for name, kwargs in zip(own.instruction_id_list, own.kwargs, strict=True)
        )

    def asks_for_itself(self, prompt: Prompt) -> bool:
        """Whether one of its instructions is to repeat the prompt."""
        (own,) = as_own(IFEvalPrompt, [prompt])
        return RepeatPrompt.id in own.instruction_id_list

    def least_tokens(self, prompt: Prompt) -> int:
        """Of the words that a prompt asks for, or asks to repeat."""
        (own,) = as_own(IFEvalPrompt, [prompt])
        return least_tokens(own)

    def usually_longer(self, tokens: int) -> float:
        """Of GPT-4's published answers."""
        return usually_longer(tokens)

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> EvalReport:
        """The report over all `prompts`; one without an answer fails and is listed.

        Raises:
            EnvironmentFault: a package that a check needs is not installed.
        """
        matched, _ = match(prompts, answers)
        own = as_own(IFEvalPrompt, prompts)
        verdicts = [judge(prompt, matched.get(prompt.key)) for prompt in own]
        return with_instructions(report_of(prompts, answers, verdicts))

    def explain(
        self, prompt: Prompt, verdict: PromptVerdict, response: str | None
    ) -> tuple[str, ...]:
        """A sentence for each instruction that the answer does not follow."""
        (own,) = as_own(IFEvalPrompt, [prompt])
        return tuple(
            failing(each, kwargs, response)
            for each, kwargs in zip(verdict.instructions, own.kwargs, strict=True)
            if not each.strict
        )

    def means(self, report: EvalReport) -> dict[str, float]:
        """The means that tables elsewhere call "IFEval", by what they are of.

        `strict` is the Open LLM Leaderboard's; other tables have that of all four figures.
        """
        shares = {key: metric.accuracy for key, metric in report.named_figures.items()}
        strict = (report.score.accuracy + shares["instruction_strict"]) / 2
        loose = (shares["prompt_loose"] + shares["instruction_loose"]) / 2
        return {"strict": strict, "loose": loose, "four": (strict + loose) / 2}

    def remark(self, report: EvalReport) -> str:
        """The means by name, so that none is held against one of another kind."""
        means = self.means(report)
        strict, loose, four = (percent(means[kind]) for kind in ("strict", "loose", "four"))
        return (
            f"mean of the strict two {strict}, of the loose two {loose}, of all four {four}:"
            " compare a published figure with the one of its kind"
        )

    def sample_fields(self, prompt: Prompt, verdict: PromptVerdict) -> dict[str, Any]:
        """As the task `ifeval` of lm-evaluation-harness logs a prompt."""
        values = {
            "prompt_level_strict_acc": verdict.strict,
            "inst_level_strict_acc": [each.strict for each in verdict.instructions],
            "prompt_level_loose_acc": verdict.loose,
            "inst_level_loose_acc": [each.loose for each in verdict.instructions],
        }
        return {"target": "0", "metrics": list(values), **values}


def with_instructions(report: EvalReport) -> EvalReport:
    """A report with the figures that its verdicts on instructions and its loose ones give."""
    instructions = [each for verdict in report.verdicts for each in verdict.instructions]
    return report.model_copy(
        update={
            "instruction_strict": share([each.strict for each in instructions]),
            "prompt_loose": share([verdict.loose for verdict in report.verdicts]),
            "instruction_loose": share([each.loose for each in instructions]),
            "by_type": {
                kind: share([each.strict for each in instructions if each.instruction == kind])
                for kind in sorted({each.instruction for each in instructions})
            },
        }
    )


def judge(prompt: IFEvalPrompt, answer: Answer | None) -> PromptVerdict:
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


def _verdict(name: str, kwargs: Arguments, response: str, reason: str | None) -> InstructionVerdict:
    """Both verdicts of one check; a text that it fails on is not followed, and `error` explains it.

    One instruction serves both, so what a checker draws or remembers cannot part them.
    """
    if reason is not None:
        return InstructionVerdict(instruction=name, strict=False, loose=False, error=reason)
    strict = loose = False
    error: str | None = None
    try:
        instruction = instruction_of(name, kwargs)
    except ArgumentFault as fault:  # an instruction that nobody can check is not followed either
        error = _named(fault)
        return InstructionVerdict(instruction=name, strict=False, loose=False, error=error)
    for variant in loose_variants(response):
        loose, died_of = _check(instruction, variant)
        error = error or died_of
        if loose:
            strict = variant is response
            break
    return InstructionVerdict(instruction=name, strict=strict, loose=loose, error=error)


def _follows(name: str, kwargs: Arguments, response: str) -> bool:
    try:
        return _check(instruction_of(name, kwargs), response)[0]
    except ArgumentFault:
        return False


def _check(instruction: Instruction, text: str) -> tuple[bool, str | None]:
    """Whether a text follows, and what the checker died of, if it did."""
    try:
        return instruction.check(text), None
    except ImportError as fault:
        raise lacks(fault) from fault
    except Exception as fault:  # a checker may die of anything; one answer must not end a run
        return False, _named(fault)


def failing(verdict: InstructionVerdict, kwargs: Arguments, response: str | None) -> str:
    """Why `response` does not strictly follow, such as "3 sentences, at least 5 are required".

    An instruction that IFEval does not know is named, no more.
    """
    if response is None or not response.strip():
        return "no answer"
    if verdict.error is not None:
        return verdict.error
    try:
        return CLASSES[verdict.instruction](kwargs).explain(response)
    except Exception:  # a text that a count raises on has failed, whatever its other results
        return f"does not follow {verdict.instruction}"


def _named(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"[:200]
