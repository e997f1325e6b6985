"""`<think>...</think>`: which text of an answer is judged, and that the result says which."""

import json
from pathlib import Path

import pytest

from autotune.protocol.choices import Think
from autotune.score.answers import Answer
from autotune.score.thoughts import Thoughts, judged, thoughts_of, without_thoughts
from tests.cli.test_eval import GOOD, answers, asked, refused, said, scored_run, write_lines

THOUGHT = "<think>\nWell, a sea, grey, deep.\n</think>\n\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("An answer.", "An answer."),
        (f"{THOUGHT}An answer.\n", "An answer.\n"),
        ("so, then.</think>An answer.", "An answer."),  # the template wrote the opening tag
        (f"{THOUGHT}{THOUGHT}An answer.", "An answer."),
        ("<think></think>An answer.", "An answer."),
        ("<think>and so on, and so on", ""),
        ("  \n<think>and so on", ""),
        (f"{THOUGHT}<think>once more, and so on", ""),
        (THOUGHT, ""),
        ("Write <think> where you think.", "Write <think> where you think."),
        (f"{THOUGHT}Write <think> there.", "Write <think> there."),
        ("", ""),
    ],
)
def test_what_follows_the_last_thought_is_the_answer(text: str, left: str) -> None:
    assert without_thoughts(text) == left


def test_thoughts_are_counted_and_those_that_never_end_too() -> None:
    texts = (f"{THOUGHT}Yes.", "<think>and so on", f"{THOUGHT}<think>again", "No.", "so.</think>Hm")
    given = [Answer(prompt="x", response=text) for text in texts]
    assert thoughts_of([*given, Answer(prompt="x", response=None)]) == Thoughts(4, 2)


def test_kept_answers_are_the_very_same_and_one_that_was_never_given_stays_so() -> None:
    given = (Answer(prompt="x", response=None), Answer(prompt="x", response=THOUGHT))
    assert judged(given, Think.KEEP) is given
    assert [answer.response for answer in judged(given, Think.STRIP)] == [None, ""]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Prompts, and answers of which two think before they answer and one never stops."""
    monkeypatch.chdir(tmp_path)
    texts = (THOUGHT + GOOD, THOUGHT + GOOD, GOOD, "<think>Well, a sea")
    return (
        write_lines(tmp_path / "prompts.jsonl", asked()),
        write_lines(tmp_path / "answers.jsonl", answers(*texts)),
    )


@pytest.mark.parametrize(
    ("think", "passes", "line"),
    [
        (None, 1, "answers as they stand (--think keep), with the <think>...</think> of 3"),
        ("keep", 1, "answers as they stand (--think keep), with the <think>...</think> of 3"),
        ("strip", 3, "what follows </think> (--think strip), in 3 answers with <think>; 1 never"),
    ],
)
def test_the_score_says_which_text_was_judged(
    files: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    think: str | None,
    passes: int,
    line: str,
) -> None:
    wanted = () if think is None else ("--think", think)
    found, human = said(capsys, "--responses", files[1], "--prompts", files[0], *wanted)
    assert found["prompt_strict"]["passes"] == passes
    assert found["think"] == (think or "keep")
    assert (found["thoughts"], found["unfinished_thoughts"]) == (3, 1)
    assert f"judged: {line}" in human


def test_the_default_is_said_also_where_no_answer_thinks(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", answers(GOOD))
    _, human = said(capsys, "--responses", plain, "--prompts", files[0])
    assert "judged: answers as they stand (--think keep)" in human
    assert "leaves it out" not in human


def test_sample_logs_hold_the_answer_and_what_was_judged_of_it(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "samples.jsonl"
    wanted = ("--responses", files[1], "--prompts", files[0], "--samples", str(where))
    said(capsys, *wanted, "--think", "strip")
    first = json.loads(where.read_text("utf-8").splitlines()[0])
    assert (first["resps"], first["filtered_resps"]) == ([[THOUGHT + GOOD]], [GOOD])


def test_another_word_is_refused(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    err = refused(capsys, "--responses", files[1], "--prompts", files[0], "--think", "drop")
    assert "--think drop: must be keep or strip" in err


def test_two_sets_are_judged_alike_as_their_runs_were(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [scored_run(tmp_path / name) for name in ("a", "b")]
    for run in runs:
        run.run_toml.write_text('[evaluate]\nthink = "strip"\n', "utf-8")
    targets = [str(run.root / "eval" / "untrained") for run in runs]
    found, human = said(capsys, "compare", *targets)
    assert found["first"]["think"] == found["second"]["think"] == "strip"
    assert human.count("judged: what follows </think> (--think strip)") == 2
    runs[1].run_toml.write_text("", "utf-8")  # of a time without the choice
    err = refused(capsys, "compare", *targets)
    assert "judged differently (" in err
    assert "--think keep or --think strip" in err
    found, _ = said(capsys, "compare", *targets, "--think", "keep")
    assert found["first"]["think"] == "keep"
