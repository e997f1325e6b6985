"""What early decisions save and how often they are wrong, as JSON on standard output.

    python benchmarks/early_decisions.py [--draws 2000] [--prompts 541] [--replay FOLDER]

The test of one checkpoint against a target of 0.25 over true rates, exactly; simulated, whole
trials as a run judges them, of checkpoints whose answers to one prompt are correlated, and the
correction of the best of k. With `--replay`, a folder laid out as `shared/data` beside the
checkout, also the early verdicts on every answer there, looked at every 32 characters. What is
saved are shares of answers or characters that need not be made; whole trials of real answers are
`benchmarks/early_replay.py`. Some minutes.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

from autotune.score.answers import match, read_answers
from autotune.score.bootstrap import correct_selection_bias
from autotune.score.ifeval.early_verdict import IFEvalEarlyJudge
from autotune.score.ifeval.prompts import read_ifeval_prompts
from autotune.score.ifeval.scorer import MAX_CHARACTERS, judge
from autotune.score.stopping.target import ALPHA, TargetTest, needed_passes

sys.path.insert(0, str(Path(__file__).parents[1]))  # the repository's root

from benchmarks import early_replay
from benchmarks.early_trials import Given, Tally

TARGET = 0.25
RATES = (0.05, 0.10, 0.15, 0.20, 0.22, 0.24, 0.25, 0.26, 0.28, 0.30, 0.35)
TRIALS = (
    (541, 0.25, (0.14, 0.15, 0.155, 0.15, 0.145), None),
    (541, 0.25, (0.15, 0.17, 0.20, 0.19, 0.18), None),
    (541, 0.25, (0.20, 0.22, 0.24, 0.23, 0.235), None),
    (541, 0.25, (0.235, 0.24, 0.25, 0.245, 0.245), None),
    (541, 0.25, (0.24, 0.25, 0.26, 0.255, 0.25), None),
    (541, 0.25, (0.26, 0.28, 0.30, 0.29, 0.28), None),
    (541, 0.25, (0.31, 0.33, 0.35, 0.34, 0.33), None),
    (541, 0.50, (0.20, 0.22, 0.25, 0.24, 0.23), None),
    (48, 0.25, (0.15, 0.20), None),
    (48, 0.25, (0.24, 0.26), None),
    (541, 0.25, (0.15, 0.17, 0.20, 0.19, 0.18), 0.84),
    (541, 0.25, (0.15, 0.17, 0.20, 0.19, 0.18), 0.6),
    (541, 0.25, (0.24, 0.25, 0.26, 0.255, 0.25), 0.6),
)
"""Prompts, target, the rates of a trial's checkpoints in the order in which they answer, and the
share of their passes that are genuine, where a score may count for less than itself."""
SHUFFLED = 0.075
"""The share of other prompts that the answers of a small instructed model pass."""
SHARED = 0.8
"""How much of what decides a prompt is common to all checkpoints: variance of a latent normal."""
REPLAYED = (
    ("gpt4", "ifeval/input_data.jsonl", "ifeval/input_response_data_gpt4_20231107_145030.jsonl"),
    ("base", "ifeval/sampled_input_data.jsonl", "responses/base-100.jsonl"),
    ("sft", "ifeval/sampled_input_data.jsonl", "responses/sft-100.jsonl"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000, help="simulated sets for each figure")
    parser.add_argument("--prompts", type=int, default=541)
    parser.add_argument("--replay", type=Path)
    asked = parser.parse_args()
    begin = time.perf_counter()
    report: dict[str, Any] = {"prompts": asked.prompts, "target": TARGET, "alpha": ALPHA}
    report["target_test"] = target_rows(asked.prompts)
    report["trial"] = [trial_row(*trial, asked.draws) for trial in TRIALS]
    report["best_of_k"] = [
        best_row(asked.prompts, k, max(1, asked.draws // 20)) for k in (2, 5, 10)
    ]
    if asked.replay is not None:
        report["replay"] = [replay_row(asked.replay, *names) for names in REPLAYED]
        report["real_trials"] = early_replay.rows(asked.replay, max(1, asked.draws // 4))
    print(json.dumps(report | {"seconds": round(time.perf_counter() - begin, 1)}, indent=1))


def target_rows(prompts: int) -> list[dict[str, float]]:
    """The test at each rate and at the two hardest: one pass short of the target, and just enough.

    Probabilities are exact: summed over all ways to get to every number of passes.
    """
    test = TargetTest(prompts, needed_passes(prompts, TARGET), ALPHA)
    truths = sorted({*(round(rate * prompts) for rate in RATES), test.needed - 1, test.needed})
    reached = {truth: {0: 1.0} for truth in truths}  # passes so far -> probability, still undecided
    wrong, answered = dict.fromkeys(truths, 0.0), dict.fromkeys(truths, 0.0)
    for number in range(1, prompts + 1):
        for truth, before in reached.items():
            after: dict[int, float] = {}
            for passes, chance in before.items():
                one = (truth - passes) / (prompts - number + 1)
                for then, share in ((passes + 1, one), (passes, 1 - one)):
                    if chance * share > 1e-15:
                        after[then] = after.get(then, 0.0) + chance * share
            reached[truth] = {}
            for passes, chance in after.items():
                stopped = test.is_out_of_reach(number, passes)
                if number < prompts and not stopped:
                    reached[truth][passes] = chance
                    continue
                answered[truth] += chance * number / prompts
                if stopped and truth >= test.needed:
                    wrong[truth] += chance
    return [
        {
            "rate": round(truth / prompts, 4),
            "wrong": round(wrong[truth], 5),
            "answers_saved": round(1 - answered[truth], 3),
        }
        for truth in truths
    ]


def verdict_table(
    draw: random.Random, prompts: int, rates: Sequence[float], shared: float
) -> list[list[bool]]:
    """Verdicts, one row a checkpoint: a prompt that is hard for one is hard for all, in part."""
    cuts = [NormalDist().inv_cdf(rate) for rate in rates]
    table: list[list[bool]] = [[] for _ in rates]
    for _ in range(prompts):
        common = draw.gauss(0, shared**0.5)
        for row, cut in zip(table, cuts, strict=True):
            row.append(common + draw.gauss(0, (1 - shared) ** 0.5) < cut)
    return table


def trial_row(
    prompts: int, target: float, rates: Sequence[float], genuine: float | None, draws: int
) -> dict[str, Any]:
    """A trial of checkpoints one after the other, the best then answered to its end.

    An answer is one unit of work, and one is made at a time. `points_lost` is how much better the
    best of all would have been than the one that was chosen. With `genuine`, the share of the
    passes that are, a checkpoint is worth what it counts for.
    """
    draw = random.Random(f"trial {prompts} {target} {rates}")
    tally = Tally(target, at_once=1, shuffled=None if genuine is None else SHUFFLED)
    for _ in range(draws):
        table = verdict_table(draw, prompts, rates, SHARED)
        own = verdict_table(draw, prompts, [genuine or 0.5] * len(rates), SHARED)
        tally.add(
            [
                [Given(1, 1, *each) for each in zip(row, mine, strict=True)]
                for row, mine in zip(table, own, strict=True)
            ]
        )
    of = {"prompts": prompts, "target": target, "rates": rates, "genuine": genuine}
    return of | tally.row()


def best_row(prompts: int, candidates: int, draws: int) -> dict[str, Any]:
    """Equal checkpoints of 0.25: how far the best score and the corrected one are off."""
    draw = random.Random(f"best {candidates}")
    naive, corrected, covered = [], [], 0
    for number in range(draws):
        table = verdict_table(draw, prompts, [TARGET] * candidates, 0.5)
        chosen = correct_selection_bias(table, seed=number, draws=300)
        naive.append(100 * (chosen.score - TARGET))
        corrected.append(100 * (chosen.corrected - TARGET))
        covered += chosen.interval[0] <= TARGET <= chosen.interval[1]
    return {
        "candidates": candidates,
        "score_off_points": round(fmean(naive), 2),
        "corrected_off_points": round(fmean(corrected), 2),
        "interval_holds_truth": covered / draws,
    }


def replay_row(folder: Path, name: str, prompts: str, answers: str) -> dict[str, Any]:
    asked = read_ifeval_prompts(folder / prompts)
    matched, _ = match(asked, read_answers(folder / answers))
    made = saved = looks = wrong = 0
    decided: Counter[str] = Counter()
    begin = time.process_time()
    for prompt in asked:
        if prompt.key not in matched:
            continue
        text = matched[prompt.key].response or ""
        final = judge(prompt, matched[prompt.key]).strict
        early = IFEvalEarlyJudge(prompt)
        made += len(text)
        for at in range(32, len(text), 32):
            looks += 1
            verdict = early.look(text[:at], longest=MAX_CHARACTERS)
            if verdict is not None:
                decided["passed" if verdict.strict else "failed"] += 1
                wrong += verdict.strict != final
                saved += len(text) - at
                break
    return {
        "answers": name,
        "total": len(matched),
        "decided": decided,
        "wrong": wrong,
        "looks": looks,
        "characters_saved": round(saved / made, 3),
        "seconds": round(time.process_time() - begin, 1),
    }


if __name__ == "__main__":
    main()
