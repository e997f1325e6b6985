"""What was asked, on what, with what, how long it took, why so: in the report and the record."""

import json
from pathlib import Path

import pytest

from autotune.cli import command_line
from autotune.cli.command_line import remember_command, typed_command
from autotune.device.find import find_device
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.results import Fit, Verdict
from autotune.report import build_report
from autotune.report.facts import facts_of
from autotune.report.fit_reasons import fit_reasons
from autotune.report.loss_chart import epoch_marks, epoch_means, held_out_label, smoothed
from autotune.report.tables import timed_table
from autotune.report.trial_schema import HeldOutPoint, LossPoint
from autotune.report.write import render_html, render_markdown
from autotune.run.history import history_of
from autotune.run.machine import machine_facts
from autotune.score.registry import find_scorer
from autotune.text.explanations import why_length
from tests import records as book
from tests.cli.test_full_score import in_full
from tests.report.test_pages import without_tags

COMMAND = "smolsft-autotune run --target 25% --run-dir 'my runs/a'"
MACHINE = {"operating system": "Linux-6", "Python": "3.12.4 (CPython)", "GPU driver": "560.1"}
CONTENT = events.Content(
    data={"chats.jsonl": "d" * 64},
    prompts={"input_data.jsonl": "e" * 64},
    scored="f" * 64,
    model={"model.safetensors": "a" * 64},
    own_data={"B": {"more.jsonl": "b" * 64}},
)


def asked(*later: events.RunStarted) -> list[Record]:
    """The story of a run that was asked for so, and whatever resumed it."""
    first, *rest = book.story()
    seeds = {"training": 7, "prompts": 3}
    begun = book.run_started(command=COMMAND, machine=MACHINE, seeds=seeds)
    resumed = [Record(time=first.time + 1, event=event) for event in later]
    content = Record(time=first.time + 1, event=CONTENT)
    return [first.model_copy(update={"event": begun}), *resumed, content, *rest]


def test_both_pages_say_what_was_asked_on_what_and_with_which_seeds_and_files() -> None:
    again = book.run_started(
        resumed=True, command=f"{COMMAND} --max-hours 9", machine=MACHINE | {"GPU driver": "570.2"}
    )
    report = build_report(asked(again), Path("runs/x"))
    assert report.command == COMMAND
    assert report.later_commands == (f"{COMMAND} --max-hours 9",)
    assert report.hashes["data of B, more.jsonl"] == "b" * 64
    page, text = render_html(report), render_markdown(report)
    assert f"<dt>sha256 of model model.safetensors</dt><dd>{'a' * 64}" in page
    for words in (
        "--run-dir &#x27;my runs/a&#x27;",
        f"{COMMAND} --max-hours 9".replace("'", "&#x27;"),
        "560.1, then 570.2",
        "3.12.4 (CPython)",
        "seed of training7\n",
        "--profile runs/x/run.toml --target 0.25 --run-dir NEW",
    ):
        assert words in without_tags(page), words
    for words in (COMMAND, "| seed of prompts | 3 |", "| GPU driver | 560.1, then 570.2 |"):
        assert words in text, words
    tree = json.loads(report.model_dump_json())
    assert tree["seeds"] == {"training": 7, "prompts": 3}


def test_practice_data_that_the_run_made_has_its_seed_in_the_report() -> None:
    made = events.PracticeStarted(
        name="synth",
        model="m",
        device="cpu",
        device_kind="cpu",
        asked=1,
        samples=1,
        prompts=1,
        near_copies=0,
        held_out=(),
        settings="0",
    )
    first, *rest = asked()
    report = build_report([first, Record(time=first.time, event=made), *rest], Path("runs/x"))
    assert "| seed of practice data | 7 |" in render_markdown(report)


def test_the_same_version_of_the_tool_is_asked_for_and_no_library_that_it_does_not_use() -> None:
    first, *rest = asked()
    named = {"smolsft-autotune": "0.3.0 (commit 9f0a28b1c2d3)", "if-verifiable": "0.1.2"}
    begun = first.event.model_copy(update={"machine": MACHINE | named})
    report = build_report([first.model_copy(update={"event": begun}), *rest], Path("runs/x"))
    step = report.reproduce[0]
    assert "smolsft-autotune 0.3.0 (commit 9f0a28b1c2d3), torch 2.13.0+cpu" in step
    assert "if-verifiable" not in step
    unknown = build_report(asked(), Path("runs/x"))
    assert "smolsft-autotune (its version is not on record)" in unknown.reproduce[0]
    assert "smolsft-autotune" not in unknown.versions, "what makes a report did not make the run"


def test_an_interval_is_rounded_alike_in_the_first_figures_and_in_the_table() -> None:
    report = build_report(book.story(), Path("runs/x"))
    best = report.best
    assert best is not None
    of_541 = {"passes": 151, "n": 541, "strict": 151 / 541, "interval": (0.2430, 0.3184)}
    many = report.model_copy(update={"best": best.model_copy(update=of_541)})
    for shown, figure in ((report, "18 to 53 %"), (many, "24.3 to 31.8 %")):
        assert figure in [fact.value for fact in facts_of(shown, find_scorer("ifeval"))]
    assert "151/541 27.9 % \\[24.3-31.8\\]" in render_markdown(many)


