"""A prompt with one right final answer."""

from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from autotune.score.exact.final import MARK, Final, expected_of
from autotune.score.jsonl import shape
from autotune.score.prompts import (
    Prompt,
    PromptFault,
    demand_characters,
    key_and_text,
    read_prompts,
)

_NAMES = "prompt and answer (and key, if you like)"


class ExactPrompt(Prompt):
    """One prompt; `answer` is as the record gives it, a worked solution that ends in `#### 42` too.

    Example:
        `ExactPrompt(key=0, prompt="What is 6 times 7?", answer="42")`
    """

    model_config = ConfigDict(extra="forbid")

    answer: str

    @property
    def expected(self) -> Final:
        """The final answer that passes."""
        found = expected_of(self.answer)
        if found is None:
            raise ValueError(f"prompt {self.key} has no answer")
        return found


def read_exact_prompts(path: Path) -> tuple[ExactPrompt, ...]:
    """The prompts of a JSON Lines file with `prompt` and `answer`; other fields are passed over.

    Without a `key` a prompt's key is its place in the file, counted from 0.

    Raises:
        BadInput: the first fault, as `file:line: what`, or a file without prompts.
    """
    return read_prompts(path, _prompt, _NAMES)


def _prompt(record: dict[str, Any], number: int) -> ExactPrompt:
    """The prompt of one record; raises PromptFault."""
    for name in ("prompt", "answer"):
        if name not in record:
            raise PromptFault(
                f"lacks {name!r}; a prompt of --scorer exact has {_NAMES}, give a file of them with"
                " --prompts"
            )
    key, text = key_and_text({"key": number} | record)
    return ExactPrompt(key=key, prompt=text, answer=_answer(record["answer"]))


def _answer(given: Any) -> str:
    """A record's answer as a text; a number of JSON is written as it stands there."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise PromptFault(f"answer must be a text or a number, not {shape(given)}")
    text = given if isinstance(given, str) else repr(given)
    if text in ("nan", "inf", "-inf"):
        raise PromptFault(f"answer is {text}, which no answer can be")
    expected = expected_of(text)
    if expected is None:
        raise PromptFault("answer is blank; without it no verdict is possible")
    if expected.value is None and len(expected.text.splitlines()) > 1:
        # Of a response one line is compared, so nothing could pass.
        raise PromptFault(
            "answer has several lines and none of them says which is the final answer; end it with"
            f" a line {MARK} and the answer"
        )
    demand_characters("answer", text)
    return text
