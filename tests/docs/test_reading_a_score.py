"""docs/reading-a-score.md: its figures are those of docs/proof/first, as the program has them.

Where the proof is another one, the failure lists what the page has to say.
"""

import re
from functools import cache
from math import sqrt
from typing import Any, TypeVar

import numpy as np
import pytest

from autotune.base.format import percent
from autotune.config.load import find_profile
from autotune.protocol.result_text import points_text
from autotune.protocol.results import EvalReport, Health
from autotune.protocol.scores import Lift, Metric
from autotune.report.schema import Report
from autotune.score.bootstrap import correct_selection_bias
from autotune.score.health import broken_limits
from autotune.score.ifeval.scorer import IFEval
from autotune.score.lift import OTHERS, counts_for
from autotune.score.stats import Z_95, exact_p, wilson
from autotune.text.score import p_value_text
from tests.docs.pages import DOCS, lacking, page, squeezed

PAGE = page("reading-a-score.md")
PROOF = Report.model_validate_json((DOCS / "proof" / "first" / "report.json").read_bytes())
EVALUATE = find_profile("cpu-proof").evaluate
FEW = 24


T = TypeVar("T")


def known(value: T | None) -> T:
    assert value is not None
    return value


BEST, GAIN = known(PROOF.best), known(PROOF.gain)
UNTRAINED, ECHO = PROOF.baselines["untrained"], PROOF.baselines["echo"]


def of(metric: Metric) -> str:
    """`169/541 31.2 %`."""
    return f"{metric.passes}/{metric.total} {percent(metric.accuracy)}"


def bounds(metric: Metric, digits: int = 1) -> str:
    low, high = wilson(metric.passes, metric.total)
    return f"{low * 100:.{digits}f} to {high * 100:.{digits}f}"


def strict(scored: Any) -> Metric:
    return Metric.of(known(scored.passes), known(scored.n))


def report_of(scored: Any) -> EvalReport:
    """As much of a scored set as the functions ask for."""
    score = strict(scored)
    figures = {
        key: metric
        for key in ("instruction_strict", "prompt_loose", "instruction_loose")
        if (metric := getattr(scored, key, None)) is not None
    }
    return EvalReport(
        n=score.total,
        score=score,
        interval=wilson(score.passes, score.total),
        health=scored.health,
        lift=scored.lift,
        by_type={},
        unmatched=(),
        verdicts=(),
        **figures,
    )


def which_figure() -> list[str]:
    report = report_of(BEST)
    means = IFEval().means(report)
    rows = {
        "prompt loose": report.figure("prompt_loose"),
        "instruction strict": report.figure("instruction_strict"),
        "instruction loose": report.figure("instruction_loose"),
    }
    score = report.score
    return [
        f'| prompt strict, "the score" here | {score.passes}/{score.total} |'
        f" {percent(score.accuracy)} |",
        *(
            f"| {name} | {known(m).passes}/{known(m).total} | {percent(known(m).accuracy)} |"
            for name, m in rows.items()
        ),
        f"| mean of the strict two | | {percent(means['strict'])} |",
        f"| mean of all four | | {percent(means['four'])} |",
        f'"IFEval {percent(known(report.figure("instruction_loose")).accuracy, 0)}", the loose',
        f"The {score.total} prompts carry {known(report.figure('instruction_strict')).total}",
    ]


def how_sure() -> list[str]:
    score = strict(BEST)
    few = [Metric.of(round(s.accuracy * FEW), FEW) for s in (strict(UNTRAINED), score)]
    z, p, n = Z_95, score.accuracy, score.total
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (centre - half, centre + half) == pytest.approx(wilson(score.passes, n))
    return [
        f"{score.passes} of {n} is {percent(p)}",
        f"= {centre:.4f}",
        f"= {half:.4f} {bounds(score)} %",
        f"One prompt of {FEW} is {100 / FEW:.1f} points",
        f"one would pass {few[0].passes}/{FEW} ({percent(few[0].accuracy)}, interval"
        f" {bounds(few[0], 0)}), the other {few[1].passes}/{FEW} ({percent(few[1].accuracy)},"
        f" {bounds(few[1], 0)})",
        f"On {n} the intervals are {bounds(strict(UNTRAINED))} and {bounds(score)}.",
        f"{100 / sqrt(FEW):.0f} of {FEW} prompts, {100 / sqrt(100):.0f} of 100,"
        f" {100 / sqrt(n):.0f} of {n}",
    ]


