"""Reading answers, ours and other tools', and giving each to its prompt."""

import json
import tracemalloc
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.score.answers import Answer, answers_to, match, read_answers
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.jsonl import is_cut_off


def prompt(key: int, text: str) -> IFEvalPrompt:
    return IFEvalPrompt(
        key=key, prompt=text, instruction_id_list=("punctuation:no_comma",), kwargs=({},)
    )


def test_our_own_records_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    answers = (
        Answer(key=1, prompt="a", response="é\n", finish="stop", new_tokens=3),
        Answer(key=2, prompt="b", response=None),
        Answer(key=2, prompt="b", response="drawn", finish="length", new_tokens=9, sample=1),
    )
    path.write_text("".join(a.model_dump_json() + "\n" for a in answers), encoding="utf-8")
    assert read_answers(path) == answers


def test_only_an_answer_that_was_drawn_says_which_sample_it_is() -> None:
    greedy = Answer(key=1, prompt="a", response="b", finish="stop", new_tokens=1)
    assert list(greedy.model_dump()) == ["key", "prompt", "response", "finish", "new_tokens"]
    drawn = greedy.model_copy(update={"sample": 0})
    assert drawn.model_dump_json() == greedy.model_dump_json()[:-1] + ',"sample":0}'


def test_a_foreign_file_with_other_keys_is_read(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text('{"prompt": "a", "response": "b", "model": "x", "logprob": [1]}\n', "utf-8")
    assert read_answers(path) == (Answer(prompt="a", response="b"),)


WHOLE = (
    '{"key": 12, "prompt": "a\\u00e9 \\n \U0001f600 é", "response": null,'
    ' "l": [1.5e3, true, {"a": -2}]}'
).encode()


def test_each_beginning_of_a_line_is_one_that_was_cut_off() -> None:
    assert [cut for cut in range(1, len(WHOLE)) if not is_cut_off(WHOLE[:cut])] == []
    assert not is_cut_off(WHOLE)


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b'["a", "b"]',
        b'["a", "b"',
        b'{"prompt": "a", "response": "b"} and more',
        b'{"prompt": "a", }',
        b'{"prompt" "a"',
        b'{"prompt": "\xff',
        b'{"prompt": "a\tb", "response": "c"}',
        b'{"prompt": "a", "prompt": "b", "response": "c"}',
        b'{"prompt": "a"}',
    ],
)
def test_a_last_line_that_is_wrong_is_not_said_to_be_truncated(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_bytes(b'{"prompt": "a", "response": "b"}\n' + line)
    with pytest.raises(BadInput, match=":2: "):
        answers_to(path, [prompt(1, "a")])


@pytest.mark.parametrize("cut", [1, 5, 20, 29])
def test_a_truncated_last_line_is_passed_over_even_inside_a_character(
    tmp_path: Path, cut: int
) -> None:
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
        ({"prompt": "a", "response": 3}, "response is 3: must be a text, or null where none"),
        ({"prompt": "a", "response": "b", "key": "1"}, "key is '1': must be a whole number"),
        (
            {"prompt": "a", "response": "b", "finish": "eos"},
            "finish is 'eos': must be stop, length or left",
        ),
        (
            {"prompt": "a", "response": "b", "sample": -1},
            "sample is -1: must be a whole number from",
        ),
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


def test_white_space_at_the_ends_of_a_prompt_does_not_matter_without_a_key() -> None:
    prompts = [prompt(1, "No commas please."), prompt(2, "Say it in lower case.")]
    given = [
        Answer(prompt="No commas please.", response="ok fine"),
        Answer(prompt="  Say it in lower case.\r\n", response="ok fine then"),
    ]
    matched, unmatched = match(prompts, given)
    assert {key: answer.response for key, answer in matched.items()} == {
        1: "ok fine",
        2: "ok fine then",
    }
    assert unmatched == ()
    assert match([prompt(3, "\u00a0one\n")], [Answer(prompt="one", response="1")])[1] == ()


def test_prompts_that_differ_at_their_ends_only_have_each_its_own_answer() -> None:
    prompts = [prompt(1, "one"), prompt(2, "one\n")]
    given = [Answer(prompt=p.prompt, response=str(p.key)) for p in prompts]
    for order in (given, given[::-1]):
        matched, _ = match(prompts, order)
        assert {key: answer.response for key, answer in matched.items()} == {1: "1", 2: "2"}


def test_white_space_within_a_prompt_is_another_text_without_a_key() -> None:
    assert match([prompt(1, "one two")], [Answer(prompt="one  two", response="x")])[1] == (1,)


def test_an_answer_with_the_key_goes_before_one_with_the_text() -> None:
    given = [Answer(key=1, prompt="one", response="key"), Answer(prompt="one", response="text")]
    assert match([prompt(1, "one")], given)[0][1].response == "key"


def file_of(path: Path, *given: Answer, end: str = "\n") -> Path:
    text = "\n".join(json.dumps(answer.model_dump()) for answer in given)
    path.write_text(text + end, encoding="utf-8")
    return path


def test_only_the_answers_that_belong_to_a_prompt_are_kept_and_the_others_counted(
    tmp_path: Path,
) -> None:
    used = (Answer(key=2, prompt="two", response="2"), Answer(prompt="one\n", response="1"))
    path = file_of(
        tmp_path / "a.jsonl",
        Answer(prompt="one\n", response="an earlier one"),
        used[0],
        Answer(key=9, prompt="nine", response="9"),
        used[1],
        Answer(key=2, prompt="reworded", response="x"),
    )
    found = answers_to(path, [prompt(1, "one"), prompt(2, "two")])
    assert (found.answers, found.seen, found.truncated_end) == (used, 5, False)
    assert (found.unknown, found.replaced) == (2, 1)
    assert found.first_replaced == Answer(prompt="one\n", response="an earlier one")
    assert found.first_unknown == Answer(key=9, prompt="nine", response="9")


def test_an_answer_that_two_prompts_of_one_text_take_is_no_stray(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", Answer(prompt="same", response="x"))
    found = answers_to(path, [prompt(1, "same"), prompt(2, "same ")])
    assert (len(found.answers), found.unknown, found.replaced) == (1, 0, 0)
    assert found.first_unknown is found.first_replaced is None


def test_the_memory_of_reading_depends_on_the_prompts_and_not_on_the_file(tmp_path: Path) -> None:
    """A million lines take 500 MiB at most: benchmarks/responses_rows.py measures the command."""
    text = "x" * 2_000
    lines = [Answer(prompt="one", response=text), Answer(prompt="another", response=text)] * 2_000
    path = file_of(tmp_path / "many.jsonl", *lines)
    asked = [prompt(1, "one")]
    answers_to(path, asked)
    tracemalloc.start()
    found = answers_to(path, asked)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(found.answers), found.unknown, found.replaced) == (1, 2_000, 1_999)
    assert path.stat().st_size > 8_000_000 > 20 * peak
