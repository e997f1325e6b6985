"""`eval --responses` with files that are not quite what was asked for."""

from pathlib import Path

import pytest

from autotune.base.errors import ExitCode
from autotune.cli.main import run
from autotune.score.registry import SCORERS
from tests.cli.test_eval import BAD, GOOD, answers, asked, refused, said, write_lines
from tests.contains import Contains


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return write_lines(tmp_path / "prompts.jsonl", asked())


def test_answers_that_belong_to_no_prompt_are_no_score_of_nothing(
    prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [a.model_copy(update={"key": 100 + (a.key or 0)}) for a in answers(GOOD, GOOD)]
    file = write_lines(tmp_path / "other.jsonl", others)
    err = refused(capsys, "--responses", file, "--prompts", prompts)
    assert "none of its 2 answers belongs to a prompt (first: key 100" in err


def test_an_empty_file_of_answers_is_refused(
    prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "empty.jsonl", [])
    err = refused(capsys, "--responses", file, "--prompts", prompts)
    assert "holds no answers" in err


def test_stray_answers_and_a_truncated_end_are_reported(
    prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = answers(GOOD)[0].model_copy(update={"key": 77})
    file = write_lines(tmp_path / "stray.jsonl", [*answers(GOOD, BAD), stray])
    with Path(file).open("a", encoding="utf-8") as torn:
        torn.write('{"key": 2, "prom')
    _, out = said(capsys, "--responses", file, "--prompts", prompts)
    assert (
        "1 of 3 answers belongs to no prompt that is scored (4 prompts asked; first: key 77," in out
    )
    assert "the last line is truncated and left out" in out


def test_an_answer_that_another_takes_the_place_of_is_told_apart_from_a_stray(
    prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = answers(GOOD, BAD)
    file = write_lines(tmp_path / "again.jsonl", [*two, *two])
    _, out = said(capsys, "--responses", file, "--prompts", prompts)
    assert "2 of 4 answers are not used, because their prompts have another answer" in out
    assert "belong" not in out
    file = write_lines(tmp_path / "all.jsonl", answers(GOOD, GOOD, GOOD, GOOD))
    limited = ("--responses", file, "--prompts", prompts, "--prompt-limit", "1")
    _, out = said(capsys, *limited)
    assert "3 of 4 answers belong to no prompt that is scored (1 prompt asked; first: key" in out


@pytest.mark.parametrize("name", ["prompts.limit", "Prompts.limit"])
def test_a_number_of_prompts_counts_for_answers_however_it_was_typed(
    name: str, prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "all.jsonl", answers(GOOD, GOOD, GOOD, GOOD))
    wanted = ("--responses", file, "--prompts", prompts)
    option, _ = said(capsys, *wanted, "--prompt-limit", "2")
    change, _ = said(capsys, *wanted, "--set", f"{name}=2")
    over, _ = said(capsys, *wanted, "--prompt-limit", "3", "--set", f"{name}=2")
    assert option["n"] == 2 and option == change == over
    assert said(capsys, *wanted, "--set", f"{name}=all")[0]["n"] == 4


def test_a_baseline_without_answers_to_the_prompts_is_refused_with_the_remedy(
    prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "a.jsonl", answers(GOOD))
    empty = write_lines(tmp_path / "empty.jsonl", [])
    wanted = ("--responses", file, "--prompts", prompts, "--baseline", empty)
    assert run(["eval", *wanted]) == ExitCode.BAD_INPUT
    err = capsys.readouterr().err
    assert "answers none of the 4 prompts that are scored; give answers to the same prompts" in err


def test_a_target_that_is_missed_says_so_before_what_else_is_wrong(
    prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "bad.jsonl", answers(BAD, BAD, BAD, BAD))
    wanted = ("--responses", file, "--prompts", prompts, "--target", "0.5")
    _, out = said(capsys, *wanted, code=ExitCode.BELOW_TARGET)
    assert "target 50.0 % not met: 0.0 % is below it" in out


def test_what_a_comparison_cannot_use_is_refused(
    prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "a.jsonl", answers(GOOD))
    err = refused(capsys, "compare", file, file, "--target", "0.5")
    assert "--target: eval compare has no such option" in err


def test_a_scorer_whose_instructions_have_no_colon_refuses_prompts_of_another(
    prompts: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SCORERS, "contains", Contains)
    file = write_lines(tmp_path / "a.jsonl", answers(GOOD))
    wanted = ("--responses", file, "--prompts", prompts, "--scorer", "contains")
    err = refused(capsys, *wanted)
    assert "the nearest known is 'contains'" in err
