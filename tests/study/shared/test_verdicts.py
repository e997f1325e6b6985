"""Verdicts travel with a trial, and the best of all hosts is judged by them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.protocol import events
from autotune.score.prompt_order import shuffled
from autotune.study.selection_bias import without_selection_bias
from autotune.study.shared.total import study_total
from autotune.study.shared.verdicts import pack, unpack
from autotune.text.study import total_sentence
from tests import setups

ORDER = shuffled(setups.prompts(541), seed=7)


def first(count: int, passed: int) -> dict[int, bool]:
    """The first prompts of the order, and how many of them pass."""
    return {prompt.key: at < passed for at, prompt in enumerate(ORDER[:count])}


@given(st.lists(st.booleans(), max_size=len(ORDER)))
def test_verdicts_arrive_as_they_were_sent(passed: list[bool]) -> None:
    strict = {prompt.key: each for prompt, each in zip(ORDER, passed, strict=False)}
    assert unpack(ORDER, pack(ORDER, strict)) == strict


def test_all_of_ifeval_takes_sixty_eight_bytes() -> None:
    count, text = pack(ORDER, first(541, 135))
    assert (count, len(str(text))) == (541, 92)


@pytest.mark.parametrize("other", [None, "x", [600, "AA=="], [8, "!"], [8, ""], [1, 2]])
def test_what_is_no_verdicts_is_none(other: Any) -> None:
    assert unpack(ORDER, other) == {}


class Trial:
    """One of Optuna's trials, as far as it is looked at."""

    def __init__(self, number: int, passes: int, verdicts: Mapping[str, Any], host: str) -> None:
        self.number, self.value = number, passes / 541
        self.params: dict[str, Any] = {}
        self.intermediate_values: dict[int, float] = {}
        self.state = type("State", (), {"name": "COMPLETE"})
        self.user_attrs = {
            "strategy": "A",
            "host": host,
            "card": "cuda-1",
            "run_folder": f"/runs/{host}",
            "checkpoint": f"/runs/{host}/step-000008",
            "passes": passes,
            "n": 541,
            "counts": passes / 541,
            "verdicts": verdicts,
        }


def test_the_best_of_all_hosts_is_corrected_by_everybodys_verdicts() -> None:
    last = {prompt.key: at >= 541 - 140 for at, prompt in enumerate(ORDER)}
    strict = [last, first(541, 142), first(100, 20)]
    trials = [
        Trial(0, 140, {"step-000008": pack(ORDER, strict[0])}, "one"),
        Trial(
            1,
            142,
            {"step-000006": pack(ORDER, strict[2]), "step-000008": pack(ORDER, strict[1])},
            "two",
        ),
    ]
    setup = setups.setup(setups.profile())
    total = study_total("s", trials, ORDER, setup)
    corrected, interval = without_selection_bias(
        [strict[1], strict[0], strict[2]], setup.profile.prompts.seed
    )
    assert (total.best, total.candidates, total.corrected) == (1, 3, corrected)
    assert total.interval == interval and corrected < 142 / 541
    said = total_sentence(total)
    assert "142/541 26.2 %" in said and "on two, cuda-1: /runs/two/step-000008" in said
    assert "3 checkpoints of 2 trials on 2 hosts" in said


def test_a_study_without_a_score_says_so() -> None:
    failed = events.HostTrial(number=0, outcome="FAIL", host="one", card="cpu", run_folder="/r")
    total = events.StudyTotal(study="s", trials=(failed,), best=None, candidates=0)
    assert total_sentence(total) == "study s: no valid score in 1 trial on 1 host"
