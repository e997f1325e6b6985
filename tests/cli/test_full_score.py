"""`eval` of a run's best on all prompts: its score stands in the run's own report."""

import json
import shutil
from pathlib import Path

import pytest

from autotune.base.errors import ExitCode
from autotune.base.manifest import seal
from autotune.cli.eval import with_selection_bias
from autotune.cli.folder_work import RUN
from autotune.cli.full_score import emit_full_score
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.config.load import find_profile
from autotune.config.profile import Profile
from autotune.protocol import events
from autotune.protocol.gain import Gain
from autotune.protocol.results import Checkpoint, HealthLimits
from autotune.report import build_report
from autotune.report.write import render_html, render_markdown
from autotune.run.folder import RunDir
from autotune.run.record_cache import RecordCache
from autotune.run.session import Session
from autotune.run.state import replay
from autotune.score.evaluation import Evaluation
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.scorer import IFEval
from autotune.study.best import keep_best
from autotune.text.conclusions import next_steps
from tests import records, setups
from tests.fakes.runner import FakeRunner
from tests.played import Workers
from tests.readings import counted_readings

LIMITS = HealthLimits(min_stop=0.8, max_loop=0.2, max_echo=0.1, max_empty=0.05)
FULL = setups.prompts(20)


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step=step, progress=1.0, folder=f"trials/0000/checkpoints/step-{step:06d}")


@pytest.fixture
def over(tmp_path: Path) -> RunDir:
    """A run that is over, its best scored on eight prompts and copied to `best/`."""
    there = RunDir(tmp_path / "run")
    there.root.mkdir()
    there.run_toml.write_text("", encoding="utf-8")
    there.prompts.write_text(
        "".join(p.model_dump_json() + "\n" for p in FULL[:8]), encoding="utf-8"
    )
    best = checkpoint(5)
    for folder in (there.best, there.checkpoint(0, best)):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"weights")
    seal(there.checkpoint(0, best))
    there.append(records.run_started(target=0.25, prompt_count=8), at=1.0)
    there.append(events.TrialStarted(number=0, optuna_number=0, plan=records.plan("A")), at=2.0)
    there.append(records.evaluated(0, best, 3), at=3.0)
    there.append(events.RunEnded(met=True, reason="done"), at=4.0)
    return there


def evaluation(n: int = 20) -> Evaluation:
    report = setups.report(min(5, n), n)
    return Evaluation(
        scorer=IFEval(),
        report=report,
        baselines={},
        limits=LIMITS,
        unhealthy=(),
        counts=report.score.accuracy,
        unmet=(),
        worst=(),
    )


def profile(limit: str = "all") -> Profile:
    return Options.of({"prompt_limit": limit}).adjust(find_profile("cpu-smoke"))


def joined(
    model: Path, prompts: tuple[IFEvalPrompt, ...] = FULL, limit: str = "all"
) -> tuple[str, dict[str, object] | None]:
    """What is said, and what the run's report holds then."""
    said: list[str] = []
    emit_full_score(evaluation(len(prompts)), model, prompts, "IFEval", profile(limit), said.append)
    path = model.parent / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return " ".join(said), report.get("best_in_full")


def test_the_full_score_stands_beside_the_runs_own_with_n_interval_and_health(
    over: RunDir,
) -> None:
    said, full = joined(over.best)
    assert "this score stands in the report of the run as well" in said
    assert full is not None
    assert (full["passes"], full["n"], full["prompts"]) == (5, 20, "IFEval")
    assert full["interval"] and full["health"] and full["max_new_tokens"]
    own = json.loads((over.root / "report.json").read_text(encoding="utf-8"))["best"]
    assert own["n"] != 20
    for name in ("report.md", "report.html"):
        page = (over.root / name).read_text(encoding="utf-8")
        assert "On all 20 prompts of IFEval" in page
        assert "5/20 25.0 %" in page
    # It is a word after the run's last: the run stays over, and its time is its own.
    assert not RUN.unfinished(over.root)
    assert json.loads((over.root / "report.json").read_text(encoding="utf-8"))["seconds"] == 3.0


