"""A cap on new tokens that leaves no room for what the prompts ask for is said, with how many."""

from dataclasses import replace

import pytest

from autotune.cli.low_cap import say_low_cap
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from autotune.text.answer_length import low_cap_sentence
from tests import setups


def prompt(key: int, name: str = "punctuation:no_comma", **kwargs: object) -> IFEvalPrompt:
    return IFEvalPrompt(key=key, prompt="Write.", instruction_id_list=(name,), kwargs=(kwargs,))


def words(key: int, count: int, relation: str = "at least") -> IFEvalPrompt:
    return prompt(key, "length_constraints:number_words", num_words=count, relation=relation)


def said(cap: int, *prompts: IFEvalPrompt, source: str = "own.jsonl") -> str | None:
    return low_cap_sentence(IFEval(), prompts, source, cap)


def test_prompts_that_ask_for_more_words_than_fit_are_counted() -> None:
    asked = [words(0, 300), words(1, 40), words(2, 600, "less than"), prompt(3)]
    line = said(256, *asked)
    assert line is not None
    assert line.startswith(
        "--max-new-tokens 256: 1 of 4 prompts asks for more words than fit, up to about 409 tokens"
    )
    assert said(409, *asked) is None


def test_a_text_to_repeat_takes_its_words_as_well() -> None:
    long = prompt(0, "combination:repeat_prompt", prompt_to_repeat="word " * 100)
    assert "1 of 1 prompt asks" in str(said(100, long))
    assert said(136, long) is None


def test_less_than_a_point_of_score_is_no_reason_to_change_a_cap() -> None:
    many = [words(0, 2000), *map(prompt, range(1, 101))]
    assert said(1280, *many) is None
    assert "1 of 100 prompts" in str(said(1280, *many[:100]))


@pytest.mark.parametrize(("cap", "share"), [(48, "85 %"), (50, "80 %"), (286, "50 %"), (287, None)])
def test_of_the_published_prompts_it_is_known_what_most_answers_take(
    cap: int, share: str | None
) -> None:
    line = said(cap, prompt(0), source="ifeval")
    assert said(cap, prompt(0)) is None
    if share is None:
        assert line is None
    else:
        expected = (
            f"most answers to IFEval need more (of GPT-4's published ones {share} are longer)"
        )
        assert expected in str(line)


def test_a_run_says_it_of_its_own_prompts_and_cap() -> None:
    lines: list[str] = []
    setup = replace(setups.setup(setups.profile()), prompts=(words(0, 900), words(1, 10)))
    say_low_cap(setup, lines.append)
    cap = setup.profile.evaluate.max_new_tokens
    assert [line.partition(": ")[0] for line in lines] == [f"--max-new-tokens {cap}"]
    say_low_cap(replace(setup, prompts=(words(1, 10),)), lines.append)
    assert len(lines) == 1
