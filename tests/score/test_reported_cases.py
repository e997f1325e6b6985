"""Answers and prompts that other scorers of IFEval fell over, here through files and whole runs.

What a single verdict shows stands with the checkers: `test_ifeval_checkers.py`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.base.files import write_text_atomic
from autotune.cli.main import run as run_command
from autotune.protocol import events
from autotune.protocol.job import GenerateJob, Job
from autotune.score.answers import Answer, read_answers
from autotune.score.early_verdicts import DecidedLine, decided_file
from autotune.score.health import echo_answers
from autotune.score.ifeval.instructions import INSTRUCTIONS
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import IFEval
from autotune.score.prompts import written_prompts
from autotune.study.tuner import Tuner
from tests import setups
from tests.asked import ARGUMENTS
from tests.played import Workers
from tests.study.test_tuner import DATA, recorded, started

N = 40


@dataclass
class Saying(Workers):
    """Workers whose models all give `says` of a prompt as the answer.

    Answers to the prompts (keys) in `cut` are left where they may be, and pass.
    """

    says: Callable[[IFEvalPrompt], str] = lambda prompt: prompt.prompt
    cut: frozenset[int] = field(default_factory=frozenset)

    def answer(self, job: Job) -> setups.Played:
        """Answer what has no answer yet."""
        assert isinstance(job, GenerateJob)
        out = Path(job.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        there = {answer.key for answer in read_answers(out)} if out.exists() else set()
        asked = [
            prompt
            for prompt in written_prompts(Path(job.prompts), IFEvalPrompt)
            if prompt.key not in there
        ]
        early = self.cut if job.early_seed is not None else frozenset()
        decided = [
            DecidedLine(key=prompt.key, strict=True, instruction=None, ids=(1, 2))
            for prompt in asked
            if prompt.key in early
        ]
        answers = [
            Answer(key=p.key, prompt=p.prompt, response=self.says(p), finish="stop")
            for p in asked
            if p.key not in early
        ]
        for path, lines in ((decided_file(out), decided), (out, answers)):
            with path.open("a", encoding="utf-8") as file:
                file.writelines(line.model_dump_json() + "\n" for line in lines)
        done = events.Answered(done=N, total=N, new_tokens=9, seconds=1.0)
        return [done], setups.done()


def tuner(
    folder: Path,
    workers: Workers,
    prompts: tuple[IFEvalPrompt, ...],
    target: float,
    score_per_lift: float = 0,
) -> Tuner:
    """A run of one strategy, scored by IFEval."""
    chosen = setups.profile(setups.strategy("A"))
    evaluate = chosen.evaluate.model_copy(update={"score_per_lift": score_per_lift})
    chosen = chosen.model_copy(update={"evaluate": evaluate})
    session, _ = setups.session(folder, workers)
    session.emit(started().model_copy(update={"target": target, "prompt_count": len(prompts)}))
    lines = "".join(prompt.model_dump_json() + "\n" for prompt in prompts)
    write_text_atomic(session.rundir.prompts, lines)
    setup = replace(setups.setup(chosen), prompts=prompts)
    return Tuner(session, setup, DATA, setups.fit(), IFEval(), target)


def written(path: Path, *records: Mapping[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def record(instruction: str, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line of a file of prompts."""
    return {"key": 1, "prompt": "p", "instruction_id_list": [instruction], "kwargs": [kwargs]}


@pytest.mark.parametrize("instruction", sorted(ARGUMENTS))
def test_arguments_of_every_instruction_may_be_padded_with_null(
    instruction: str, tmp_path: Path
) -> None:
    padding = {name: None for readers in INSTRUCTIONS.values() for name in readers}
    for kwargs in ARGUMENTS[instruction]:
        plain = written(tmp_path / "plain.jsonl", record(instruction, kwargs))
        padded = written(tmp_path / "padded.jsonl", record(instruction, padding | kwargs))
        assert read_ifeval_prompts(padded) == read_ifeval_prompts(plain)


@pytest.mark.parametrize("text", ["[" * 5000, "\n" * 16_000, ""], ids=["nested", "lines", "empty"])
def test_a_run_goes_on_over_answers_that_break_checkers(tmp_path: Path, text: str) -> None:
    asked = tuple(
        prompt.model_copy(update={"instruction_id_list": ("detectable_format:json_format",)})
        for prompt in setups.prompts(N)
    )
    good = '{"sea": "grey and wide"}'
    run = tuner(tmp_path, Saying(says=lambda p: text if p.key % 2 == 0 else good), asked, 0.4)
    run.run()
    scores = [e.score for e in recorded(run.session, events.Evaluated) if e.partial is None]
    assert [(score.passes, score.total) for score in scores] == [(N // 2, N)] * 2


def test_a_run_whose_model_gives_every_prompt_back_meets_no_target(tmp_path: Path) -> None:
    saying = Saying(cut=frozenset(range(0, N, 2)))
    run = tuner(tmp_path, saying, setups.prompts(N), 0.25, score_per_lift=4)
    assert not run.run()
    judged = recorded(run.session, events.Evaluated)
    assert [e.score.accuracy for e in judged] == [1.0] * len(judged)
    assert not any(e.met for e in judged)
    (end,) = recorded(run.session, events.RunEnded)
    assert end.reason.endswith("best 100.0 % counts for 0.0 %: too little is following")


def test_a_file_of_prompts_given_back_meets_no_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = setups.prompts()
    written(tmp_path / "prompts.jsonl", *(json.loads(p.model_dump_json()) for p in asked))
    written(tmp_path / "a.jsonl", *(json.loads(a.model_dump_json()) for a in echo_answers(asked)))
    asked_for = ("--responses", "a.jsonl", "--prompts", "prompts.jsonl", "--target", "0.25")
    code = run_command(["eval", *asked_for, "--profile", "cpu-smoke"])
    assert code == ExitCode.BELOW_TARGET
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "target 25.0 % not met: the score counts for 0.0 %" in said
