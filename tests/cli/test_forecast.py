"""`probe --plan`: what is said about a card that is not there, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autotune.base.errors import ExitCode
from autotune.base.sizes import GIB, MIB
from autotune.cli.main import run
from autotune.config.load import find_profile, profiles_folder
from autotune.device.budget import Budget
from autotune.fit.allowance import card_allowance
from autotune.fit.forecast import Forecast, Planned, StrategyForecast
from autotune.fit.planned_card import PlannedCard
from autotune.fit.planned_data import MOST_BYTES
from autotune.fit.planned_hours import planned_hours
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.prediction import PredictedPeak, PredictionFile, PredictPoint
from autotune.screen.forecast import forecast_details, forecast_summary, telling
from tests.screens import printed

CARD = (profiles_folder() / "rtx4060-laptop-8gb.toml").read_text(encoding="utf-8")
PLAN = ["probe", "--plan"]

BUDGET = Budget(total_bytes=8 * GIB, reserve_bytes=GIB // 2, source="an empty 8GiB card")

ARCHITECTURE = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))


def model_folder(folder: Path) -> str:
    """A folder with a configuration and nothing else."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(ARCHITECTURE), encoding="utf-8")
    return str(folder)


def card_file(folder: Path, *changes: tuple[str, str]) -> str:
    text = CARD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "card.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_gpu_without_plan_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "probe", "--gpu", "rtx4060-laptop-8gb")
    assert "--gpu rtx4060-laptop-8gb: only with --plan; add that" in said


def test_a_kernel_without_a_plan_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "probe", "--attention", "math")
    assert "--attention math: only with --plan; add that" in said


def test_a_kernel_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--attention flash: must be fused or math" in refusal(
        capsys, *PLAN, "--attention", "flash"
    )


def test_a_generation_that_cuda_does_not_count_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = card_file(tmp_path, ('"8.9"', '"Ada"'))
    assert run([*PLAN, "--gpu", card]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert 'machine.capability = "Ada": must be a capability as CUDA counts, such as 8.9' in said


def test_a_card_that_nobody_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, *PLAN, "--gpu", "rtx4060-laptop")
    assert "did you mean rtx4060-laptop-8gb?" in said


def test_a_profile_for_a_cpu_is_no_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is a profile for a CPU" in refusal(capsys, *PLAN, "--gpu", "cpu-smoke")


