"""Make the demo's data, `autotune/demo/`: practice chats with their card, and prompts that score.

    python -m autotune run --profile cpu-proof --run-dir proof
    python benchmarks/demo_data.py proof/practice/run

The chats are practice data as the tool makes it, by a run or by `synth`. Four minutes of training
are enough for a few kinds of rule and not for all, so those chats are chosen that ask for nothing
but `KINDS`, of each task one, of each kind as many as of the others, in the order of the whole. The
card is that of the whole, with what was chosen. Without a folder only the prompts are written:
composed as those of the chats are, of the same kinds, about topics that no chat is about, by a seed
that was chosen before anything was scored on them.
"""

import argparse
import json
from collections import Counter, deque
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from autotune.data.contamination import read_scored_prompts
from autotune.demo import FOLDER, PRACTICE, PROMPTS
from autotune.score.ifeval.unasked import leaves_gap
from autotune.synth.card_file import CARD, README
from autotune.synth.kinds import Ask
from autotune.synth.prompts import compose
from autotune.synth.topics import held_out_topics

KINDS = (Ask.LOWERCASE, Ask.UPPERCASE, Ask.JSON, Ask.ENDING, Ask.TWO_RESPONSES)
"""Of what the whole run on all kinds learned most (docs/LOG.md) those that a prompt given back
does not follow as well, as it does a title in marks that the prompt shows."""

CHATS = 320
"""About as many as two cores train on in four minutes."""

SEED = 0
COUNT = 60
"""Prompts. Two cores answer them in a minute."""


def choose_chats(practice: Path, out: Path, count: int = CHATS) -> None:
    """Write the chosen chats of a folder of practice data, and the card with that said.

    The prompts are there already: none of them and no near copy is among what is chosen.
    """
    lines = (practice / PRACTICE.name).read_text(encoding="utf-8").splitlines(keepends=True)
    scored = read_scored_prompts(out / PROMPTS.name)
    apart = [line for line in lines if not scored.found_in_text(asked(line))]
    kept = chosen(apart, count)
    card: dict[str, Any] = json.loads((practice / CARD).read_text(encoding="utf-8"))
    kinds = sorted(kind.value for kind in KINDS)
    card["chosen"] = {"kinds": kinds, "of": len(lines), "kept": len(kept), **contents(kept)}
    text = (practice / README).read_text(encoding="utf-8")
    text = text.replace("# Practice data\n", f"# Practice data\n\n{introduction(card)}\n", 1)
    write(out / PRACTICE.name, "".join(kept))
    write(out / CARD, json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    write(out / README, text)


def contents(lines: list[str]) -> dict[str, Any]:
    """What is in the chosen chats: prompts of each kind, words of an answer, as sampled."""
    chats = [json.loads(line) for line in lines]
    words = [len(chat["messages"][-1]["content"].split()) for chat in chats]
    asked_for = Counter(kind for c in chats for kind in c["practice"]["instruction_id_list"])
    return {
        "prompts_by_kind": dict(sorted(asked_for.items())),
        "mean_words": round(fmean(words), 1),
        "word_quartiles": [round(each) for each in quantiles(words, method="inclusive")],
        "most_words": max(words),
        "as_sampled": sum(chat["practice"]["as_sampled"] for chat in chats),
    }


def introduction(card: dict[str, Any]) -> str:
    """What is said of the chosen chats, before the card of the whole."""
    own = card["chosen"]
    quartiles = "{}, {} and {}".format(*own["word_quartiles"])
    rows = "\n".join(f"| `{kind}` | {count} |" for kind, count in own["prompts_by_kind"].items())
    return (
        f"**{own['kept']} chats are in this file: of the {own['of']} that the rest of this card is"
        f" of, one a task, that ask for nothing but {', '.join(own['kinds'])}.**\n\n"
        f"| kind of instruction in this file | chats |\n| --- | --- |\n{rows}\n\n"
        f"Words of an answer in this file: {own['mean_words']:.0f} on average; quartiles"
        f" {quartiles}; {own['most_words']} at most. As they were sampled: {own['as_sampled']}."
        " They are shorter than many a prompt of IFEval asks for: of 130 words this model learned"
        " less than of 67, and not to stop."
    )


def chosen(lines: list[str], count: int) -> list[str]:
    """Of each task one at most; the next is always of the kind that was chosen least so far."""
    chats = [json.loads(line) for line in lines]
    waiting: dict[str, deque[int]] = {kind.value: deque() for kind in KINDS}
    for at, chat in enumerate(chats):
        asks = chat["practice"]["instruction_id_list"]
        if set(asks) <= set(waiting) and not leaves_gap(asks, chat["messages"][-1]["content"]):
            waiting[asks[0]].append(at)
    picked: list[int] = []
    tasks: set[int] = set()
    counts: Counter[str] = Counter()
    while len(picked) < count:
        for places in waiting.values():
            while places and chats[places[0]]["practice"]["task"] in tasks:
                places.popleft()
        left = [kind for kind, places in waiting.items() if places]
        if not left:
            break
        at = waiting[min(left, key=lambda kind: (counts[kind], kind))].popleft()
        picked.append(at)
        tasks.add(chats[at]["practice"]["task"])
        counts.update(chats[at]["practice"]["instruction_id_list"])
    return [lines[at] for at in sorted(picked)]


def asked(line: str) -> str:
    """The prompt of a chat."""
    return str(json.loads(line)["messages"][0]["content"])


def write(path: Path, text: str) -> None:
    """Write a text with the same bytes on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def prompt_lines(count: int = COUNT, seed: int = SEED) -> list[str]:
    """The prompts in IFEval's format, one a line, keys from 1."""
    others = frozenset(ask.value for ask in Ask if ask not in KINDS)
    composed = compose(seed, count, 1, others, held_out_topics())
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
        for number, each in enumerate(composed, 1)
    ]


def main() -> None:
    """Write the prompts, and the chats where they are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("practice", type=Path, nargs="?", help="a folder that practice was made in")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    write(given.out / PROMPTS.name, "".join(prompt_lines()))
    if given.practice is not None:
        choose_chats(given.practice, given.out)


if __name__ == "__main__":
    main()
