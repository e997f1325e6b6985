"""Make the demo's data, `autotune/demo/`: practice chats with their card, and prompts that score.

    python -m autotune run --profile cpu-proof --run-dir proof
    python benchmarks/demo_data.py proof/practice/run

The chats are practice data as the tool makes it, by a run or by `synth`: of its `practice.jsonl`
every ninth line from the first, so that all its tasks, kinds of rule and lengths are there in their
shares. The card is that of the whole, with what was chosen. Without a folder only the prompts are
written: composed as those of the chats are, of every kind of rule, about topics that no chat is
about, by a seed that was chosen before anything was scored on them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from autotune.demo import FOLDER, PRACTICE, PROMPTS
from autotune.synth.card_file import CARD, README
from autotune.synth.prompts import compose
from autotune.synth.topics import held_out_topics

EVERY = 9
"""Of 2847 chats that leaves 317, in 350 KB: some more than the demo has time to train on."""

SEED = 0
COUNT = 60
"""Prompts. Two cores answer them in a minute."""


def choose_chats(practice: Path, out: Path, every: int = EVERY) -> None:
    """Write every so many-th chat of a folder of practice data, and the card with that said."""
    lines = (practice / PRACTICE.name).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = lines[::every]
    card: dict[str, Any] = json.loads((practice / CARD).read_text(encoding="utf-8"))
    card["chosen"] = {"every": every, "of": len(lines), "kept": len(kept)}
    said = (
        f"# Practice data\n\n**{len(kept)} chats are in this file: of the {len(lines)} that this"
        f" card is of, every {every}th from the first.**\n"
    )
    text = (practice / README).read_text(encoding="utf-8").replace("# Practice data\n", said, 1)
    write(out / PRACTICE.name, "".join(kept))
    write(out / CARD, json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    write(out / README, text)


def write(path: Path, text: str) -> None:
    """Write a text with the same bytes on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


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
    """Write the prompts, and the chats where they are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("practice", type=Path, nargs="?", help="a folder that practice was made in")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.practice is not None:
        choose_chats(given.practice, given.out)
    write(given.out / PROMPTS.name, "".join(prompt_lines()))


if __name__ == "__main__":
    main()
