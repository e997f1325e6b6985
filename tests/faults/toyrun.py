"""The smallest run with every part: probe, two strategies, two checkpoints and their mean each."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autotune.sources.cache import CACHE_VARIABLE
from tests.faults.control import CONTROL, LIBRARY, ROLE, Role
from tests.faults.entries import WORKERS
from tests.faults.forked import Forked

PROMPTS = 8
RUN = ["autotune", "run", "--profile", "faults.toml", "--target", "1.0", "--run-dir", "run"]
COMMAND = [*RUN, "--json"]

SECONDS = 240
"""No command of a toy takes so long, on however busy a machine."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a process that is to have no second thread when it forks."""

WORDS = ["river", "clock", "paper", "stone", "lamp", "garden", "winter", "bridge", "copper"]

RULES: tuple[tuple[str, dict[str, object]], ...] = (
    ("keywords:letter_frequency", {"letter": "e", "let_frequency": 3, "let_relation": "at least"}),
    ("keywords:letter_frequency", {"letter": "r", "let_frequency": 4, "let_relation": "less than"}),
    ("length_constraints:number_words", {"num_words": 2, "relation": "at least"}),
    ("change_case:english_lowercase", {}),
)

PROFILE = """
name = "faults"
title = "the smallest run with every part"
[machine]
device = "cpu"
budget = "8GiB"
reserve = "64MiB"
precision = "fp32"
threads = 1
[model]
source = "toy"
[data]
source = "chats.jsonl"
[prompts]
source = "prompts.jsonl"
limit = "all"
[probe]
min_length = 64
max_length = 64
gradient_checkpointing = false
trial_timeout_seconds = 200
[train]
checkpoint_fractions = [0.5, 1.0]
resume_every_seconds = 0.0001
saving_share = 1.0
seed = 3
supervision = "content"
truncation = "right"
[evaluate]
max_new_tokens = 6
batch_size = 8
[evaluate.health]
min_stop = 0.0
max_loop = 1.0
max_echo = 1.0
max_empty = 1.0
max_vacuous = 1.0
"""

STRATEGY = """
[[strategy]]
name = "{name}"
title = "{name}"
learning_rate = {rate}
num_train_epochs = 2
batch_size = 2
model_max_length = 64
max_rounds = 1
weight_decay = 0.0
warmup_ratio = 0.0
lr_scheduler_type = "constant"
average_checkpoints = {averaged}
"""


def write_inputs(folder: Path) -> None:
    """The profile, the chats and the prompts of the run."""
    draw = random.Random(5)
    chats = [
        {
            "messages": [
                {"role": "user", "content": " ".join(draw.choices(WORDS, k=2))},
                {"role": "assistant", "content": draw.choice(WORDS)},
            ]
        }
        for _ in range(4)
    ]
    prompts = [
        {
            "key": key,
            "prompt": f"{key} " + " ".join(draw.choices(WORDS, k=3)),
            "instruction_id_list": [RULES[key % len(RULES)][0]],
            "kwargs": [RULES[key % len(RULES)][1]],
        }
        for key in range(PROMPTS)
    ]
    for name, rows in (("chats.jsonl", chats), ("prompts.jsonl", prompts)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / name).write_text(lines, encoding="utf-8")
    strategies = "".join(
        STRATEGY.format(name=name, rate=rate, averaged=averaged)
        for name, rate, averaged in (("A", 0.02, 2), ("B", 0.05, 0))
    )
    (folder / "faults.toml").write_text(PROFILE + strategies, encoding="utf-8")


@dataclass(frozen=True)
class Ended:
    """How a command ended; a negative code is the signal that killed it."""

    code: int
    said: str
    human: str

    @property
    def last_line(self) -> str:
        """What it said last to a person."""
        lines = self.human.strip().splitlines()
        return lines[-1] if lines else ""


@dataclass(frozen=True)
class Place:
    """The folder of one case: the inputs, the run, a cache and a place for temporary files."""

    root: Path

    @classmethod
    def made(cls, root: Path, inputs: Path) -> "Place":
        """A new one."""
        shutil.copytree(inputs, root)
        (root / "tmp").mkdir()
        return cls(root)

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.root / "run"


@dataclass(frozen=True)
class Starter:
    """Starts the command line through the fork servers."""

    runs: str
    workers: str
    library: Path | None
    environment: Mapping[str, str]

    def start(self, place: Place, control: Path | None = None) -> Forked:
        """Begin, or go on with, the run."""
        ours = {WORKERS: self.workers, "TMPDIR": str(place.root / "tmp")}
        ours[CACHE_VARIABLE] = str(place.root / "cache")
        if control is not None:
            assert self.library is not None
            role = str(Role.RUN.value)
            ours |= {LIBRARY: str(self.library), CONTROL: str(control), ROLE: role}
        with (place.root / "said").open("wb") as said, (place.root / "human").open("wb") as human:
            return Forked(
                self.runs,
                COMMAND,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=human,
                env={**self.environment, **ours},
                cwd=place.root,
            )

    def command(self, place: Place, control: Path | None = None) -> Ended:
        """The same, to its end."""
        return ended(self.start(place, control), place)


def ended(process: Forked, place: Place) -> Ended:
    """Wait for a command."""
    try:
        code = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code = -999
    said, human = (
        (place.root / name).read_text(encoding="utf-8", errors="replace")
        for name in ("said", "human")
    )
    return Ended(code, said, human)


def environment() -> dict[str, str]:
    """Ours, with one thread a process from the beginning."""
    return {**os.environ, **ONE_THREAD, "TOKENIZERS_PARALLELISM": "false", "PYTHONUTF8": "1"}