def test_a_card_without_its_memory_says_which_key_to_add(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = card_file(tmp_path, ("memory =", "# memory ="))
    said = refusal(capsys, *PLAN, "--gpu", card, "--model", model_folder(tmp_path / "model"))
    assert 'give --vram-budget 11GiB, or add memory = "12GiB" under [machine] of' in said


def test_a_reserve_that_takes_the_whole_card_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = card_file(tmp_path, ('"512MiB"', '"9GiB"'))
    assert "leaves nothing of 8GiB" in refusal(capsys, *PLAN, "--gpu", card)


def test_a_folder_without_a_configuration_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    said = refusal(capsys, *PLAN, "--model", str(tmp_path / "empty"))
    assert "config.json is missing" in said


def planned(rows: int, gradient_checkpointing: bool, fits: bool) -> Planned:
    peak = PredictedPeak(
        point=PredictPoint(rows=rows, tokens=256, gradient_checkpointing=gradient_checkpointing),
        weights_bytes=513 * MIB,
        gradients_bytes=514 * MIB,
        optimizer_bytes=1026 * MIB,
        activations_bytes=77 * MIB,
        logits_bytes=144 * MIB,
        temporary_bytes=265 * MIB,
        peak_phase="backward",
        optimizer_step_bytes=2061 * MIB,
    )
    return Planned(peak, 3115 * MIB, fits)


def plan(length: int | None = 8192, attention: Attention = Attention.FUSED) -> Forecast:
    return Forecast(
        card=PlannedCard("rtx", "8GB", BUDGET, Precision.FP16, flops=14.6e12),
        prediction=PredictionFile(
            target="cuda",
            parameters=134_515_008,
            layers=30,
            layers_traced=(2, 4),
            supervised_share=1.0,
            peaks=(),
            generation_bytes=0,
            process_bytes=0,
            seconds=6.0,
            attention=attention,
        ),
        allowance=card_allowance(attention),
        table=(planned(1, False, True), planned(2, True, False)),
        model_max_length=length,
        rows=4 if length else 0,
        strategies=(
            StrategyForecast("A", 1024, 64, rows=3, rows_checkpointing=45),
            StrategyForecast("C", 8192, 32, rows=0, rows_checkpointing=0),
        ),
    )


@pytest.mark.parametrize("width", [60, 120])
def test_the_screen_begins_with_what_matters_and_has_the_figures_below(width: int) -> None:
    found = plan()
    hours = planned_hours(find_profile("rtx4060-laptop-8gb"), found)
    text = printed(forecast_summary(found, "some model", hours), width)
    text += printed(forecast_details(found), width)
    lines = [line.strip("│ ") for line in text.splitlines()]
    words = " ".join(" ".join(lines).split())
    first = ("An estimate", "What fits: sequences of up to 8192 tokens", "Hours: A trains for 1.1")
    first += ("What decides: memory. Of 7.50 GiB", "strategy length", "300 MiB CUDA context")
    places = [words.index(begin) for begin in first]
    assert places == sorted(places)
    assert "A trains for 1.1 and is scored in at most 0.9. That is for 6000 conversations" in words
    assert (
        "(assumed: PeterV09/smol-smoltalk-6k is not fetched for a plan), with 600 tokens" in words
    )
    assert lines[1].startswith("An estimate, not a measurement: some model on rtx (8GB)")
    assert "7.50 GiB" in words and "512 MiB reserve" in words
    assert "a fused kernel is assumed, as flash; without one see --attention math" in words
    assert "300 MiB CUDA context and 10 % slack of the allocator (4 % to 25 % were" in words
    assert "2 and 4 of 30 layers traced" in words
    assert "strategy length batch micro-batch with ckpt" in words
    assert "A 1024 64 3 45" in words and "C 8192 32 none none" in words
    assert "(as long as the model or the profile allows), in micro-batches of 4 with" in words
    assert "strategy A fits; not C." in words
    points = [line for line in lines if line.startswith("256")]
    assert [line.split()[-1] for line in points] == ["fits", "no"]


def test_of_each_length_the_screen_has_the_largest_micro_batch_that_fits() -> None:
    """Sixty lines are in `--json`: on a screen they would push the answer off it."""
    table = tuple(
        planned(rows, way, fits=rows <= most)
        for way, most in ((False, 4), (True, 16))
        for rows in (1, 2, 4, 8, 16)
    )
    shown = telling(table)
    assert [(p.peak.point.rows, p.peak.point.gradient_checkpointing) for p in shown] == [
        *((4, False), (16, True))
    ]
    (none,) = telling([planned(rows, False, fits=False) for rows in (1, 2, 4)])
    assert none.peak.point.rows == 1 and not none.fits


def test_forty_columns_have_a_line_for_each_strategy_and_point() -> None:
    text = printed(forecast_details(plan()), 40)
    words = " ".join(text.split())
    assert "A: 1024 tokens, batch 64, micro-batch 3, with ckpt 45" in words
    assert "256 tokens, micro-batch 2, ckpt: 3115 MiB no" in words


@pytest.mark.parametrize(
    ("width", "shown", "not_shown"),
    [
        (120, ["needs: on top of the peak 300 MiB", "other is what passes"], ["In every line"]),
        (
            80,
            ["needs: on top of the peak", "In every line: weights 513, gradients 514"],
            ["size in"],
        ),
        (
            40,
            [
                "The size in a line: the peak, and on top of it 300 MiB",
                "In every line: weights 513",
            ],
            ["needs:", "other is", "olumn"],
        ),
    ],
)
def test_the_note_below_the_figures_explains_what_stands_there_and_nothing_else(
    width: int, shown: list[str], not_shown: list[str]
) -> None:
    lines = printed(forecast_details(plan()), width).splitlines()
    words = " ".join(" ".join(line.strip("│ ") for line in lines).split())
    for text in (*shown, "ckpt: with gradient checkpointing", "4 % to 25 % were measured"):
        assert text in words
    for text in not_shown:
        assert text not in words


@pytest.mark.parametrize("rows", [4, 5, 128])
def test_the_note_says_of_which_numbers_a_micro_batch_is_the_most(rows: int) -> None:
    fits = (planned(1, False, True), planned(rows, True, True))
    words = printed(forecast_details(replace(plan(), rows=rows, table=fits)), 1000)
    few = "micro-batch: sequences at a time, the most of 1, 2, 4, 8, 16 that fit (--json has all)"
    of_any = "; with ckpt at 8192 tokens the most of any number up to the largest batch: "
    assert few + (f"{of_any}{rows}. " if rows > 4 else ". ") in words
    none = printed(forecast_details(replace(plan(), rows=rows)), 1000)
    assert f"{few}, 1 where none does" in none


def test_what_was_traced_beforehand_says_with_what() -> None:
    found = plan()
    with_torch = found.prediction.model_copy(update={"traced_with": "torch 2.13.0"})
    text = printed(forecast_details(replace(found, prediction=with_torch)), 200)
    assert "2 and 4 of 30 layers traced beforehand with torch 2.13.0" in " ".join(text.split())


@pytest.mark.parametrize(("rows", "last"), [(60, False), (20, True)])
def test_the_answer_is_what_a_terminal_shows_in_the_end(
    rows: int, last: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First where all of the plan has room, else last; in a pipe it is always first."""
    monkeypatch.setattr(
        "autotune.cli.forecast.human_console",
        lambda _: Console(force_terminal=True, width=120, height=rows),
    )
    assert run([*PLAN]) == ExitCode.DONE
    text = capsys.readouterr().out
    assert (text.index("what takes the memory") < text.index("What fits")) == last
    monkeypatch.undo()
    assert run([*PLAN]) == ExitCode.DONE
    text = capsys.readouterr().out
    assert text.index("What fits") < text.index("what takes the memory")
    (after,) = (line for line in text.splitlines() if line.startswith("next: "))
    # The line ends in the command, as a shell takes it.
    assert after == "next: measure on the computer with that card: smolsft-autotune probe"


@pytest.mark.parametrize(
    ("typed", "toml", "said"),
    [
        ((), "", "an empty 8GiB card less 512 MiB reserve"),
        (("--vram-budget", "6GiB"), "", "budget 6.00 GiB (--vram-budget)"),
        (("--set", "machine.budget=6GiB"), "", "budget 6.00 GiB (--set)"),
        ((), '[machine]\nbudget = "6GiB"\n', "budget 6.00 GiB (smolsft.toml)"),
        (("--gpu", "card.toml"), "", "budget 6.00 GiB (profile rtx4060-laptop-8gb)"),
    ],
)
def test_the_budget_is_said_to_come_from_what_named_it(
    typed: tuple[str, ...],
    toml: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card_file(tmp_path, ('budget = "auto"', 'budget = "6GiB"'))
    if toml:
        (tmp_path / "smolsft.toml").write_text(toml, encoding="utf-8")
    assert run([*PLAN, *typed]) == ExitCode.DONE
    assert said in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_hours_are_not_made_up_for_a_card_whose_speed_nobody_says() -> None:
    found = plan()
    unknown = replace(found, card=replace(found.card, flops=None))
    assert planned_hours(find_profile("rtx4060-laptop-8gb"), unknown) is None
    assert "Hours: not known" in printed(forecast_summary(unknown, "model"), 120)


@pytest.mark.parametrize(
    ("typed", "of"),
    [
        ("--data toy", "for 600 conversations (toy conversations), with 600 tokens each assumed"),
        ("--data toy --max-conversations 50", "for 50 of 600 conversations (toy conversations), "),
        ("--data toy --max-conversations 900", "for 600 conversations (toy conversations), with"),
        ("--data mine.jsonl", "for 2 conversations (mine.jsonl), with"),
        (
            "--data none.jsonl",
            "for 6000 conversations (assumed: none.jsonl is not on this machine)",
        ),
        ("--data bad.jsonl", "for 6000 conversations (assumed: bad.jsonl cannot be read), with"),
        ("--data big.jsonl", "for 6000 conversations (assumed: big.jsonl is too large to be count"),
        ("--data owner/chats", "for 6000 conversations (assumed: owner/chats is not fetched for a"),
        (
            "--data mine.jsonl --set A.data=toy",
            "for 600 conversations (toy conversations) in A and 2 conversations (mine.jsonl) in B,",
        ),
        (
            "--data toy --set A.data=mine.jsonl --set A.mix=0.5",
            "for 4 conversations (mine.jsonl mixed with toy conversations) in A and 600 conversati",
        ),
        (
            "--set A.data=mine.jsonl --set A.mix=0.5",
            "for 4 conversations (assumed: PeterV09/smol-smoltalk-6k is not fetched for a plan) in",
        ),
        (
            "--data toy --set A.data=synth --set synth.tasks=100 --set synth.variants=2",
            "for 120 conversations (assumed: the run makes its practice data itself) in A and 600",
        ),
    ],
)
def test_the_hours_are_for_the_conversations_that_are_there_or_say_why_they_are_assumed(
    typed: str, of: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (tmp_path / "mine.jsonl").write_text(f"{json.dumps(chat)}\n" * 2, encoding="utf-8")
    (tmp_path / "bad.jsonl").write_text("{\n", encoding="utf-8")
    with (tmp_path / "big.jsonl").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert run([*PLAN, "--model", "demo", *typed.split()]) == ExitCode.DONE
    (hours,) = [line for line in capsys.readouterr().out.splitlines() if line[:6] == "Hours:"]
    assert f"That is {of}" in hours


def test_fewer_conversations_take_fewer_hours(capsys: pytest.CaptureFixture[str]) -> None:
    assumed, counted = (
        said(capsys, ExitCode.DONE, "--model", "demo", *typed)["hours"]["A"]["training"]
        for typed in ((), ("--data", "toy"))
    )
    assert counted == pytest.approx(assumed / 10, abs=0.01)


def test_a_wide_screen_has_a_column_for_everything_that_takes_memory() -> None:
    text = printed(forecast_details(plan()), 120)
    (line,) = [line for line in text.splitlines() if line.strip("│ ").split()[:2] == ["256", "1"]]
    assert line.strip("│ ").split() == [
        *("256", "1", "no", "513", "514", "1026", "77", "144", "265", "2539", "3115", "fits")
    ]


def test_the_screen_says_so_where_no_fused_kernel_is_assumed() -> None:
    words = " ".join(
        line.strip("│ ")
        for line in printed(forecast_details(plan(attention=Attention.MATH)), 120).splitlines()
    )
    assert "the unfused math kernel is assumed, with tables of length x length" in words
    assert "18 % slack of the allocator (6 % to 49 % were measured)" in words


def test_nothing_fits_is_said_plainly() -> None:
    text = printed(forecast_summary(plan(None), "model"), 120)
    assert "What fits: nothing" in text
    flat = " ".join(line.strip("│ ") for line in text.splitlines())
    assert "Give a larger --vram-budget, or a smaller model with --model" in flat


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> dict[str, Any]:
    assert run([*PLAN, "--json", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "An estimate, not a measurement" in captured.err
    found: dict[str, Any] = json.loads(captured.out)
    return found


@pytest.mark.torch
def test_a_plan_is_one_object_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, ExitCode.DONE, "--model", model_folder(tmp_path / "model"))
    assert found["estimate"] is True
    assert found["gpu"] == "rtx4060-laptop-8gb"
    assert found["budget_bytes"] == 8 * GIB - 512 * MIB
    assert found["model_max_length"] == 512  # the model's last position
    assert found["micro_batch_tokens"] == 512 * 128  # all rows of the largest step
    assert found["attention"] == "fused"
    assert set(found["strategies"]) == {"A", "B", "C", "D", "minimum"}
    line = found["points"][0]
    assert line["fits"] is True
    parts = ("weights", "gradients", "optimizer", "activations", "logits", "temporary")
    assert line["peak_bytes"] == sum(line[f"{part}_bytes"] for part in parts)
    assert not (tmp_path / "runs").exists()  # a plan leaves no run behind


@pytest.mark.torch
def test_without_a_fused_kernel_the_same_rows_need_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ("--model", model_folder(tmp_path / "model"))
    fused = said(capsys, ExitCode.DONE, *model)
    math = said(capsys, ExitCode.DONE, *model, "--attention", "math")
    assert math["attention"] == "math"
    needs, needed = (
        {
            (p["rows"], p["tokens"], p["gradient_checkpointing"]): p["needed_bytes"]
            for p in told["points"]
        }
        for told in (math, fused)
    )
    # The last row of each is its answer, and without a fused kernel fewer rows are one.
    both = needs.keys() & needed.keys()
    assert len(both) == len(needs) - 1 == len(needed) - 1
    assert all(needs[point] > needed[point] for point in both)


@pytest.mark.torch
def test_a_budget_that_holds_nothing_ends_with_its_own_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--model", model_folder(tmp_path / "model"), "--vram-budget", "300MiB")
    found = said(capsys, ExitCode.NOTHING_FITS, *arguments)
    assert (found["model_max_length"], found["budget_bytes"]) == (None, 300 * MIB)
    assert not any(line["fits"] for line in found["points"])


@pytest.mark.parametrize(("model", "parameters"), [("toy", 102_912), ("demo", 134_515_008)])
def test_what_one_word_names_is_planned_without_a_worker_or_a_network(
    model: str,
    parameters: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("autotune.cli.forecast.SubprocessRunner", lambda: None)
    found = said(capsys, ExitCode.DONE, "--model", model)
    assert found["parameters"] == parameters
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["architectures"]