def test_the_held_out_loss_says_in_the_legend_how_far_it_is_measured() -> None:
    (trial, *_) = build_report(book.story(), Path("runs/x")).trials
    points = [HeldOutPoint(step=n, progress=n / 12, loss=1.0, conversations=6) for n in (0, 10)]
    held = trial.model_copy(update={"held_out": tuple(points)})
    assert held_out_label(held) == "held out, last at 83 %"


def test_the_machine_is_named_without_its_host_or_user() -> None:
    found = machine_facts(find_device("cpu"))
    assert {"operating system", "Python", "processor", "memory", "GPU"} <= found.keys()
    assert found["GPU"] == "none used"
    assert "GPU driver" not in found
    assert found["optuna"]


def test_a_command_line_is_kept_as_it_is_typed_without_a_password() -> None:
    before = command_line._typed.get()
    try:
        remember_command(["run", "--storage", "postgresql://me:secret@host/db", "--model", "a b"])
        assert "secret" not in typed_command()
        assert typed_command().startswith("smolsft-autotune run --storage ")
        assert typed_command().endswith(" --model 'a b'")
    finally:
        command_line._typed.set(before)


def test_the_time_of_a_run_is_split_by_what_was_done_and_pauses_are_kept_apart() -> None:
    records = asked()
    at = next(n for n, r in enumerate(records) if isinstance(r.event, events.Trained))
    pause = 5000.0
    moved = [r.model_copy(update={"time": r.time + pause}) for r in records[at:]]
    resumed = Record(time=moved[0].time - 1, event=book.run_started(resumed=True))
    report = build_report([*records[:at], resumed, *moved], Path("runs/x"))
    split = report.time_split
    assert list(split) == [
        "finding what fits",
        "scoring the untrained model",
        "training",
        "scoring checkpoints",
        "paused",
    ]
    assert sum(split.values()) == pytest.approx(report.seconds)
    assert split["paused"] == pytest.approx(pause - 1, abs=2)
    assert split["training"] == pytest.approx(12 * 3 + 20 * 3 + 12, abs=3)
    assert "| training | 1 min 4" in render_markdown(report)


def test_what_eval_adds_long_after_a_run_is_not_of_its_time() -> None:
    records = book.story()
    before = build_report(records, Path("runs/x"))
    late = Record(time=9e9, event=events.Warned(message="looked at"))
    assert history_of([*records, late]).time_split.until(9e9) == before.time_split


def trial(verdict: Verdict, length: int, rows: int) -> object:
    (fits, *_) = book.outcomes()
    shape = {"model_max_length": length, "row_tokens": rows}
    point = fits.point.model_copy(update=shape)
    return fits.model_copy(update={"verdict": verdict, "point": point, "reason": "too much"})


@pytest.mark.parametrize(
    ("trials", "why", "in_short"),
    [
        (
            [(Verdict.FITS, 256, 256), (Verdict.SPILLED, 320, 320)],
            "320, did not: SPILLED, too much",
            "320 tokens are SPILLED",
        ),
        (
            [(Verdict.FITS, 256, 256), (Verdict.FITS, 256, 201)],
            "model and profile allow no more",
            "the longest that model and profile allow",
        ),
        (
            [(Verdict.FITS, 256, 201)],
            "the longest has 201 tokens",
            "every conversation is whole within it, the longest has 201 tokens",
        ),
    ],
    ids=["memory", "bound", "data"],
)
def test_the_reason_for_a_length_is_what_stood_above_it_on_the_screen_and_in_the_report(
    trials: list[tuple[Verdict, int, int]], why: str, in_short: str
) -> None:
    tried = tuple(trial(*each) for each in trials)
    fit: Fit = book.fit().model_copy(update={"trials": tried})
    assert why in fit_reasons(fit)[0]
    assert in_short in why_length(fit)


@pytest.mark.parametrize(
    ("rounds", "whole", "row", "why"),
    [
        (4, True, 256, "Rounds 4: the most that stay whole"),
        (1, True, 256, "no more than that stays whole"),
        (1, False, 256, "Not even 1 round stays whole"),
        (1, True, 201, "Rounds 1: as many as any conversation has"),
    ],
    ids=["several", "one of several", "none whole", "all"],
)
def test_the_reason_for_rounds_says_whether_even_one_stays_whole(
    rounds: int, whole: bool, row: int, why: str
) -> None:
    found = {"max_rounds": rounds, "whole": whole, "trials": (trial(Verdict.FITS, 256, row),)}
    assert why in fit_reasons(book.fit().model_copy(update=found))[1]


