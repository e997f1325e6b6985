"""Reading prompts in IFEval's format, and choosing fixed subsets of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import BadInput
from autotune.score.ifeval.arguments import LANGUAGES
from autotune.score.ifeval.instructions import INSTRUCTIONS
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.prompts import subset

COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}


def record(**changes: Any) -> dict[str, Any]:
    return {"key": 1, "prompt": "Say hello.", **COMMA, **changes}


def write(tmp_path: Path, *records: Any) -> Path:
    path = tmp_path / "prompts.jsonl"
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return path


def with_kwargs(instruction: str, *kwargs: Any) -> dict[str, Any]:
    return record(instruction_id_list=[instruction], kwargs=list(kwargs))


def test_a_prompt_is_read_with_its_instructions_and_written_back_as_the_same_value(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        record(
            instruction_id_list=["keywords:existence", "punctuation:no_comma"],
            kwargs=[{"keywords": ["sun", "sea"]}, {}],
        ),
    )
    (prompt,) = read_ifeval_prompts(path)
    assert prompt.kwargs == ({"keywords": ("sun", "sea")}, {})
    assert IFEvalPrompt.model_validate_json(prompt.model_dump_json()) == prompt


def test_a_byte_order_mark_crlf_and_blank_lines_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    plain = read_ifeval_prompts(write(tmp_path, record()))
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(record()).encode() + b"\r\n\r\n  \n")
    assert read_ifeval_prompts(path) == plain


def test_arguments_padded_with_none_are_as_unpadded(tmp_path: Path) -> None:
    names = {name for readers in INSTRUCTIONS.values() for name in readers}
    padded = {name: None for name in sorted(names)} | {"relation": "at least", "num_words": 5.0}
    plain = {"relation": "at least", "num_words": 5}
    words = "length_constraints:number_words"
    assert read_ifeval_prompts(write(tmp_path, with_kwargs(words, padded))) == read_ifeval_prompts(
        write(tmp_path, with_kwargs(words, plain))
    )
    assert read_ifeval_prompts(write(tmp_path, record(kwargs=[None]))) == read_ifeval_prompts(
        write(tmp_path, record())
    )


FREQUENCY = "keywords:letter_frequency"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"key": 1,', "not JSON"),
        ("[1, 2]", "must be a JSON object, not a list"),
        ("null", "must be a JSON object, not null"),
        ("42", "must be a JSON object, not the number 42"),
        ("[" * 5000, "nested too deeply"),
        ('{"key": 1, "key": 2}', "the key 'key' stands there twice"),
        ({"prompt": "x", **COMMA}, "lacks 'key'"),
        (record(promt="x"), "unknown key 'promt'; the nearest known is 'prompt'"),
        (record(key="1"), "key must be a whole number, not a string"),
        (record(key=True), "key must be a whole number, not true or false"),
        (record(prompt=" \n"), "prompt must be a text that is not blank"),
        (record(prompt="\ud83d"), "half of a surrogate pair"),
        (record(instruction_id_list=[], kwargs=[]), "at least one instruction id"),
        (record(kwargs=[]), "1 instruction ids but 0 kwargs"),
        (record(kwargs=[{}, {}]), "1 instruction ids but 2 kwargs"),
        (record(kwargs=None), "kwargs must be a list of objects"),
        (
            with_kwargs("punctuation:no_coma", {}),
            "unknown instruction id 'punctuation:no_coma'; the nearest known is"
            " 'punctuation:no_comma'",
        ),
        (with_kwargs("format:title", {}), "the nearest known is 'detectable_format:title'"),
        (with_kwargs("punctuation:no_comma", {"n": 1}), "takes no arguments, not 'n'"),
        (with_kwargs(FREQUENCY, {"leter": "a"}), "no argument 'leter'; the nearest known"),
        (with_kwargs(FREQUENCY, {"letter": "a", "let_frequency": 2}), "lacks let_relation"),
        (with_kwargs(FREQUENCY, {"letter": "ab"}), "letter of keywords:letter_frequency must be"),
        (with_kwargs(FREQUENCY, {"let_frequency": -1}), "must be a whole number from 0 on, not -1"),
        (with_kwargs(FREQUENCY, {"let_frequency": 1.5}), "whole number from 0 on, not 1.5"),
        (with_kwargs(FREQUENCY, {"let_relation": "at most"}), "'less than' or 'at least'"),
        (with_kwargs("language:response_language", {"language": "klingon"}), "language code"),
        (with_kwargs("keywords:existence", {"keywords": "sun"}), "must be a list of texts"),
        (with_kwargs("keywords:existence", {"keywords": ["a", ""]}), "text that is not blank"),
        (
            with_kwargs(
                "length_constraints:nth_paragraph_first_word",
                {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "so"},
            ),
            "must be at most num_paragraphs, 2",
        ),
    ],
)
def test_a_fault_names_the_file_the_line_and_the_rule(tmp_path: Path, line: Any, said: str) -> None:
    path = write(tmp_path, record(key=7), line)
    with pytest.raises(BadInput) as caught:
        read_ifeval_prompts(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_is_taken_names_the_line_that_took_it(tmp_path: Path) -> None:
    path = write(tmp_path, record(key=7), record(key=8), record(key=7))
    with pytest.raises(BadInput, match=r":3: key 7 is taken by .*:1;"):
        read_ifeval_prompts(path)


def test_a_file_that_is_not_utf8_or_empty_or_absent_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'{"prompt": "caf\xe9"}\n')
    with pytest.raises(BadInput, match=r":1: not UTF-8 at byte 15"):
        read_ifeval_prompts(path)
    path.write_bytes(b"\n")
    with pytest.raises(BadInput, match="no prompts"):
        read_ifeval_prompts(path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_ifeval_prompts(tmp_path / "absent.jsonl")


def test_the_languages_known_are_those_of_the_detector() -> None:
    import langdetect.detector_factory

    assert set(LANGUAGES) == {
        path.name for path in Path(langdetect.detector_factory.PROFILES_DIRECTORY).iterdir()
    }


def some_prompts(count: int) -> list[IFEvalPrompt]:
    return [
        IFEvalPrompt(
            key=k, prompt=f"p{k}", instruction_id_list=("punctuation:no_comma",), kwargs=({},)
        )
        for k in range(count)
    ]


def test_a_subset_is_the_same_on_every_machine_and_in_any_order_of_the_file() -> None:
    prompts = some_prompts(100)
    chosen = subset(prompts, 5, seed=0)
    assert [prompt.key for prompt in chosen] == [15, 44, 46, 87, 99]
    assert [p.key for p in subset(prompts[::-1], 5, seed=0)] == [p.key for p in chosen][::-1]
    assert subset(prompts, 5, seed=1) != chosen


def test_a_larger_subset_keeps_a_smaller_one_and_too_many_are_all() -> None:
    prompts = some_prompts(20)
    small = {p.key for p in subset(prompts, 5, seed=3)}
    assert small < {p.key for p in subset(prompts, 9, seed=3)}
    assert subset(prompts, 50, seed=3) == tuple(prompts)
    with pytest.raises(BadInput, match="prompt count 0: must be at least 1"):
        subset(prompts, 0, seed=3)
