"""Exact final answers: how many prompts end in the right number or words.

The rule is in `final`. It is close to the task `gsm8k` of lm-evaluation-harness: the score to its
`flexible-extract`, and the figure beside it, the passes whose answer is marked with `####`, to its
`strict-match`.
"""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from autotune.protocol.results import EvalReport, PromptVerdict
from autotune.score.answers import Answer, match
from autotune.score.exact.final import MARK, Final, final_of
from autotune.score.exact.prompts import ExactPrompt, read_exact_prompts
from autotune.score.health import HEALTH_CHECKS
from autotune.score.prompts import Prompt, as_own
from autotune.score.scorer import Baseline, Figure, Scorer, report_of, share


def constant_answers(prompts: Sequence[Prompt]) -> tuple[Answer, ...]:
    """The most common right answer, given to every prompt; of equally common ones the first."""
    own = as_own(ExactPrompt, prompts)
    texts: dict[Fraction | str, str] = {}
    for prompt in own:
        texts.setdefault(prompt.expected.identity, prompt.expected.text)
    common = Counter(prompt.expected.identity for prompt in own).most_common(1)
    text = texts[common[0][0]] if common else ""
    return tuple(
        Answer(key=p.key, prompt=p.prompt, response=f"{MARK} {text}", finish="stop") for p in own
    )


CONSTANT = Baseline(
    name="constant",
    answers=constant_answers,
    described="the most common answer, to every prompt (constant)",
    brief="most common answer",
    deed="Giving every prompt the most common answer",
    likened="a constant",
)


class Exact(Scorer):
    """The scorer of exact final answers."""

    name = "exact"
    title = "Exact answers"
    main = Figure(name="exact answers", column="answers exact")
    others = (Figure(f"marked with {MARK}", f"with {MARK}", key="marked"),)
    prompt_type = ExactPrompt
    judges_by = ("an answer", "answers")
    baselines = (CONSTANT,)
    # A right answer may be one word, so few words are no fault.
    health_checks = HEALTH_CHECKS - {"vacuous"}

    def read_prompts(self, path: Path) -> tuple[ExactPrompt, ...]:
        """The prompts of a file; see `read_exact_prompts`."""
        return read_exact_prompts(path)

    def passes(self, prompt: Prompt, response: str) -> bool:
        """Whether a text ends in the right answer."""
        (own,) = as_own(ExactPrompt, [prompt])
        return _is_right(final_of(response, own.expected), own)

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> EvalReport:
        """The report over all `prompts`; one without an answer fails and is listed."""
        matched, _ = match(prompts, answers)
        verdicts, marked = [], []
        for prompt in as_own(ExactPrompt, prompts):
            answer = matched.get(prompt.key)
            response = answer.response if answer is not None else None
            found = final_of(response, prompt.expected) if response is not None else None
            passed = _is_right(found, prompt)
            verdicts.append(
                PromptVerdict(
                    key=prompt.key, strict=passed, loose=passed, answered=response is not None
                )
            )
            marked.append(passed and found is not None and found.marked)
        report = report_of(prompts, answers, verdicts, self.health_checks)
        return report.model_copy(update={"figures": {"marked": share(marked)}})

    def explain(
        self, prompt: Prompt, verdict: PromptVerdict, response: str | None
    ) -> tuple[str, ...]:
        """What is answered, and what would be right."""
        (own,) = as_own(ExactPrompt, [prompt])
        if response is None or not response.strip():
            return ("no answer",)
        found = final_of(response, own.expected)
        return (f"{_said(found)}, {_quoted(own.expected)} is right",)

    def sample_fields(self, prompt: Prompt, verdict: PromptVerdict) -> dict[str, Any]:
        """As the task `gsm8k` of lm-evaluation-harness logs a prompt."""
        (own,) = as_own(ExactPrompt, [prompt])
        return {
            "target": own.answer,
            "metrics": ["exact_match"],
            "exact_match": float(verdict.strict),
        }


def _is_right(found: Final | None, prompt: ExactPrompt) -> bool:
    return found is not None and found.identity == prompt.expected.identity


def _said(found: Final | None) -> str:
    return "no number" if found is None else f"ends in {_quoted(found)}"


def _quoted(final: Final) -> str:
    return final.text if final.value is not None else f'"{final.text}"'
