"""Beside the score of a run's checkpoint stands "before training" only where it was asked alike."""

import re
from pathlib import Path
from typing import Any

import pytest

from autotune.cli import eval as eval_module
from autotune.run.folder import RunDir
from tests.cli.test_eval import BAD, GOOD, answers, asked, said, scored_run, write_lines


def score_of_best(
    there: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[dict[str, Any], str]:
    """`eval RUN/best` of four prompts, all of which the best answers well."""
    given = (tuple(asked()), tuple(answers(*(GOOD,) * 4)), "four")
    monkeypatch.setattr(eval_module, "answer_with_model", lambda *_: given)
    return said(capsys, str(there.best), "--profile", "cpu-smoke", *more)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A run with answers of up to 32 tokens before training."""
    monkeypatch.chdir(tmp_path)
    run = scored_run(tmp_path / "run")
    run.run_toml.write_text("[evaluate]\nmax_new_tokens = 32\n", encoding="utf-8")
    return run


def test_with_the_run_s_own_limit_of_tokens_the_answers_before_stand_there(
    there: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, human = score_of_best(there, monkeypatch, capsys, "--max-new-tokens", "32")
    assert found["baselines"]["untrained"]["total"] == 4
    assert re.search(r"before training: 0/4 0\.0 % \[[^]]*\] ", human)
    assert "that both answered" not in human


def test_with_another_limit_they_do_not_and_the_screen_says_how_they_would(
    there: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, human = score_of_best(there, monkeypatch, capsys, "--max-new-tokens", "64")
    assert "untrained" not in found["baselines"] and "before" not in found
    assert "before training:" not in human
    assert (
        "the run's answers before training are not set beside this score: they had up to 32 new"
        " tokens, these up to 64; --max-new-tokens 32 compares"
    ) in human


def test_of_fewer_prompts_both_scores_are_those_on_the_same_ones(
    there: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(there.eval_folder("untrained") / "responses.jsonl", answers(BAD, BAD))
    _, human = score_of_best(there, monkeypatch, capsys, "--max-new-tokens", "32")
    shown = re.search(
        r"before training: 0/2 [^,]*, and now (\S+) .*?, on the (.*?) answered", human
    )
    assert shown and shown.groups() == ("2/2", "2 prompts that both")


def test_of_no_prompt_in_common_nothing_is_said(
    there: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [
        each.model_copy(update={"prompt": f"Another {each.prompt}", "key": 90 + at})
        for at, each in enumerate(answers(BAD, BAD))
    ]
    write_lines(there.eval_folder("untrained") / "responses.jsonl", others)
    _, human = score_of_best(there, monkeypatch, capsys, "--max-new-tokens", "64")
    assert "before training" not in human
