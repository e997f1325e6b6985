"""Answers a minute of the ways to generate, and whether their texts are the same in fp32.

`benchmarks/ifeval_generation.py` does each, in a process of its own so that one that hangs or fails
leaves the others their time.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotune.device.find import find_device
from autotune.launch import worker_environment
from autotune.sources.prompts import resolve_prompts
from benchmarks.card_checks.asked import Answer, Ask, Figures
from benchmarks.card_checks.missing import last_line
from benchmarks.card_checks.processes import TimeIsUp, run_limited

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "ifeval_generation.py"

WAYS = ("ours", "batch8", "graphed", "continuous")
"""The engine that the tool takes, plain batches of eight, the engine whose passes over a static
cache a card replays, transformers' continuous batching."""

PROMPTS = {"ours": 128, "batch8": 32, "graphed": 128, "continuous": 128}
"""Prompts of each way: eight at a time are a few seconds for each eight, so fewer of them."""

TOGETHER = (("batch8", "ours"), ("batch8", "graphed", "continuous"))
"""Whose texts are compared in one process, with those of the first: an engine that fails does not
take the comparison of the tool's own with it."""

GOODBYE_SECONDS = 2.0
ROWS = 64
SAME_PROMPTS, SAME_TOKENS = 8, 32
SECONDS_OF = {"share": 85.0, "tokens": 128}
"""Tokens of an answer in a step's usual time; in more time more, up to `MOST_TOKENS`."""

MOST_TOKENS = 1280
REHEARSED = {"prompts": 2, "tokens": 8, "rows": 2}


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where the tool's way is the faster one than plain batches, with the same texts."""
    tokens = min(MOST_TOKENS, round(SECONDS_OF["tokens"] * ask.seconds / SECONDS_OF["share"]))
    tokens = REHEARSED["tokens"] if ask.rehearse else tokens
    figures["max_new_tokens"] = tokens
    card = find_device(ask.device)
    precision = "fp32" if not ask.on_card else "bf16" if card.bf16 else "fp16"
    figures["precision"] = precision
    found: dict[str, Any] = {}
    # A rehearsal has its rates from the comparison of texts, which does each way once as well.
    ways = () if ask.rehearse else WAYS
    for at, way in enumerate(ways):
        seconds = figures.left / (len(ways) - at + len(TOGETHER))
        found[way] = asked_of(ask, [way], PROMPTS[way], tokens, precision, seconds)
        figures["ways"] = found
    count = REHEARSED["prompts"] if ask.rehearse else SAME_PROMPTS
    most = REHEARSED["tokens"] if ask.rehearse else SAME_TOKENS
    same: dict[str, Any] = {}
    for at, together in enumerate(TOGETHER):
        seconds = figures.left / (len(TOGETHER) - at) - GOODBYE_SECONDS
        same |= asked_of(ask, together, count, most, "fp32", seconds)
        figures["same_texts_in_fp32"] = same
    return judged(ask, found or same, same, count)


def judged(ask: Ask, found: dict[str, Any], same: dict[str, Any], count: int) -> Answer:
    """The rates side by side."""
    rates = {way: found.get(way, {}).get("answers_per_minute") for way in WAYS}
    line = ", ".join(f"{way} {rate or 'failed'}" for way, rate in rates.items())
    line += " answers/minute"
    if not rates["ours"] or not rates["batch8"]:
        return Answer(False, line)
    texts = same.get("ours", {}).get("same_texts")
    line += f"; {texts} of {count} texts the same in fp32"
    good = texts == count
    if not ask.on_card:
        return Answer(None if good else False, line)
    return Answer(good and rates["ours"] >= rates["batch8"], line)


def asked_of(
    ask: Ask, ways: Sequence[str], count: int, tokens: int, precision: str, seconds: float
) -> dict[str, Any]:
    """What the benchmark found: of one way its figures, of several each way's by name."""
    log = ask.folder / "generation" / f"{'-'.join(ways)}-{precision}.txt"
    log.unlink(missing_ok=True)
    command = [sys.executable, str(SCRIPT), "--prompts", str(resolve_prompts(ask.prompts).path)]
    command += ["--model", ask.model, "--device", "cuda" if ask.on_card else "cpu"]
    command += ["--precision", precision, "--count", str(count)]
    command += ["--max-new-tokens", str(tokens), "--ways", *ways]
    command += ["--batch-size", str(REHEARSED["rows"] if ask.rehearse else ROWS)]
    try:
        code = run_limited(
            command, seconds=seconds, log=log, cwd=ROOT, environ=worker_environment()
        )
    except TimeIsUp:
        return {"fault": f"not at its end after {seconds:.0f} s"}
    said = log.read_text(encoding="utf-8", errors="replace")
    if code != 0 or "\n{" not in said:
        return {"fault": last_line(said)[:300]}
    # The object comes last, after what the libraries and the progress had to say.
    tree: dict[str, Any] = json.loads(said[said.rindex("\n{") :])["ways"]
    return tree[ways[0]] if len(ways) == 1 else tree
