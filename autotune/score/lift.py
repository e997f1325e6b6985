"""How much of a score is following: genuine passes, less those that the answers get anywhere.

A pass is **genuine** if what the answer says itself passes too (`score.genuine`). **Shuffled** is
how often the same answers pass the prompts of others: what they get for no following at all, be
they random words or one shape with a little of everything in it. Their difference is the **lift**.

Each answer is held against equally many other prompts, those next to its own in an order that a
fixed seed draws, so every prompt is asked equally often. Without following, an answer's own prompt
is one like the others: which of those that it was held against is its own is then a draw, and the
number of genuine passes a sum of draws with known chances. How probable a sum at least as great is
(`p_value`) is counted out and not sampled: a permutation test within blocks (Good, "Permutation,
Parametric and Bootstrap Tests of Hypotheses", 2005).
"""

import random
from collections.abc import Sequence
from math import ceil

from autotune.protocol.events import BaselineScored
from autotune.protocol.results import EvalReport, PromptVerdict
from autotune.protocol.scores import Lift, Metric
from autotune.score.answers import Answer, match
from autotune.score.genuine import is_answer, own_part, without_repeats
from autotune.score.prompts import Prompt
from autotune.score.scorer import Scorer

OTHERS = 5
"""Other prompts that each answer is held against, at least: a few seconds for 541 prompts ..."""

JUDGEMENTS = 2000
"""... and more where there are few prompts: so many judgements bring the standard error of the
shuffled rate below one point. It is then the prompts that decide, and not this draw."""

SEED = 1
"""The order is the same for all answers to the same prompts, so their rates compare."""


def lift_of(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    verdicts: Sequence[PromptVerdict],
) -> Lift | None:
    """The lift of a score; None of a single prompt, which has no others.

    Args:
        scorer: it judges.
        prompts: the scored ones. Those without an answer pass nothing, here as in the score.
        answers: to these prompts.
        verdicts: on these answers. Only what passes can be genuine.
    """
    if len(prompts) < 2:
        return None
    matched, _ = match(prompts, answers)
    texts = {key: answer.response for key, answer in matched.items() if answer.response}
    passed = {verdict.key for verdict in verdicts if verdict.strict}
    genuine = [
        p.key in passed and p.key in texts and is_genuine(scorer, p, texts[p.key]) for p in prompts
    ]
    elsewhere = _passes_elsewhere(scorer, prompts, texts)
    others = _shifts(len(prompts))
    tried = others + 1
    chances = [
        (own + elsewhere[prompt.key]) / tried for prompt, own in zip(prompts, genuine, strict=True)
    ]
    return Lift(
        genuine=Metric.of(sum(genuine), len(prompts)),
        shuffled=Metric.of(sum(elsewhere.values()), len(prompts) * others),
        p_value=at_least(sum(genuine), chances),
    )


def is_genuine(scorer: Scorer, prompt: Prompt, response: str) -> bool:
    """Whether a passing answer passes by what it says itself.

    Where the prompt asks to be repeated, its repeat is part of the answer.
    """
    if scorer.asks_for_itself(prompt):
        left = without_repeats(response)
    else:
        left = own_part(prompt.prompt, response)
    return is_answer(response, left) and (left == response or scorer.passes(prompt, left))


def counts_for(report: EvalReport | BaselineScored, score_per_lift: float) -> float:
    """What a score counts for, 0..1: itself, or so many times its lift where that is less.

    With 4 a quarter of it must come from following; with 0 it counts as it is, and so does that of
    a single prompt, which has no lift.
    """
    score = report.score.accuracy
    if not score_per_lift or report.lift is None:
        return score
    return max(0.0, min(score, score_per_lift * report.lift.share))


def at_least(count: int, chances: Sequence[float]) -> float:
    """The probability that `count` or more of independent events happen, each with its chance.

    The Poisson binomial distribution, counted out event by event: quadratic, 0.1 s for 541.
    """
    exactly = [1.0]  # [k]: probability that k of the events so far happen
    for chance in chances:
        happens = [0.0, *(p * chance for p in exactly)]
        exactly = [p * (1 - chance) + q for p, q in zip([*exactly, 0.0], happens, strict=True)]
    return min(1.0, sum(exactly[count:]))


def _shifts(prompts: int) -> int:
    return min(prompts - 1, max(OTHERS, ceil(JUDGEMENTS / prompts)))


def _passes_elsewhere(
    scorer: Scorer, prompts: Sequence[Prompt], texts: dict[int, str]
) -> dict[int, int]:
    """Key of a prompt -> how many of the other prompts its answer passes."""
    order = sorted(prompts, key=lambda prompt: prompt.key)
    random.Random(SEED).shuffle(order)
    passes = dict.fromkeys((prompt.key for prompt in order), 0)
    for shift in range(1, _shifts(len(order)) + 1):
        for place, prompt in enumerate(order):
            other = order[(place + shift) % len(order)]
            text = texts.get(prompt.key)
            passes[prompt.key] += text is not None and scorer.passes(other, text)
    return passes
