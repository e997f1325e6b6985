"""Lift: genuine passes less those that the same answers get anywhere; what a score counts for."""

import random
import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import pytest

from autotune.protocol.scores import Lift, Metric
from autotune.score.answers import Answer, match, read_answers
from autotune.score.exact.prompts import ExactPrompt
from autotune.score.exact.scorer import Exact
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import IFEval
from autotune.score.lift import at_least, counts_for, lift_of
from autotune.score.prompts import Prompt
from autotune.score.report_check import checked_report
from autotune.score.scorer import Scorer
from autotune.text.score import lift_text, no_lift_line

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the answer sets in ../shared")

EARNED = 4.0
TARGET = 0.25

Policy = Callable[[str, random.Random], str]

VOCABULARY = "river stone garden winter paper quiet seven market yellow bread cloud"


def words(draw: random.Random, count: int = 150) -> str:
    return " ".join(draw.choice(VOCABULARY.split()) for _ in range(count))


def plain(prompt: str) -> list[str]:
    return prompt.lower().replace(",", "").split()


def broken(prompt: str, draw: random.Random, every: int, by: int) -> str:
    asked = plain(prompt)
    parts = (" ".join(asked[i : i + every]) for i in range(0, len(asked), every))
    return " ".join(f"{part} {words(draw, by)}" for part in parts)


def quoted_end(prompt: str, begin: float, before: str = "") -> str:
    """The end of a prompt, in small letters without commas and in quotation marks."""
    end = prompt.lower().replace(",", "")[int(begin * len(prompt)) :].strip()
    return f'"{before} {end}"'


def shape(draw: random.Random, within: str = "") -> str:
    line = [words(draw, 8) for _ in range(8)]
    return (
        f"<<a title>>\n\n* {line[0]}\n* {line[1]}\n* {line[2]}\n\n*one {line[3]}* *two {line[4]}*"
        f" *three {line[5]}*\n\n[name] [date] [place]\n\nSection 1\n{line[6]}\nSection 2\n{line[7]}"
        f"\n\nP.S. {words(draw, 8)} {within}"
    )