def baselines_and_lift() -> list[str]:
    found = []
    for name, scored in (("echo", ECHO), ("untrained", UNTRAINED), ("the best checkpoint", BEST)):
        report = report_of(scored)
        lift = known(report.lift)
        assert lift.shuffled.total == OTHERS * report.n
        counts = counts_for(report, EVALUATE.score_per_lift)
        times = EVALUATE.score_per_lift * lift.share * 100
        found.append(
            f"| {name} | {of(report.score)} | {of(lift.genuine)} | {of(lift.shuffled)} |"
            f" {points_text(lift)} | {times:+.1f} | {percent(counts)} |"
        )
    return [*found, f"`score_per_lift` ({EVALUATE.score_per_lift:.0f}) times its lift"]


def healthy() -> list[str]:
    limits, before, after = EVALUATE.health, UNTRAINED.health, known(BEST.health)

    def shares(field: str) -> str:
        both = (known(getattr(h, field)) for h in (before, after))
        return " | ".join(percent(share, 0) for share in both)

    sound = known(BEST.sound)
    return [
        f"not at the cap | {shares('stop')} | at least {percent(limits.min_stop, 0)} |",
        f"over and over | {shares('loop')} | at most {percent(limits.max_loop, 0)} |",
        f"mostly the prompt | {shares('echo')} | at most {percent(limits.max_echo, 0)} |",
        f"| empty | {shares('empty')} | at most {percent(limits.max_empty, 0)} |",
        f"different words | {shares('vacuous')} | at most {percent(limits.max_vacuous, 0)} |",
        f"keeps {sound.passes}/{sound.total} ({percent(sound.accuracy)})",
    ]


CHECKPOINTS = 5
"""So many that are all worth 25 %."""


def drawn(prompts: int) -> tuple[float, float]:
    """What the best of these shows, and what is left after the correction; means of 60 draws."""
    found = []
    for seed in range(60):
        passes = np.random.default_rng(seed).random((CHECKPOINTS, prompts)) < 0.25
        found.append(correct_selection_bias(passes.tolist(), seed, draws=400))
    shown = float(np.mean([each.score for each in found]))
    return shown, float(np.mean([each.corrected for each in found]))


@cache
def best_of_several() -> list[str]:
    n = known(BEST.n)
    (most, most_corrected), (few, few_corrected) = drawn(n), drawn(FEW)
    highest = np.random.default_rng(0).standard_normal((50_000, CHECKPOINTS)).max(axis=1)
    return [
        f"standard errors of {100 * sqrt(0.25 * 0.75 / n):.2f} points on {n} prompts",
        f"is {highest.mean():.1f} of these above the mean",
        f"the best shows {percent(most)} on {n} prompts and {percent(few)} on {FEW}",
        f"it says {most_corrected * 100:.1f} and {percent(few_corrected)}",
        f"{percent(known(BEST.strict))} becomes {percent(known(PROOF.corrected))}",
    ]


def gained() -> list[str]:
    up, down = known(GAIN.gained), known(GAIN.lost)
    assert known(GAIN.p_value) == pytest.approx(exact_p(down, up))
    assert GAIN.verdict == "better"
    coins = up + down
    few = [round(count * FEW / known(BEST.n)) for count in (up, down)]
    return [
        f"{up} gained, {down} lost, and {up} - {down} = {BEST.passes} - {UNTRAINED.passes} ="
        f" {up - down}",
        f"each of these {coins} would be a fair coin: {coins / 2:.0f} ± {sqrt(coins) / 2:.1f}"
        f" gained. {up} is {(up - coins / 2) / (sqrt(coins) / 2):.1f} standard deviations off,"
        f" {p_value_text(exact_p(down, up))}.",
        f"Of {FEW} prompts, in proportion, {few[0]} gained and {few[1]} lost:"
        f" {p_value_text(exact_p(few[1], few[0]))}.",
    ]


def kinds() -> list[str]:
    before, after = (next(k for k in PROOF.kinds if k.of == who) for who in ("untrained", "best"))
    rows = {
        "instructions of practised kinds": "practised_instructions",
        "instructions of held-out kinds": "held_out_instructions",
        "prompts without a held-out kind": "other_prompts",
        "prompts with one": "held_out_prompts",
    }
    found = []
    for name, field in rows.items():
        both = (getattr(who, field) for who in (before, after))
        shown = (of(Metric.of(kind.passes, kind.n)) for kind in both)
        found.append(f"| {name} | {' | '.join(shown)} |")
    return found


