"""Training speed of the tool beside Hugging Face's Trainer and TRL: one step of strategy A, timed.

The same rows, model, precision and effective batch; a way is a process, one at a time has the card.
"""

import importlib.util
import json
import statistics
import threading
from pathlib import Path
from typing import Any

from autotune.base.sizes import GIB
from autotune.data.load import load_conversations
from autotune.device.find import find_device
from autotune.protocol.plan import DataSpec
from benchmarks.card_checks.asked import Answer, Ask, Figures
from benchmarks.card_checks.peaks import peak_flops, training_flops
from benchmarks.train_throughput import LENGTH, Way, codec_of, compared, rows_of, write_spec

WAYS = ("e_packed", "b_trainer", "c_trl", "d_padded", "g_both")
"""The pair that the ratio is about comes first, compiled layers last, which take the longest to
begin; TRL where it is installed."""

ROWS = 64
"""Conversations of a step of strategy A."""

LARGE_CARD_BYTES = 40 * GIB
MICRO_ROWS = {"large": 16, "small": 4, "rehearsal": 2}
"""Of the public ways, rows; of ours as many tokens as these rows have at most. Logits of 16 rows in
fp32 are 3 GiB, three times over in a step."""

STEPS = 5
GOODBYE_SECONDS = 5.0
"""Kept back of the step's time to say what was found."""

LEAST_RATIO = 1.0
"""The tool's best way over the best public one: it may not be slower."""


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where the tool trains at least as fast as the fastest public way."""
    folder = Path(ask.model)
    size = "large" if card_bytes(ask) >= LARGE_CARD_BYTES else "small"
    micro_rows = MICRO_ROWS["rehearsal" if ask.rehearse else size]
    length = 128 if ask.rehearse else LENGTH
    rows = step_rows(ask, folder)
    figures["micro_rows"] = micro_rows
    spec = write_spec(
        ask.folder / "training_speed" / "spec.json",
        rows,
        folder,
        device="cuda" if ask.on_card else "cpu",
        precision="bf16" if ask.on_card and find_device(ask.device).bf16 else precision_of(ask),
        micro_rows=micro_rows,
        micro_tokens=micro_rows * length,
        threads=None,
    )
    ways = [way for way in WAYS if is_here(way, ask)]
    figures["ways"] = ways
    rounds: dict[str, list[dict[str, float]]] = {}
    for at, name in enumerate(ways):
        found = timed(name, spec, figures.left / (len(ways) - at), figures)
        if found:
            rounds[name] = found
            figures["compared"] = compared("long", rows, rounds)
    figures["speed"] = speeds(ask, folder, [len(row.input_ids) for row in rows], rounds)
    ratio = figures["compared"]["ratios"].get("times_best_public") if rounds else None
    if ratio is None:
        return Answer(False, f"only {', '.join(rounds) or 'nothing'} was timed")
    best = figures["speed"][figures["compared"]["best"]]
    line = f"{ratio:.2f} times the best public way, {best['tokens_per_second']:.0f} tokens/s"
    if (share := best.get("share_of_peak")) is not None:
        line += f", {share:.1%} of the card's peak"
    return Answer(ratio >= LEAST_RATIO if ask.on_card else None, line)


def is_here(way: str, ask: Ask) -> bool:
    """Whether a way can be asked: TRL may not be installed, a CPU would compile for minutes."""
    if way == "c_trl":
        return importlib.util.find_spec("trl") is not None
    return way != "g_both" or ask.on_card


def step_rows(ask: Ask, folder: Path) -> list[Any]:
    """The first step's rows of the conversations, cut where strategy A cuts them."""
    loaded = load_conversations(
        DataSpec(path=ask.data, format="auto", max_conversations=8 if ask.rehearse else ROWS)
    )
    return rows_of(codec_of(folder), loaded.conversations)


def precision_of(ask: Ask) -> str:
    """Where there is no bf16: fp16 on a card, fp32 on a CPU."""
    return "fp16" if ask.on_card else "fp32"


def timed(name: str, spec: Path, share: float, figures: Figures) -> list[dict[str, float]]:
    """Steps of one way after a first that warms up, for `share` seconds; one step at least.

    A way that has not come to its first step in twice the time is ended, so that it leaves the
    others theirs.
    """
    until = figures.left - share
    way = Way(name, spec)
    patience = threading.Timer(
        max(1.0, min(2 * share, figures.left - GOODBYE_SECONDS)), way.process.kill
    )
    patience.start()
    found: list[dict[str, float]] = []
    try:
        way.figures()
        while len(found) < STEPS and (not found or figures.left > until):
            found.append(way.step())
    except SystemExit as error:  # it ended; its log says why
        figures.add("faults", f"{error}: {last_words(way.log)}")
    finally:
        patience.cancel()
        way.process.kill()
        way.process.wait()
    return found


def last_words(log: Path) -> str:
    """The last line of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "nothing"


def speeds(
    ask: Ask, folder: Path, lengths: list[int], rounds: dict[str, list[dict[str, float]]]
) -> dict[str, dict[str, float]]:
    """Tokens a second of each way (padding not counted) and its share of the card's peak."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    flops = training_flops(config, lengths)
    peak = card_peak(ask)
    found: dict[str, dict[str, float]] = {}
    for name, steps in rounds.items():
        seconds = statistics.median(step["seconds"] for step in steps)
        found[name] = {
            "seconds": seconds,
            "tokens_per_second": sum(lengths) / seconds,
            "flops_per_second": flops / seconds,
        }
        if peak is not None:
            found[name] |= {"share_of_peak": flops / seconds / peak["flops"], "peak": peak}
    return found


def card_peak(ask: Ask) -> Any:
    """The card's peak with its source, None on a CPU or where it is not known."""
    if not ask.on_card:
        return None
    import pynvml
    import torch

    properties = torch.cuda.get_device_properties(ask.card_index)
    mhz = None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(find_device(ask.device).index)
        mhz = int(pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM))
    except pynvml.NVMLError:
        pass
    return peak_flops(
        properties.name,
        properties.multi_processor_count,
        (properties.major, properties.minor),
        mhz,
    )


def card_bytes(ask: Ask) -> int:
    """What the card has."""
    return find_device(ask.device).total_bytes or 0 if ask.on_card else 0