POLICIES: dict[str, Policy] = {
    "the prompt": lambda prompt, draw: prompt,
    "the prompt twice": lambda prompt, draw: f"{prompt}\n{prompt}",
    "the prompt and words": lambda prompt, draw: f"{prompt} {words(draw)}",
    "in small letters": lambda prompt, draw: f"{' '.join(plain(prompt))} {words(draw)}",
    "in capitals": lambda prompt, draw: f"{prompt} {words(draw)}".upper(),
    "random words": lambda prompt, draw: words(draw),
    "one shape": lambda prompt, draw: shape(draw),
    "the prompt in a shape": lambda prompt, draw: shape(draw, " ".join(plain(prompt))),
    "half the prompt in a shape": lambda prompt, draw: shape(
        draw, " ".join(plain(prompt)[len(plain(prompt)) // 2 :])
    ),
    "broken after every fourth": lambda p, draw: f"{broken(p, draw, 4, 1)} {words(draw)}",
    "broken after every word": lambda p, draw: f"{broken(p, draw, 1, 1)} {words(draw)}",
    "drawn out": lambda prompt, draw: broken(prompt, draw, 1, 3),
    "in halves, far apart": lambda p, draw: broken(p, draw, (len(plain(p)) + 1) // 2, 150),
    "shuffled": lambda prompt, draw: (
        f"{' '.join(draw.sample(plain(prompt), len(plain(prompt))))} {words(draw)}"
    ),
    "backwards": lambda prompt, draw: f"{' '.join(plain(prompt)[::-1])} {words(draw)}",
    "every other word": lambda p, draw: f"{' '.join(plain(p)[::2])} {words(draw)}",
    "its long words": lambda p, draw: (
        f"{' '.join(w for w in re.findall(r'[a-z]{5,}', p.lower()))} {words(draw)}"
    ),
    "what stands in quotes": lambda p, draw: (
        f"{words(draw)} {' '.join(re.findall(chr(34) + '([^' + chr(34) + ']+)' + chr(34), p))}"
    ),
    "its last sentences": lambda p, draw: (
        f"{' '.join(plain(p)[-len(plain(p)) * 2 // 3 :])} {words(draw)}"
    ),
    "its end in quotation marks": lambda p, draw: quoted_end(p, 0.7),
    "its very end in quotation marks": lambda p, draw: quoted_end(p, 0.8),
    "its last words in quotation marks": lambda p, draw: quoted_end(p, 0.9),
    "words and its end in quotation marks": lambda p, draw: quoted_end(p, 0.7, words(draw, 100)),
    "two fifths of it": lambda p, draw: (
        f"{' '.join(plain(p)[-len(plain(p)) * 2 // 5 :])} {words(draw)}"
    ),
    "one word": lambda prompt, draw: "river",
    "a full stop": lambda prompt, draw: ".",
    "a loop": lambda prompt, draw: "river stone garden and then again " * 60,
}


def by(policy: Policy, prompts: Sequence[Prompt]) -> list[Answer]:
    draw = random.Random(7)
    return [Answer(key=p.key, prompt=p.prompt, response=policy(p.prompt, draw)) for p in prompts]


def scored(
    scorer: Scorer, prompts: Sequence[Prompt], answers: Sequence[Answer]
) -> tuple[float, Lift]:
    """The score, and its lift."""
    report = checked_report(scorer, prompts, answers)
    assert report.lift is not None
    return report.score.accuracy, report.lift


def counted(strict: float, share: float, score_per_lift: float) -> float:
    """What a score of this accuracy and lift counts for."""
    prompts = lower(2)
    whole = checked_report(IFEval(), prompts, [case(p) for p in prompts])
    rate = Metric(passes=0, total=0, accuracy=0.5)
    lift = Lift(
        genuine=rate, shuffled=rate.model_copy(update={"accuracy": 0.5 - share}), p_value=0.5
    )
    score = Metric(passes=0, total=0, accuracy=strict)
    return counts_for(whole.model_copy(update={"score": score, "lift": lift}), score_per_lift)


@pytest.fixture(scope="module")
def published() -> tuple[IFEvalPrompt, ...]:
    return read_ifeval_prompts(SHARED / "ifeval" / "input_data.jsonl")


QUICK = ("the prompt", "one word", "its end in quotation marks")


@needs_shared
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in POLICIES],
)
def test_no_policy_that_follows_nothing_comes_near_the_target(
    name: str, published: tuple[IFEvalPrompt, ...]
) -> None:
    strict, lift = scored(IFEval(), published, by(POLICIES[name], published))
    assert counted(strict, lift.share, EARNED) < 0.6 * TARGET
    assert lift.p_value > 0.01


@needs_shared
def test_some_of_these_reach_the_target_by_their_score_alone(
    published: tuple[IFEvalPrompt, ...],
) -> None:
    answers = by(POLICIES["in small letters"], published)
    assert IFEval().score(published, answers).score.accuracy > TARGET


@needs_shared
def test_a_model_that_follows_counts_for_all_of_its_score(
    published: tuple[IFEvalPrompt, ...],
) -> None:
    answers = read_answers(SHARED / "ifeval" / "input_response_data_gpt4_20231107_145030.jsonl")
    strict, lift = scored(IFEval(), published, answers)
    assert counted(strict, lift.share, EARNED) == strict
    assert lift.genuine.passes >= 385 and lift.shuffled.accuracy < 0.1
    assert lift.p_value < 1e-100


@needs_shared
def test_right_answers_of_a_word_or_two_are_genuine(published: tuple[IFEvalPrompt, ...]) -> None:
    answers = read_answers(SHARED / "ifeval" / "input_response_data_gpt4_20231107_145030.jsonl")
    short = [p for p in published if p.key in (1098, 1738, 2245, 2314, 3572)]
    assert scored(IFEval(), short, answers)[1].genuine.passes == 5


@needs_shared
@pytest.mark.parametrize("name", ["base", "sft"])
def test_answers_that_loop_and_echo_count_for_nothing(name: str) -> None:
    prompts = read_ifeval_prompts(SHARED / "ifeval" / "sampled_input_data.jsonl")
    answers = read_answers(SHARED / "responses" / f"{name}-100.jsonl")
    strict, lift = scored(IFEval(), prompts, answers)
    assert strict >= 0.15 and counted(strict, lift.share, EARNED) == 0.0
    assert lift.p_value > 0.5


def lower(count: int) -> list[IFEvalPrompt]:
    """Prompts of which each second one asks for small letters, the others for capitals."""
    kinds = ("change_case:english_lowercase", "change_case:english_capital")
    return [
        IFEvalPrompt(
            key=k,
            prompt=f"Name the number {k} in your own way please.",
            instruction_id_list=(kinds[k % 2],),
            kwargs=({},),
        )
        for k in range(count)
    ]


def case(prompt: Prompt, follows: bool = True) -> Answer:
    text = "it is the one which comes after the one before it"
    small = (prompt.key % 2 == 0) is follows
    return Answer(key=prompt.key, prompt=prompt.prompt, response=text if small else text.upper())


def test_who_always_writes_small_has_half_of_the_passes_and_no_lift() -> None:
    prompts = lower(40)
    answers = [
        case(prompts[0]).model_copy(update={"key": p.key, "prompt": p.prompt}) for p in prompts
    ]
    strict, lift = scored(IFEval(), prompts, answers)
    assert strict == 0.5
    assert lift.shuffled.accuracy == pytest.approx(0.5, abs=0.02)
    assert counted(strict, lift.share, EARNED) < 0.1


def test_who_writes_what_is_asked_has_a_lift_of_half() -> None:
    prompts = lower(40)
    strict, lift = scored(IFEval(), prompts, [case(p) for p in prompts])
    assert strict == 1.0
    assert lift.share == pytest.approx(0.5, abs=0.02)
    assert counted(strict, lift.share, EARNED) == 1.0
    assert lift.p_value < 1e-9


def test_the_lift_is_the_same_in_whatever_order_prompts_and_answers_come() -> None:
    prompts = lower(30)
    answers = [case(p, follows=p.key % 3 > 0) for p in prompts]
    assert scored(IFEval(), prompts, answers) == scored(IFEval(), prompts[::-1], answers[::-1])


def test_a_prompt_without_an_answer_passes_nothing_anywhere() -> None:
    prompts = lower(20)
    strict, lift = scored(IFEval(), prompts, [case(p) for p in prompts[:10]])
    assert strict == 0.5 and lift.genuine.passes == 10
    assert lift.shuffled.accuracy == pytest.approx(0.25, abs=0.03)


def test_one_prompt_has_no_lift() -> None:
    prompts = lower(1)
    answers = [case(prompts[0])]
    assert lift_of(IFEval(), prompts, answers, IFEval().score(prompts, answers).verdicts) is None


def test_a_prompt_that_asks_to_be_repeated_may_be() -> None:
    request = "Write one line about the harbour of a small town in winter without a comma."
    asked = f"First repeat the request word for word and then answer it. {request}"
    prompts = [
        IFEvalPrompt(
            key=k,
            prompt=asked,
            instruction_id_list=("combination:repeat_prompt",),
            kwargs=({"prompt_to_repeat": request},),
        )
        for k in range(2)
    ]
    answers = [
        Answer(key=k, prompt=asked, response=f"{request} The ferry waits for ice.")
        for k in range(2)
    ]
    assert scored(IFEval(), prompts, answers)[1].genuine.passes == 2


def test_the_exact_scorer_has_a_lift_as_well() -> None:
    prompts = [ExactPrompt(key=k, prompt=f"{k} and {k} make?", answer=str(2 * k)) for k in range(9)]
    right = [Answer(key=p.key, prompt=p.prompt, response=f"#### {p.answer}") for p in prompts]
    same = [Answer(key=p.key, prompt=p.prompt, response="#### 8") for p in prompts]
    assert scored(Exact(), prompts, right)[1].share == 1.0
    assert scored(Exact(), prompts, same)[1].share == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("strict", "lift", "earned", "counts"),
    [
        (0.25, 0.10, 4.0, 0.25),
        (0.25, 0.05, 4.0, 0.20),
        (0.25, -0.05, 4.0, 0.0),
        (0.25, -0.05, 0.0, 0.25),
        (0.0, 0.5, 4.0, 0.0),
    ],
)
def test_a_score_counts_for_at_most_so_many_times_its_lift(
    strict: float, lift: float, earned: float, counts: float
) -> None:
    assert counted(strict, lift, earned) == pytest.approx(counts)


