"""Any answer has a verdict, soon, and the same one again."""

import time

import pytest

from autotune.evaluate.answers import Answer
from autotune.evaluate.ifeval import MAX_CHARACTERS, judge
from tests.asked import fuzzed

REASONS = (
    "empty answer",
    f"answer of {MAX_CHARACTERS + 1} characters",
    "ValueError: JSON nested deeper",
)


def slowest(count: int, seed: int) -> float:
    """CPU seconds of the slowest verdict for each instruction in it; fails where one is wrong."""
    worst = 0.0
    for prompt, text in fuzzed(count, seed):
        started = time.process_time()
        verdict = judge(prompt, Answer(prompt=prompt.prompt, response=text))
        seconds = (time.process_time() - started) / len(prompt.instruction_id_list)
        worst = max(worst, seconds)
        assert seconds < 5.0, (prompt.instruction_id_list, text[:80])
        assert verdict.answered
        assert all(each.loose for each in verdict.instructions if each.strict)
        for each in verdict.instructions:
            assert each.error is None or each.error.startswith(
                (
                    "empty answer",
                    f"answer of {MAX_CHARACTERS + 1} characters",
                    "ValueError: JSON nested deeper",
                )
            )
            assert each.error is None or not each.strict
    return worst


def test_three_hundred_answers_made_to_break_checkers_all_get_their_verdict_in_time() -> None:
    slowest(300, seed=1)


@pytest.mark.slow
def test_ten_thousand_answers_made_to_break_checkers_all_get_their_verdict_in_time() -> None:
    print(f"slowest verdict: {slowest(10_000, seed=2):.2f} s")


def test_a_second_scoring_gives_the_same_verdicts() -> None:
    for prompt, text in fuzzed(40, seed=3):
        answer = Answer(prompt=prompt.prompt, response=text)
        assert judge(prompt, answer) == judge(prompt, answer)
