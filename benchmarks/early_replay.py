"""What early decisions save on real answers, in whole trials, by letters that need not be made.

    python benchmarks/early_replay.py FOLDER [--orders 200]

FOLDER is laid out as `shared/data` beside the checkout. Each answer is one that a model gave, with
the letter at which its strict verdict was certain (looked at every 32). A checkpoint is a mix of
the answers of a small base model and of the same model after a poor fine-tuning (15 and 23 of 100
pass, nearly all loop), so that its rate and what it has in common with the others of its trial are
real; or of GPT-4's. So many answers are made at once as in the profile, and those under way when a
checkpoint is stopped are paid for and made again should it be the best, which is answered to its
end: what was decided is continued, the rest is made. Prompts, their order and the mix are drawn
anew for each trial. Some minutes.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotune.score.answers import match, read_answers
from autotune.score.ifeval.early_verdict import IFEvalEarlyJudge
from autotune.score.ifeval.prompts import read_ifeval_prompts
from autotune.score.ifeval.scorer import MAX_CHARACTERS, judge

sys.path.insert(0, str(Path(__file__).parents[1]))  # the repository's root

from benchmarks.early_trials import Given, Tally

LOOK = 32
LETTERS_A_TOKEN = 4.5
"""Of English in SmolLM2's tokens, for the profiles' caps."""
SMALL = ("ifeval/sampled_input_data.jsonl", ("responses/base-100.jsonl", "responses/sft-100.jsonl"))
LARGE = (
    "ifeval/input_data.jsonl",
    ("ifeval/input_response_data_gpt4_20231107_145030.jsonl",),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Trials of one kind: prompts, answers at once, the cap in letters, the mix of checkpoints.

    A checkpoint takes the second set's answer to a prompt with the probability that stands here,
    else the first one's.
    """

    name: str
    prompts: int
    at_once: int
    cap: int
    mix: tuple[float, ...]
    target: float = 0.25


KINDS = (
    Kind("demo: 24 prompts, 15 to 23 %, loops", 24, 24, round(128 * LETTERS_A_TOKEN), (0.5, 1.0)),
    Kind("demo, all at 15 %", 24, 24, round(128 * LETTERS_A_TOKEN), (0.0, 0.2)),
    Kind("48 prompts, 15 to 23 %, loops", 48, 24, 10**6, (0.5, 1.0)),
    Kind("541 prompts, 15 %, loops", 541, 32, 10**6, (0.0, 0.05, 0.1, 0.15, 0.2)),
    Kind("541 prompts, 15 to 23 %, loops", 541, 32, 10**6, (0.2, 0.4, 0.6, 0.8, 1.0)),
)
GPT4 = Kind("541 prompts, five checkpoints that all answer as GPT-4", 541, 32, 10**6, (0.0,) * 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orders", type=int, default=200, help="trials drawn of each kind")
    asked = parser.parse_args()
    print(json.dumps(rows(asked.folder, asked.orders), indent=1))


def rows(folder: Path, orders: int) -> list[dict[str, Any]]:
    """A row for each kind of trial."""
    found = []
    for of, kinds in ((SMALL, KINDS), (LARGE, (GPT4,))):
        known: dict[int, list[list[Given]]] = {}
        for kind in kinds:
            begin = time.perf_counter()
            if kind.cap not in known:
                known[kind.cap] = given(folder, *of, kind.cap)
            row = trials(kind, known[kind.cap], orders)
            found.append(row | {"seconds": round(time.perf_counter() - begin, 1)})
    return found


def given(folder: Path, prompts: str, files: Sequence[str], cap: int) -> list[list[Given]]:
    """Each file's answers, no longer than `cap` letters, to the prompts that all of them answer."""
    asked = read_ifeval_prompts(folder / prompts)
    sets = [match(asked, read_answers(folder / name))[0] for name in files]
    both = [p for p in asked if all(p.key in answers for answers in sets)]
    table = []
    for answers in sets:
        row = []
        for prompt in both:
            answer = answers[prompt.key]
            answer = answer.model_copy(update={"response": (answer.response or "")[:cap]})
            text = answer.response or ""
            early = IFEvalEarlyJudge(prompt)
            looks = range(LOOK, len(text), LOOK)
            known = (at for at in looks if early.look(text[:at], longest=MAX_CHARACTERS))
            at = next(known, len(text))
            row.append(Given(len(text), at, judge(prompt, answer).strict))
        table.append(row)
    return table


def trials(kind: Kind, sets: Sequence[Sequence[Given]], orders: int) -> dict[str, Any]:
    """Many trials of a kind."""
    draw = random.Random(kind.name)
    tally = Tally(kind.target, kind.at_once)
    for _ in range(orders):
        chosen = draw.choices(range(len(sets[0])), k=kind.prompts)
        if kind.prompts <= len(sets[0]):
            chosen = draw.sample(range(len(sets[0])), kind.prompts)
        tally.add(
            [
                [sets[draw.random() < share and len(sets) > 1][at] for at in chosen]
                for share in kind.mix
            ]
        )
    return {"kind": kind.name} | tally.row()


if __name__ == "__main__":
    main()
