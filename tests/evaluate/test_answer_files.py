"""Reading answers, ours and other tools', and giving each to its prompt."""

import json
from pathlib import Path

import pytest

from autotune.errors import BadInput
from autotune.evaluate.answers import Answer, match, read_answers
from autotune.evaluate.prompts import Prompt


def prompt(key: int, text: str) -> Prompt:
    return Prompt(key=key, prompt=text, instruction_id_list=("punctuation:no_comma",), kwargs=({},))


def test_our_own_records_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    answers = (
        Answer(key=1, prompt="a", response="é\n", finish="stop", new_tokens=3),
        Answer(key=2, prompt="b", response=None),
    )
    path.write_text("".join(a.model_dump_json() + "\n" for a in answers), encoding="utf-8")
    assert read_answers(path) == answers


def test_a_foreign_file_with_other_keys_is_read(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text('{"prompt": "a", "response": "b", "model": "x", "logprob": [1]}\n', "utf-8")
    assert read_answers(path) == (Answer(prompt="a", response="b"),)


@pytest.mark.parametrize("cut", [1, 5, 20, 29])
def test_a_torn_last_line_is_passed_over_even_inside_a_character(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "responses.jsonl"
    whole = b'{"prompt": "a", "response": "b"}\n'
    torn = '{"prompt": "c", "response": "é"}'.encode()[:cut]
    path.write_bytes(whole + torn)
    assert [answer.prompt for answer in read_answers(path)] == ["a"]
    path.write_bytes(whole + torn + b"\n")
    with pytest.raises(BadInput, match=":2: not"):
        read_answers(path)


def test_a_last_line_that_only_lacks_its_newline_counts(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_bytes(b'{"prompt": "a", "response": "b"}')
    assert len(read_answers(path)) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"prompt": "a"}, "lacks 'response'; an answer has prompt and response"),
        ({"response": "a"}, "lacks 'prompt'"),
        ({"prompt": "a", "response": 3}, "response is 3"),
        ({"prompt": "a", "response": "b", "key": "1"}, "key is '1'"),
        ({"prompt": "a", "response": "b", "finish": "eos"}, "finish is 'eos'"),
        (["a", "b"], "must be a JSON object"),
    ],
)
def test_a_line_that_is_no_answer_is_named(tmp_path: Path, line: object, said: str) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_answers(path)
    assert str(caught.value).startswith(f"{path}:1: ")
    assert said in str(caught.value)


def test_half_of_a_surrogate_pair_becomes_a_replacement_character(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text('{"prompt": "a", "response": "\\ud83d!"}\n', encoding="utf-8")
    assert read_answers(path)[0].response == "\ufffd!"


def test_answers_without_keys_belong_to_the_prompt_with_exactly_their_text() -> None:
    prompts = [prompt(1, "one"), prompt(2, "two")]
    matched, unmatched = match(prompts, [Answer(prompt="two", response="2")])
    assert matched == {2: Answer(prompt="two", response="2")}
    assert unmatched == (1,)


def test_an_answer_to_a_prompt_that_was_reworded_since_leaves_it_unmatched() -> None:
    prompts = [prompt(1, "one, reworded"), prompt(2, "two")]
    for key in (None, 1):
        matched, unmatched = match(
            prompts, [Answer(key=key, prompt="one", response="1"), Answer(prompt="x", response="y")]
        )
        assert (matched, unmatched) == ({}, (1, 2))


def test_answers_with_keys_tell_prompts_of_the_same_text_apart() -> None:
    prompts = [prompt(1, "same"), prompt(2, "same")]
    answers = [Answer(key=k, prompt=" same\n", response=str(k)) for k in (2, 1)]
    matched, unmatched = match(prompts, answers)
    assert {key: answer.response for key, answer in matched.items()} == {1: "1", 2: "2"}
    assert unmatched == ()


def test_of_several_answers_to_one_prompt_the_last_counts() -> None:
    answers = [Answer(prompt="one", response=text) for text in ("first", "last")]
    assert match([prompt(1, "one")], answers)[0][1].response == "last"