def not_whole() -> list[str]:
    partial = [c for t in PROOF.trials for c in t.checkpoints if c.ended_early]
    said = [f"*{c.ended_early}*: the strict verdicts are certain" for c in partial]
    scores = (Metric.of(known(c.passes), known(c.n)) for c in partial)
    return [*said, *(f"its {m.passes}/{m.total} ({percent(m.accuracy)}) is exact" for m in scores)]


def one_sentence() -> list[str]:
    lift, health = known(BEST.lift), known(BEST.health)
    (held_out,) = (k.held_out_prompts for k in PROOF.kinds if k.of == "best")
    (held_out_before,) = (k.held_out_prompts for k in PROOF.kinds if k.of == "untrained")
    plan = PROOF.trials[0].plan
    score, precision = strict(BEST), known(plan).precision.value
    return [
        f"SmolLM2-135M-Instruct passes {score.passes} of all {score.total} IFEval prompts (prompt"
        f" strict, {percent(score.accuracy)}, 95 % interval {bounds(score)}; greedy, at most"
        f" {EVALUATE.max_new_tokens} new tokens, {precision}; lift {points_text(lift)}, stop"
        f" {percent(known(health.stop), 0)}, loop {percent(health.loop, 0)}) after {BEST.step}"
        f" steps ({percent(BEST.progress, 0)} of one epoch) of practice with the same kinds of"
        f" rule, the best of {PROOF.chosen_among} checkpoints (corrected"
        f" {percent(known(PROOF.corrected))}), against {UNTRAINED.passes}"
        f" ({percent(UNTRAINED.strict)}) before ({GAIN.gained} gained, {GAIN.lost} lost, exact"
        f" McNemar {p_value_text(known(GAIN.p_value))}) and {ECHO.passes} for giving each prompt"
        f" back; of the {held_out.n} prompts with kinds held out of practice it passes"
        f" {held_out.passes}, and passed {held_out_before.passes} before; one seed.",
        f"(here {EVALUATE.max_new_tokens})",
    ]


SECTIONS = (
    which_figure,
    how_sure,
    baselines_and_lift,
    healthy,
    best_of_several,
    gained,
    kinds,
    not_whole,
    one_sentence,
)

NO_FIGURES = (
    "95 % interval",  # conventions
    "z = 1.96",
    "p ± 1.96 √",
    "test at 0.05",
    "a target of 25 % is a target for parrots",
    "all worth exactly 25 %",
    "(`stop`, `loop`)",
    '"up to 33 %"',  # what not to write
    '"31 % instead of 25 %"',
)
"""Percentages that nobody computes."""


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_figure_is_what_the_program_makes_of_the_proof(section: object) -> None:
    assert callable(section)
    assert not (missing := lacking(PAGE, section())), "\n".join(missing)


def test_no_score_stands_on_the_page_that_is_not_computed_here() -> None:
    left = squeezed(PAGE)
    for figure in (each for section in SECTIONS for each in section()):
        left = left.replace(squeezed(figure), "")
    for text in NO_FIGURES:
        left = left.replace(text, "")
    assert re.findall(r"\d+/\d+|\d+\.\d+|\d+ %", left) == []


def test_the_limits_that_the_untrained_model_breaks_are_those_that_the_page_shows() -> None:
    assert broken_limits(known(BEST.health), EVALUATE.health) == ()
    broken = [line.split()[0] for line in broken_limits(UNTRAINED.health, EVALUATE.health)]
    assert broken == ["stop", "loop"]


def test_a_score_without_following_counts_for_nothing_and_a_quarter_is_enough() -> None:
    def counted(passes: int, genuine: int) -> float:
        lift = Lift(genuine=Metric.of(genuine, 100), shuffled=Metric.of(50, 500), p_value=1.0)
        score, health = Metric.of(passes, 100), Health(stop=1.0, loop=0, echo=0, empty=0)
        report = EvalReport(
            n=100,
            score=score,
            interval=(0, 1),
            health=health,
            by_type={},
            unmatched=(),
            verdicts=(),
            lift=lift,
        )
        return counts_for(report, EVALUATE.score_per_lift)

    assert counted(24, 10) == 0
    assert counted(24, 16) == pytest.approx(0.24)  # a lift of 6 points, a quarter of it
    assert counted(24, 13) == pytest.approx(0.12)
