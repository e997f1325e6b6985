"""Make the demo's data, `autotune/demo/`: practice chats with their card, and prompts that score.

    python -m autotune synth demo --profile cpu-demo --tasks 1000 --variants 4 \
        --max-conversations 300 --run-dir made
    python benchmarks/demo_data.py made/practice/model

The chats are those of `synth`, which chooses: of all kinds of rule their share, of all lengths some
(`autotune/synth/balance.py`). Its order is kept, in which every beginning is balanced as well, so
the first 60 are a small choice of the same kind. The prompts are composed as those of the chats
are, of every kind of rule, about topics that no chat is about, by a seed that was chosen before
anything was scored on them.
"""

import argparse
import json
import shutil
from pathlib import Path

from autotune.demo import FOLDER, PRACTICE, PROMPTS
from autotune.synth.card_file import CARD, README
from autotune.synth.prompts import compose
from autotune.synth.topics import held_out_topics

SEED = 0
COUNT = 60
"""Prompts: a gain from 20 to 40 % is shown by them nine times in ten, and two cores answer them in
a minute."""


def prompt_lines(count: int = COUNT, seed: int = SEED) -> list[str]:
    """The prompts in IFEval's format, one a line, keys from 1."""
    asked = compose(seed, count, 1, frozenset(), held_out_topics())
    return [
        json.dumps(
            {
                "key": number,
                "prompt": each.prompt,
                "instruction_id_list": list(each.instruction_id_list),
                "kwargs": list(each.kwargs),
            },
            ensure_ascii=False,
        )
        + "\n"
        for number, each in enumerate(asked, 1)
    ]


def main() -> None:
    """Copy the chats and their card, and write the prompts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("practice", type=Path, nargs="?", help="the folder that synth left")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.practice is not None:
        for name in (PRACTICE.name, CARD, README):
            shutil.copyfile(given.practice / name, given.out / name)
    text = "".join(prompt_lines())
    (given.out / PROMPTS.name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