def test_the_reason_for_a_micro_batch_names_all_that_were_timed() -> None:
    (timed,) = book.fit().speed_trials
    assert timed.measurement is not None and timed.measurement.timed is not None
    slow = timed.measurement.timed.model_copy(update={"seconds": 4.0})
    other = timed.model_copy(
        update={
            "point": timed.point.model_copy(update={"micro_batch_tokens": 256}),
            "measurement": timed.measurement.model_copy(update={"timed": slow}),
        }
    )
    quick = timed.measurement.timed.model_copy(update={"seconds": 1.6})
    first = timed.model_copy(
        update={"measurement": timed.measurement.model_copy(update={"timed": quick})}
    )
    fit = book.fit().model_copy(update={"speed_trials": (other, first, timed)})
    (line,) = (line for line in fit_reasons(fit) if line.startswith("A trains at"))
    assert "512 tokens: the fastest of 2 settings that were timed, 1250 tokens/s, 1000 when" in line
    assert "(256 tokens: 500)" in line
    rows = [row.cells for row in timed_table(fit).rows]
    assert [cells[-1] for cells in rows] == ["500", "1250", "1000"], "the figures of the table"


def test_losses_are_smoothed_and_each_epoch_has_its_mean_and_its_mark() -> None:
    losses = [2.0, 1.0] * 40
    means = smoothed(losses)
    assert len(means) == 80
    assert means[0] == pytest.approx(5 / 3), "of the three steps within half a window"
    quiet_but_last = smoothed([0.9] * 199 + [0.6])
    assert quiet_but_last[-1] > 0.8, "it does not end on the noise of one batch"
    assert max(abs(mean - 1.5) for mean in means[2:-2]) < 0.2
    assert smoothed([*losses, 9.0])[-1] < 5.0, "the last step alone bends no curve"
    shape = {"grad_norm": None, "learning_rate": 1e-5, "skips": 0}
    curve = [LossPoint(step=n, loss=float(n > 4), **shape) for n in range(1, 7)]
    assert epoch_means(curve, 4) == (0.0, 1.0)
    report = build_report(book.story(), Path("runs/x"))
    assert list(epoch_marks(report.trials[0])) == [(1, 4.5), (2, 8.5)]
    assert len(report.trials[1].epoch_losses) == 5
    assert f"{report.trials[1].epoch_losses[0]:.3f}, " in render_markdown(report)


@pytest.mark.parametrize(("corrected", "shown"), [(0.3, True), (0.3334, False)])
def test_selection_bias_is_shown_only_where_it_makes_another_figure(
    corrected: float, shown: bool
) -> None:
    *records, over = book.story()
    chosen = events.BestCorrected(candidates=4, corrected=corrected, interval=(0.2, 0.5))
    report = build_report([*records, Record(time=over.time, event=chosen), over], Path("runs/x"))
    labels = [fact.label for fact in facts_of(report, find_scorer("ifeval"))]
    assert ("corrected for selection bias" in labels) is shown
    assert any("selection bias" in line for line in report.conclusions) is shown


def test_beside_a_score_on_all_prompts_every_figure_says_that_it_is_of_the_runs_own() -> None:
    *records, over = book.story()
    chosen = events.BestCorrected(candidates=4, corrected=0.3, interval=(0.2, 0.5))
    full = [r.event for r in records if isinstance(r.event, events.Evaluated)][-1]
    late = [
        Record(time=over.time, event=chosen),
        over,
        Record(
            time=over.time + 60, event=in_full(full.checkpoint).model_copy(update={"number": 1})
        ),
    ]
    report = build_report([*records, *late], Path("runs/x"))
    assert report.best_in_full is not None
    labels = [fact.label for fact in facts_of(report, find_scorer("ifeval"))]
    assert "corrected for selection bias, on the run's own 24 prompts" in labels
    assert "before training, on the run's own 24 prompts" in labels
    (said,) = (line for line in report.conclusions if "selection bias" in line)
    assert said.endswith("corrected estimate 30.0 % on the run's own prompts.")


def test_a_probe_that_is_over_is_no_unfinished_run(tmp_path: Path) -> None:
    begun, *found = book.until(book.story(), events.Fitted)
    probe = begun.model_copy(update={"event": book.run_started(target=0.0)})
    report = build_report([probe, *found], tmp_path)
    assert report.verdict == "probed"
    assert "target" not in [fact.label for fact in facts_of(report, find_scorer("ifeval"))]
    (step,) = report.next_steps
    assert step.startswith("train with it: smolsft-autotune run --profile ")
    assert "(0.0 %)" not in render_html(report)


def test_the_rows_of_each_strategy_stand_in_the_report() -> None:
    report = build_report(book.story(), Path("runs/x"))
    text = render_markdown(report)
    assert "| A | demo | 202 | 138 | 0 | 64 | 256 x 4 | 96.4 % |" in text
    assert "2 rows dropped: no assistant" in text
    for used in report.data_used:
        counts = (used.dropped, used.lost, used.held_out, used.conversations)
        assert used.rows == sum(counts), "they add up"