def test_a_report_that_is_written_again_keeps_it_and_asks_for_it_no_more(
    over: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    step = "score it on all 541 prompts"
    state = replay(over.records())
    assert any(step in line for line in next_steps(state, over.root))
    for gone, left in (("trials", str(over.best)), ("best", "")):
        shutil.move(over.root / gone, over.root.parent / gone)
        told = [line for line in next_steps(state, over.root) if step in line]
        assert bool(left) is bool(told) and all(left in line for line in told)
    for gone in ("trials", "best"):
        shutil.move(over.root.parent / gone, over.root / gone)
    over.append(in_full(checkpoint(5)), at=5.0)
    assert run(["report", str(over.root), "--json"]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert json.loads(captured.out)["best_in_full"]["n"] == 20
    said = " ".join(captured.err.replace("│", " ").split())
    assert "met: on all 20 prompts of IFEval the best checkpoint scores 5/20 25.0 %" in said
    assert step not in captured.err


def untrained_in_full(at: Checkpoint, passes: int, gain: Gain) -> events.BaselineInFull:
    full = in_full(at, passes)
    return events.BaselineInFull.from_parts(
        full, kind="baseline_in_full", name="untrained", gain=gain
    )


NO_GAIN = Gain(before=0.15, after=0.1, gained=1, lost=2, p_value=1.0)


def test_a_target_that_is_met_on_few_prompts_and_not_on_all_is_not_met_first(
    over: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    over.append(in_full(checkpoint(5), 2), at=5.0)
    report = build_report(over.records(), over.root)
    verdict, score = "met on 8, not on all 20", "on all 20 prompts of IFEval the best checkpoint"
    page = render_html(report)
    title = page.partition("<title>")[2].partition("</title>")[0]
    assert title.endswith(f": {verdict} (25.0 %)")
    assert f'<span class="badge warn">{verdict}</span>' in page
    assert render_markdown(report).splitlines()[0].endswith(f": {verdict}")
    first, second, *_ = report.conclusions
    assert first.startswith(f"Target of 25.0 % not met: {score} scores 2/20 10.0 %")
    assert second == "On the run's own 8 prompts it is met: done."
    assert (report.status, report.met) == ("met", True), "what scripts rely on is of its own"
    assert run(["runs", str(over.root.parent), "--json"]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "not met on all" in captured.err and "2/20 10.0 %" in captured.err
    (listed,) = json.loads(captured.out)["runs"]
    assert (listed["state"], listed["best"]["passes"]) == ("met", 3)
    assert (listed["best_in_full"]["passes"], listed["best_in_full"]["met"]) == (2, False)


@pytest.mark.parametrize(("counts", "worth"), [(0.1, " counts for 10.0 %"), (0.25, ""), (None, "")])
def test_in_the_list_of_runs_the_score_on_all_prompts_says_what_it_counts_for_where_that_is_less(
    over: RunDir, counts: float | None, worth: str, capsys: pytest.CaptureFixture[str]
) -> None:
    over.append(in_full(checkpoint(5)).model_copy(update={"counts": counts}), at=5.0)
    assert run(["runs", str(over.root.parent)]) == ExitCode.DONE
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "5/20" in line]
    assert f"5/20 25.0 % [11-47]{worth} 25.0 %" in " ".join(line.split())


def test_a_target_that_is_met_on_all_prompts_is_met_first(over: RunDir) -> None:
    over.append(in_full(checkpoint(5), 8), at=5.0)
    report = build_report(over.records(), over.root)
    assert report.verdict == "met on all 20" and report.is_met
    assert report.conclusions[0].startswith("Target of 25.0 % met: on all 20 prompts of IFEval")
    missed = report.model_copy(update={"met": False, "status": "below target"})
    assert missed.verdict == "met on all 20, not on 8" and not missed.is_met


def test_no_better_on_all_prompts_goes_before_better_on_few(over: RunDir) -> None:
    over.append(in_full(checkpoint(5), 2), at=5.0)
    over.append(untrained_in_full(checkpoint(5), 3, NO_GAIN), at=6.0)
    report = build_report(over.records(), over.root)
    assert report.no_better
    first, second, *_ = report.conclusions
    assert first.startswith(
        "On all 20 prompts of IFEval the best checkpoint is no better than the untrained model: it"
        " counts for 10.0 % and the untrained model for 15.0 % (1 gained, 2 lost;"
    )
    assert second.startswith("Target of 25.0 % not met")
    assert '<p class="bad">On all 20 prompts' in render_html(report)


def test_a_run_that_was_not_over_is_not_over_for_it(over: RunDir) -> None:
    over.append(records.run_started(target=0.5, prompt_count=8, resumed=True), at=5.0)
    over.append(in_full(checkpoint(5)), at=6.0)
    assert RUN.unfinished(over.root)


@pytest.mark.parametrize("last", ["best", "untrained"])
def test_a_run_that_is_over_stays_over_whatever_eval_of_its_best_writes_last(
    over: RunDir, last: str
) -> None:
    written: list[events.Event] = [
        untrained_in_full(checkpoint(5), 3, NO_GAIN),
        in_full(checkpoint(5)),
    ]
    for at, event in enumerate(reversed(written) if last == "untrained" else written):
        over.append(event, at=5.0 + at)
    assert not RUN.unfinished(over.root), "the same command begins a new run"
    over.append(records.run_started(target=0.5, prompt_count=8, resumed=True), at=7.0)
    for at, event in enumerate(reversed(written)):
        over.append(event, at=8.0 + at)
    assert RUN.unfinished(over.root), "a run that was taken up again is not over for it"


def in_full(at: Checkpoint, passes: int = 5) -> events.BestInFull:
    report = setups.report(passes, 20)
    return events.BestInFull(
        number=0,
        checkpoint=at,
        weights={},
        prompts="IFEval",
        scorer="ifeval",
        max_new_tokens=32,
        prompt_strict=report.score,
        instruction_strict=report.instruction_strict,
        prompt_loose=report.prompt_loose,
        instruction_loose=report.instruction_loose,
        interval=report.interval,
        health=report.health,
    )


def test_weights_that_the_run_did_not_score_do_not_join_it(over: RunDir) -> None:
    (over.best / "model.safetensors").write_bytes(b"another")
    said, full = joined(over.best)
    assert "does not join the report of" in said
    assert "not known to be those that the run scored" in said
    assert full is None


def test_where_the_checkpoint_is_gone_the_copy_that_the_record_knows_joins_it(over: RunDir) -> None:
    with over:
        keep_best(Session(over, FakeRunner(Workers())))
    shutil.rmtree(over.root / "trials")
    said, full = joined(over.best)
    assert "this score stands in the report of the run as well" in said
    assert full is not None
    (over.best / "model.safetensors").write_bytes(b"another")
    assert "not known to be those that the run scored" in joined(over.best)[0]


@pytest.mark.parametrize("name", ["events.jsonl", "prompts.jsonl"])
def test_a_run_that_cannot_be_read_takes_nothing_from_the_score(over: RunDir, name: str) -> None:
    path = over.root / name
    path.write_bytes(b"{}\n" + path.read_bytes())
    said, full = joined(over.best)
    assert said.startswith("this score does not join the report of its run: ")
    assert name in said
    assert full is None
    found = evaluation()
    assert with_selection_bias(found, over.best, FULL) is found


def test_nor_does_a_score_of_another_text_of_the_answers(over: RunDir) -> None:
    over.run_toml.write_text('[evaluate]\nthink = "strip"\n', encoding="utf-8")
    said, full = joined(over.best)
    assert "judged with --think keep, the run's own with --think strip; give that" in said
    assert full is None


def test_nor_does_the_score_of_what_is_the_best_no_longer(over: RunDir) -> None:
    over.append(in_full(checkpoint(5)), at=5.0)
    assert replay(over.records()).best_in_full is not None
    over.append(records.evaluated(0, checkpoint(6), 7), at=6.0)
    assert replay(over.records()).best_in_full is None


@pytest.mark.parametrize(("prompts", "limit"), [(FULL[:8], "all"), (FULL[:4], "all"), (FULL, "20")])
def test_the_runs_own_prompts_fewer_or_a_choice_of_them_are_no_full_score(
    over: RunDir, prompts: tuple[IFEvalPrompt, ...], limit: str
) -> None:
    assert joined(over.best, prompts, limit) == ("", None)


def test_a_run_in_use_is_left_alone_and_that_is_said(over: RunDir) -> None:
    with RunDir(over.root):
        said, full = joined(over.best)
    assert "in use by" in said
    assert full is None


def test_the_record_is_read_once_for_all_that_is_asked_of_it(
    over: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted_readings(monkeypatch)
    record_cache, said = RecordCache(), list[str]()
    found = with_selection_bias(evaluation(), over.best, FULL, record_cache)
    emit_full_score(found, over.best, FULL, "IFEval", profile(), said.append, record_cache)
    assert found.chosen_among == 1
    assert "this score stands in the report of the run as well" in said[0]
    assert read == [over.events]
