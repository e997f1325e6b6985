"""What the steps work on: a model folder, conversations and prompts, made where none were brought.

    python benchmarks/card.py --step inputs ... is the first thing of every part

The weights are, in this order: a folder that was named, those of the pack, random ones of the true
shape. Speed and memory are the same for all of them; what a training learns is not asked here.
"""

import json
import math
import random
import re
import shutil
import statistics
from pathlib import Path
from typing import Any

from benchmarks.card_checks.asked import Ask, write_json
from benchmarks.card_checks.pack import Pack

CONVERSATIONS = 6000
"""Of smol-smoltalk-6k, the data of the profile for 8 GB cards."""

MEDIAN_TOKENS, ABOVE_1024 = 500, 0.05
"""Its lengths: the median in tokens and the share above 1024, taken to be lognormal."""

MOST_TOKENS = 4096
"""Of a conversation that is made here: longer ones are some in a thousand."""

ROUNDS = (1, 2, 3, 4)
"""Question and answer pairs of a conversation, one after the other."""

REHEARSED = {"conversations": 24, "median": 60, "most": 160}
"""The same in a rehearsal, in characters, which are the toy's tokens."""

WORDS = re.findall(
    r"\w+",
    "a the of and to in is it that for on with as was at by be this have from or one had not but"
    " what all were when we there can an your which their said if do will each about how up out"
    " them then she many some so these would other into has more her two like him see time could",
)
"""Words that are one token each, with the space before them, for SmolLM2's tokenizer."""


def inputs(ask: Ask, pack: Pack, model: str | None) -> dict[str, str]:
    """Make what is missing; the fields of `Ask` that name it. It is kept for later calls."""
    found = ask.folder / "inputs.json"
    # A part of the weights that came since, or another model that is named, makes other inputs.
    whole = bool(pack.described().get("weights")) and not pack.missing_parts()
    asked = [ask.rehearse, model, ask.data, ask.prompts, whole]
    if found.is_file():
        kept = json.loads(found.read_text(encoding="utf-8"))
        given: dict[str, str] = kept["given"]
        if kept["asked"] == asked and Path(given["model"]).is_dir():
            return given
    folder, weights = model_folder(ask, pack, model)
    data = Path(ask.data) if ask.data else ask.folder / "chats.jsonl"
    if not data.is_file():
        write_chats(data, tokenizer_of(folder), ask.rehearse)
    prompts = ask.prompts or (str(pack.prompts) if pack.prompts.is_file() else "demo")
    given = {"model": str(folder), "weights": weights, "data": str(data), "prompts": prompts}
    write_json(found, {"asked": asked, "given": given})
    return given


def model_folder(ask: Ask, pack: Pack, named: str | None) -> tuple[Path, str]:
    """The folder to train from, and in words what its weights are."""
    from autotune.sources.model import DEMO_WHEEL, resolve_model

    if named:
        source = resolve_model(named)
        build(source, ask.folder)
        return source.folder, source.label
    if ask.rehearse:
        source = resolve_model("toy")
        build(source, ask.folder)
        return source.folder, "the toy's"
    if pack.join(DEMO_WHEEL.cached.parent) is not None:
        source = resolve_model("demo")
        build(source, ask.folder)
        return source.folder, source.label
    brought = pack.model if (pack.model / "config.json").is_file() else None
    return random_model(ask.folder / "model", brought), "random, of SmolLM2-135M's shape"


def build(source: Any, folder: Path) -> None:
    """Have a worker build a model folder that is not there yet."""
    from autotune.launch import SubprocessRunner
    from benchmarks.prepared_model import prepare

    prepare(SubprocessRunner(), source, folder)


def random_model(folder: Path, brought: Path | None) -> Path:
    """Random weights of the true shape; with the tokenizer that was brought, or one of bytes."""
    from benchmarks.fit import save_model

    if (folder / "model.safetensors").is_file():
        return folder
    work = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    save_model(work)
    for path in brought.iterdir() if brought else ():
        shutil.copyfile(path, work / path.name)
    work.replace(folder)
    return folder


def tokenizer_of(folder: Path) -> Any:
    """The folder's tokenizer."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def write_chats(path: Path, tokenizer: Any, rehearse: bool) -> None:
    """Conversations whose lengths are those of the profile's data, from a seed."""
    count = REHEARSED["conversations"] if rehearse else CONVERSATIONS
    median = REHEARSED["median"] if rehearse else MEDIAN_TOKENS
    most = REHEARSED["most"] if rehearse else MOST_TOKENS
    spread = math.log(1024 / MEDIAN_TOKENS) / statistics.NormalDist().inv_cdf(1 - ABOVE_1024)
    sample = " ".join(WORDS)
    tokens_a_word = len(tokenizer.encode(sample).ids) / len(WORDS)
    draw = random.Random(0)
    lines = []
    for at in range(count):
        tokens = min(most, round(median * math.exp(draw.gauss(0, spread))))
        words = max(2, round(tokens / tokens_a_word))
        lines.append(json.dumps({"messages": turns(draw, words, ROUNDS[at % len(ROUNDS)])}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def turns(draw: random.Random, words: int, rounds: int) -> list[dict[str, str]]:
    """A conversation of about so many words: a fifth of each round is the question."""
    made = []
    for _ in range(rounds):
        share = max(2, words // rounds)
        for role, count in (("user", max(1, share // 5)), ("assistant", max(1, share * 4 // 5))):
            made.append({"role": role, "content": " ".join(draw.choices(WORDS, k=count))})
    return made


def long_chat(path: Path) -> Path:
    """One conversation of one round that fills every length that is asked about, 8192 tokens."""
    asked = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "a steady answer " * 3000},
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"messages": asked}) + "\n", encoding="utf-8")
    return path
