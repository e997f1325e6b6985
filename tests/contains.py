"""A second scorer, whole: an answer passes if it contains the text that is expected."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autotune.protocol.results import EvalReport, InstructionVerdict, PromptVerdict
from autotune.score.answers import Answer, match
from autotune.score.ifeval.arguments import ArgumentFault
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import ECHO
from autotune.score.prompts import Prompt
from autotune.score.scorer import Figure, Scorer, report_of


def expected(value: Any) -> str:
    """The reader of the one argument."""
    if not isinstance(value, str) or not value:
        raise ArgumentFault("must be a text")
    return value


class Contains(Scorer):
    """The scorer; prompts ask for the instruction `contains` with the argument `expected`."""

    name = "contains"
    title = "Contains"
    main = Figure(name="contains", column="answers that contain it")
    prompt_type = IFEvalPrompt
    baselines = (ECHO,)
    instructions: Mapping[str, Mapping[str, Any]] = {"contains": {"expected": expected}}

    def read_prompts(self, path: Path) -> tuple[IFEvalPrompt, ...]:
        return read_ifeval_prompts(path, self.instructions)

    def passes(self, prompt: Prompt, response: str) -> bool:
        assert isinstance(prompt, IFEvalPrompt)
        return all(str(kwargs["expected"]) in response for kwargs in prompt.kwargs)

    def score(self, prompts: Sequence[IFEvalPrompt], answers: Sequence[Answer]) -> EvalReport:
        matched, _ = match(prompts, answers)
        verdicts = []
        for prompt in prompts:
            answer = matched.get(prompt.key)
            text = (answer.response if answer else None) or ""
            each = tuple(
                InstructionVerdict(instruction=name, strict=found, loose=found)
                for name, kwargs in zip(prompt.instruction_id_list, prompt.kwargs, strict=True)
                for found in [str(kwargs["expected"]) in text]
            )
            passed = all(v.strict for v in each)
            verdicts.append(
                PromptVerdict(
                    key=prompt.key,
                    strict=passed,
                    loose=passed,
                    answered=answer is not None,
                    instructions=each,
                )
            )
        return report_of(prompts, answers, verdicts)

    def explain(
        self, prompt: IFEvalPrompt, verdict: PromptVerdict, response: str | None
    ) -> tuple[str, ...]:
        return tuple(
            f"does not follow {each.instruction}"
            for each in verdict.instructions
            if not each.strict
        )