def test_the_p_value_is_that_of_every_outcome_added_up() -> None:
    chances = [0.1, 0.5, 0.5, 0.9, 0.0, 1.0]
    for count in range(8):
        total = 0.0
        for outcome in product((False, True), repeat=len(chances)):
            p = 1.0
            for happens, chance in zip(outcome, chances, strict=True):
                p *= chance if happens else 1 - chance
            total += p * (sum(outcome) >= count)
        assert at_least(count, chances) == pytest.approx(total)


def test_unanswered_and_answered_prompts_are_matched_as_in_the_score() -> None:
    prompts = lower(6)
    nameless = [case(p).model_copy(update={"key": None}) for p in prompts]
    assert len(match(prompts, nameless)[0]) == 6
    assert scored(IFEval(), prompts, nameless)[1].genuine.passes == 6


def test_the_line_beside_a_score_has_the_rates_and_the_probability() -> None:
    prompts = lower(40)
    lift = scored(IFEval(), prompts, [case(p) for p in prompts])[1]
    assert lift_text(lift) == (
        "genuine 40/40 100.0 %, on other prompts 48.7 %: lift +51.3 points (p < 0.0001)"
    )
    assert no_lift_line(lift) is None


def test_a_score_that_any_prompt_would_have_is_said_to_show_nothing() -> None:
    prompts = lower(40)
    small = case(prompts[0])
    answers = [small.model_copy(update={"key": p.key, "prompt": p.prompt}) for p in prompts]
    line = no_lift_line(scored(IFEval(), prompts, answers)[1])
    assert line is not None and line.startswith(
        "So far nothing shows that the prompts are followed"
    )


def test_of_answers_that_pass_nothing_it_is_not_said_that_they_follow_nothing() -> None:
    nothing = Lift(genuine=Metric.of(0, 8), shuffled=Metric.of(0, 56), p_value=1.0)
    assert no_lift_line(nothing) is None


def test_every_checked_report_of_two_prompts_or_more_has_its_lift() -> None:
    prompts = lower(4)
    answers = [case(p) for p in prompts]
    assert checked_report(IFEval(), prompts, answers).lift is not None
    assert checked_report(IFEval(), prompts[:1], answers[:1]).lift is None
