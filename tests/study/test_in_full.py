"""`run --final-eval`: the best and the untrained model on all prompts, and the report of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.job import GenerateJob, Job
from autotune.report import Report, build_report
from autotune.report.facts import facts_of
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.score.answers import Answer
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from autotune.score.prompts import written_prompts
from autotune.study.tuner import Tuner
from autotune.text.conclusions import conclusions
from tests import setups
from tests.played import Workers
from tests.setups import Played, done
from tests.study.test_tuner import DATA, recorded, started

ALL = setups.prompts(20)
PLAIN, COMMA = "Nothing but plain words here", "Well, this one has a comma"


class Answering(Workers):
    """The untrained model follows prompts 0 and 7; what was trained follows all but the 7th."""

    def answer(self, job: Job) -> Played:
        assert isinstance(job, GenerateJob)
        before = Path(job.model_folder) == Path("model")
        out = Path(job.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        asked = written_prompts(Path(job.prompts), IFEvalPrompt)
        answers = [
            Answer(key=p.key, prompt=p.prompt, response=text, finish="stop")
            for p in asked
            if (text := PLAIN if (p.key in (0, 7) if before else p.key != 7) else COMMA)
        ]
        out.write_text("".join(a.model_dump_json() + "\n" for a in answers), encoding="utf-8")
        return [], done()


def lines(prompts: tuple[IFEvalPrompt, ...]) -> str:
    return "".join(p.model_dump_json() + "\n" for p in prompts)


def tuner(folder: Path, workers: Workers, *, begin: bool = True, final_eval: bool = True) -> Tuner:
    """A run of one strategy that asks eight of twenty prompts."""
    session, _ = setups.session(folder, workers)
    if begin:
        session.emit(started())
    session.rundir.prompts.write_text(lines(ALL[:8]), encoding="utf-8")
    source = folder / "input_data.jsonl"
    source.write_text(
        "".join(
            json.dumps(
                {
                    "key": p.key,
                    "prompt": p.prompt,
                    "instruction_id_list": p.instruction_id_list,
                    "kwargs": p.kwargs,
                }
            )
            + "\n"
            for p in ALL
        ),
        encoding="utf-8",
    )
    setup = replace(setups.setup(setups.profile(setups.strategy("A"))), prompts_file=source)
    return Tuner(session, setup, DATA, setups.fit(), IFEval(), 0.25, final_eval=final_eval)


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Tuner:
    """One that is over."""
    run = tuner(tmp_path_factory.mktemp("run"), Answering())
    assert run.run()
    return run


@pytest.fixture(scope="module")
def report(over: Tuner) -> Report:
    root = over.session.rundir.root
    return build_report(over.session.rundir.records(), root)


def test_the_best_and_its_baselines_are_scored_on_all_prompts_before_the_end(over: Tuner) -> None:
    kinds = [r.event.kind for r in over.session.rundir.records()]
    assert kinds[-5:] == ["notice", "best_in_full", *["baseline_in_full"] * 2, "run_ended"]
    (full,) = recorded(over.session, events.BestInFull)
    assert (full.score.passes, full.score.total, full.counts) == (19, 20, 19 / 20)
    assert full.by_type["punctuation:no_comma"].passes == 19
    assert full.weights
    echo, untrained = recorded(over.session, events.BaselineInFull)
    assert (echo.name, echo.score.total, echo.gain) == ("echo", 20, None)
    assert (untrained.name, untrained.score.passes) == ("untrained", 2)
    assert (untrained.gain.gained, untrained.gain.lost) == (18, 1)
    assert untrained.gain.p_value < 0.001


def test_the_full_score_is_the_headline_with_baselines_on_the_same_prompts(report: Report) -> None:
    first, second, third, fourth, *_ = facts_of(report, IFEval())
    assert (first.value, first.tone) == ("95.0 %", "good")
    assert first.label == "best score on all 20 prompts of prompts.jsonl, 19 pass"
    assert second.label == "its 95 % interval"
    assert (third.value, third.label) == ("10.0 %", "before training, on all 20")
    assert (fourth.value, fourth.label) == ("87.5 %", "on the run's own 8 prompts (53 to 98 %)")
    text = render_markdown(report)
    full = text.partition("### On all 20 prompts of prompts.jsonl")[2].partition("### On the 8")[0]
    assert "| baseline: the model before training | 2/20 10.0 %" in full
    assert "| baseline: the prompt given back unchanged (echo) | 20/20" in full
    assert "| baseline: the best checkpoint's answers on other prompts |" in full
    assert "| the best checkpoint | 19/20 95.0 %" in full
    assert any("18 gained, 1 lost" in line for line in report.conclusions)


def test_every_instruction_and_six_prompts_are_shown_before_and_after(report: Report) -> None:
    (each,) = report.by_instruction
    counts = [(s.passes, s.n) for s in (each.before, each.after, each.before_in_full) if s]
    assert counts == [(2, 8), (7, 8), (2, 20)]
    assert "| punctuation:no\\_comma | 2/8 25.0 %" in render_markdown(report)
    became = [(e.key, e.became) for e in report.examples]
    assert became == [
        *((key, "gained") for key in (1, 2, 3, 4)),
        (7, "lost"),
        (0, "still passes"),
    ]
    lost = report.examples[4]
    assert (lost.before.passes, lost.before.response) == (True, PLAIN)
    assert lost.after.failed and "comma" in lost.after.failed[0]
    page = render_html(report)
    assert "Prompt 7 passed only before training" in page
    assert f"fails: {lost.after.failed[0]}" in page
    assert "Say 7 without a comma." in page


def test_answers_that_are_gone_leave_the_report_without_examples(over: Tuner) -> None:
    elsewhere = build_report(over.session.rundir.records(), Path("not/here"))
    assert elsewhere.examples == ()
    assert [s.before for s in elsewhere.by_instruction] == [None]
    assert "Examples" not in render_markdown(elsewhere)


def test_a_run_that_is_over_is_scored_on_all_prompts_when_that_is_asked_for_later(
    tmp_path: Path,
) -> None:
    workers = Answering()
    tuner(tmp_path, workers, final_eval=False).run()
    assert not any("all-" in job.out for job in workers.seen if isinstance(job, GenerateJob))
    asked = len(workers.seen)
    tuner(tmp_path, workers, begin=False).run()
    assert len(workers.seen) == asked + 2
    again = tuner(tmp_path, workers, begin=False)
    again.run()
    assert len(workers.seen) == asked + 2  # and a third time there is nothing to do
    assert len(recorded(again.session, events.BestInFull)) == 1
    state = replay(again.session.rundir.records())
    assert set(state.beside_best_in_full) == {"echo", "untrained"}


def test_a_final_score_that_is_interrupted_leaves_the_run_unfinished(tmp_path: Path) -> None:
    workers = Answering()

    def interrupted(job: Job, _: int) -> Played | None:
        if isinstance(job, GenerateJob) and "all-untrained" in job.out:
            raise KeyboardInterrupt
        return None

    workers.instead = interrupted
    run = tuner(tmp_path, workers)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert run.session.state.ended is None
    assert run.session.state.best_in_full is not None
    workers.instead = lambda _job, _before: None
    assert tuner(tmp_path, workers, begin=False).run()
    assert any("18 gained" in line for line in conclusions(replay(run.session.rundir.records())))


def test_where_eval_scored_the_best_only_the_sums_are_compared(over: Tuner, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(over.session.rundir.root, folder)
    record = folder / "events.jsonl"
    *kept, _, _, _ = record.read_text(encoding="utf-8").splitlines(keepends=True)
    record.write_text("".join(kept), encoding="utf-8")  # up to the score of the best
    for answers in folder.glob("eval/all-trial-*"):
        shutil.rmtree(answers)
    run = tuner(folder, workers := Answering(), begin=False)
    assert run.run()
    assert [Path(job.out).parent.name for job in workers.seen] == ["all-untrained"]
    untrained = run.session.state.beside_best_in_full["untrained"]
    assert (untrained.gain.before, untrained.gain.after, untrained.gain.gained) == (0.1, 0.95, None)


def test_a_run_that_asks_all_prompts_has_nothing_more_to_score(tmp_path: Path) -> None:
    run = tuner(tmp_path, Answering())
    run.setup = replace(run.setup, prompts=ALL)
    run.session.rundir.prompts.write_text(lines(ALL), encoding="utf-8")
    run.run()
    assert not recorded(run.session, events.BestInFull)


def test_a_shared_study_takes_no_final_score(tmp_path: Path) -> None:
    from autotune.cli.options import Options
    from autotune.cli.shared_options import demand_shared_options

    with pytest.raises(BadInput, match="--final-eval: has no effect with --storage"):
        demand_shared_options(Options(storage="sqlite:///x"), None, True)
