"""Advice on a training: each rule speaks where its range is left, and is silent on noise."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.sizes import GIB
from autotune.config.load import find_profile
from autotune.protocol import events
from autotune.protocol.choices import Supervision
from autotune.protocol.events import RunEvent
from autotune.protocol.failure import Failure
from autotune.protocol.plan import DataSpec, MicroBatching, TrainPlan
from autotune.protocol.throttle import Throttle
from autotune.run.state import replay
from autotune.run.trial_state import TrialState
from autotune.train.advice import RULES, Facts, due
from tests import records

RANGES = find_profile("rtx4060-laptop-8gb").watch
STEPS = 100


def plan(**changes: object) -> TrainPlan:
    """A hundred steps at the guide's rate, the first twenty of them warm-up."""
    values = {"conversations": 320, "num_train_epochs": 5, "model_max_length": 1024}
    return records.plan("A", **(values | changes))


def steps(losses: Sequence[float], **changes: object) -> list[RunEvent]:
    """A step for each loss; a change that is a function is asked with the step's number."""
    told: list[RunEvent] = []
    for at, loss in enumerate(losses, start=1):
        values = {k: v(at) if callable(v) else v for k, v in changes.items()}
        told.append(records.step_done(at, STEPS, **({"loss": loss} | values)))
    return told


def trial(told: Sequence[RunEvent], **changes: object) -> TrialState:
    book = records.Book()
    book.add(records.run_started())
    book.add(events.TrialStarted(number=0, optuna_number=0, plan=plan(**changes)))
    for event in told:
        book.add(event, after=3)
    return replay(book.records).trials[0]


def advice(told: Sequence[RunEvent], **changes: object) -> dict[str, str]:
    """Rule -> message of all that is due, with the ranges of the shipped profile."""
    return {a.rule: a.message for a in due(Facts(trial(told, **changes), RANGES))}


def falling(last: int, end: float = 1.4, noise: float = 0.06) -> list[float]:
    """The guide's course, 1.7 down to `end`, as restless as batches of 64 conversations are."""
    chance = random.Random(0)
    course = [end + (1.7 - end) * 0.95**at for at in range(last)]
    return [loss + chance.gauss(0, noise) for loss in course]


TRAINED = events.Trained(steps=STEPS, skipped_steps=0, weights_moved=0.01, seconds=300.0)


def test_a_training_as_the_guide_describes_it_gets_no_advice_at_any_step() -> None:
    told = [*steps(falling(STEPS)), TRAINED]
    for length in range(len(told) + 1):
        assert advice(told[:length]) == {}, length


def test_a_loss_that_does_not_fall_asks_for_a_look_at_the_mask_and_a_higher_rate() -> None:
    stuck = steps([1.7] * 20)
    assert "loss_slow" not in advice(stuck[:19])
    assert advice(stuck)["loss_slow"] == (
        "loss still 1.70 after 20 % of the steps, above 1.6: check with `smolsft-autotune inspect`"
        " that the answers and nothing else are supervised, then raise learning_rate to 5e-5 or"
        " train for 6 epochs"
    )
    high = advice(steps([1.7] * 30), learning_rate=6e-5, num_train_epochs=7)["loss_slow"]
    assert high.endswith("are supervised")
    assert "raise learning_rate to 6e-5" in advice(stuck, learning_rate=5e-5)["loss_slow"]


def test_one_step_with_a_high_loss_is_no_reason_to_speak() -> None:
    for at in (20, 40, 99):
        losses = falling(at)
        losses[-1] += 1.0
        assert advice(steps(losses)) == {}


@pytest.mark.parametrize("loss", [3.2, 0.3])
def test_first_steps_with_another_loss_than_this_model_has_are_reported_early(loss: float) -> None:
    assert "first_loss" not in advice(steps([loss] * 9))
    assert f"loss of {loss:.2f}, 1.4 to 2.1 is usual" in advice(steps([loss] * 10))["first_loss"]
    assert "first_loss" not in advice(steps([loss] * 11))


def test_a_loss_that_ends_outside_its_range_says_what_to_change() -> None:
    high = [*steps(falling(STEPS, 1.59, 0.01)), TRAINED]
    assert advice(high)["loss_at_end"] == (
        "loss ended at 1.59, above 1.5: raise learning_rate to 5e-5 or train for 6 epochs"
    )
    low = [*steps(falling(STEPS, 1.1, 0.01)), TRAINED]
    assert "below 1.3: the model may know the data by heart" in advice(low)["loss_at_end"]
    assert "loss_at_end" not in advice(low[:-1])


def test_weights_that_hardly_moved_are_reported_at_the_end() -> None:
    still = TRAINED.model_copy(update={"weights_moved": 9e-5})
    told = advice([*steps(falling(STEPS)), still])["weights_still"]
    assert "0.0090 % of their size, hardly at all" in told
    moved = TRAINED.model_copy(update={"weights_moved": 1e-4})
    assert "weights_still" not in advice([*steps(falling(STEPS)), moved])


def norm(value: float, spikes: Sequence[int] = ()) -> Callable[[int], float]:
    return lambda at: 40 * value if at in spikes else value


def test_a_gradient_norm_is_judged_by_its_usual_value_after_the_warm_up() -> None:
    losses = falling(40)
    assert advice(steps(losses, grad_norm=norm(1.05))) == {}
    assert advice(steps(losses[:29], grad_norm=norm(2.0))) == {}
    high = advice(steps(losses, grad_norm=norm(2.0)))["grad_norm"]
    assert "stays at 2.00, 0.7 to 1 is usual" in high and "lower learning_rate" in high
    low = advice(steps(losses, grad_norm=norm(0.3)))["grad_norm"]
    assert low.endswith("teaches little: raise learning_rate to 5e-5 or train for 6 epochs")
    assert advice(steps(losses, grad_norm=None)) == {}


def test_norms_far_above_the_usual_one_are_reported_when_they_come_again() -> None:
    losses = falling(40)
    assert advice(steps(losses, grad_norm=norm(0.8, (22, 30)))) == {}
    told = advice(steps(losses, grad_norm=norm(0.8, (22, 30, 35))))["norm_spikes"]
    assert told.startswith("3 of the last 40 gradient norms are more than 10 times the usual 0.80")


def test_a_loss_that_rises_for_long_is_reported_for_any_model() -> None:
    rising = [*falling(40, 5.0), *[6.0] * 10]
    told = due(Facts(trial(steps(rising)), None))
    assert [a.rule for a in told] == ["loss_rising"]
    assert told[0].message.endswith("too high for this data; try 2e-5")
    assert due(Facts(trial(steps([*falling(40), *[2.5] * 10])), None)) == ()


def test_a_rise_within_the_noise_of_steps_of_few_conversations_is_none() -> None:
    """Eight a step, whose losses differ by a quarter: the best window of many is best by chance."""
    rng = random.Random(8)
    noisy = [1.0 + 0.25 * rng.choice((-1, 1)) * rng.random() for _ in range(190)]
    best = [0.9 + 0.25 * rng.choice((-1, 1)) * rng.random() for _ in range(10)]
    last = [1.02 + 0.25 * rng.choice((-1, 1)) * rng.random() for _ in range(20)]
    assert due(Facts(trial(steps([*noisy, *best, *last])), None)) == ()
    much = [2.0 + 0.25 * rng.choice((-1, 1)) * rng.random() for _ in range(20)]
    told = due(Facts(trial(steps([*noisy, *best, *much])), None))
    assert [a.rule for a in told] == ["loss_rising"]


def test_ranges_are_used_for_their_own_model_data_labels_and_rates_only() -> None:
    assert RANGES is not None

    def hold(model: str, source: str, **changes: object) -> bool:
        return RANGES.apply_to(model, source, plan(**changes))

    assert hold("HuggingFaceTB/SmolLM2-135M", "PeterV09/smol-smoltalk-6k")
    assert hold(r"D:\models\SmolLM2-135M", r"data\smol-smoltalk-6k.json")
    assert hold("/models/smollm2-135m/", "smol-smoltalk-6k.jsonl", learning_rate=6e-5)
    assert not hold("HuggingFaceTB/SmolLM2-360M", "PeterV09/smol-smoltalk-6k")
    assert not hold("HuggingFaceTB/SmolLM2-135M", "demo")
    assert not hold("SmolLM2-135M", "smol-smoltalk-6k", learning_rate=3e-4)
    course = DataSpec(path="x", format="messages", supervision=Supervision.COURSE)
    assert not hold("SmolLM2-135M", "smol-smoltalk-6k", data=course)


def test_steps_that_overflow_again_and_again_ask_for_another_precision() -> None:
    losses = falling(40)
    assert advice(steps(losses, skips=lambda at: int(at <= 5))) == {}
    told = advice(steps(losses, skips=lambda at: int(at % 4 == 0)))["overflows"]
    assert told.startswith("10 of the last 40 steps overflowed in fp16")


def card(**changes: object) -> events.CardSampled:
    values: dict[str, object] = {
        "number": 0,
        "used_bytes": 5 * GIB,
        "total_bytes": 8 * GIB,
        "celsius": 70.0,
        "watts": 80.0,
        "limit_watts": 115.0,
        "throttled": (),
        "on_battery": False,
    }
    return events.CardSampled(**(values | changes))  # type: ignore[arg-type]


UNKNOWN = dict.fromkeys(
    ("used_bytes", "total_bytes", "celsius", "watts", "limit_watts", "throttled", "on_battery")
)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (card(on_battery=True), "on its battery; connect the charger"),
        (card(throttled=(Throttle.HEAT,)), "too hot; give it air"),
        (card(used_bytes=8 * GIB), "memory is full; close other programs"),
        (card(throttled=(Throttle.POWER,)), "power limit; connect the charger"),
        (card(), "close other programs, the browser first; on a laptop, connect the charger"),
        (card(**UNKNOWN), "close other programs, the browser first; on a laptop, connect the"),
    ],
    ids=["battery", "hot", "full", "power", "well", "unknown"],
)
def test_a_speed_that_fell_by_half_names_the_likeliest_cause(
    sample: events.CardSampled, words: str
) -> None:
    told = steps(falling(40), seconds=lambda at: 3.0 if at <= 35 else 10.0)
    told.insert(30, sample)
    assert "slowed" not in advice(told[:-4])
    slowed = advice(told)["slowed"]
    assert slowed.startswith("speed fell from 800 to 240 tokens/s: ") and words in slowed


def test_a_sleep_is_no_slow_step() -> None:
    slept = (36, 38, 40)
    told: list[RunEvent] = []
    for step in steps(falling(40), seconds=lambda at: 7803.0 if at in slept else 3.0):
        if isinstance(step, events.StepDone) and step.step in slept:
            told.append(events.Slept(seconds=7800.0))
        told.append(step)
    assert advice(told) == {}


def test_a_speed_below_half_of_what_the_probe_timed_is_reported() -> None:
    state = trial(steps(falling(20)))
    assert due(Facts(state, RANGES, expected_rate=1500.0)) == ()
    (slow,) = due(Facts(state, RANGES, expected_rate=1700.0))
    assert slow.message.startswith("800 tokens/s, less than half of the 1700")


def test_of_the_speed_of_a_toy_nothing_is_said() -> None:
    toy = steps(falling(40), seconds=lambda at: 0.5 if at <= 35 else 4.0)
    assert "slowed" not in advice(toy)
    state = trial(steps(falling(20), seconds=2.9))
    assert due(Facts(state, RANGES, expected_rate=1e6)) == (), "58 s were seen"


def test_of_a_speed_nothing_is_said_when_the_training_is_nearly_over() -> None:
    late = steps(falling(70), seconds=lambda at: 3.0 if at <= 65 else 10.0)
    assert "slowed" not in advice(late), "30 steps of 3.5 s are left"


def test_a_training_that_takes_longer_than_is_usual_on_the_machine_is_reported() -> None:
    assert "hours" not in advice(steps(falling(20), seconds=140.0))
    told = advice(steps(falling(20), seconds=200.0))["hours"]
    assert told.startswith("at this speed the training takes 5 h 33 min, up to 4 h are usual")


def test_heat_is_reported_when_it_lasts_and_battery_at_once() -> None:
    hot = card(throttled=(Throttle.HEAT,), celsius=88.0)
    assert advice([hot, card(), hot, hot]) == {}
    assert "at 88 C: give it air" in advice([hot, hot, hot])["heat"]
    unknown = hot.model_copy(update={"celsius": None})
    assert "its temperature: give it air" in advice([unknown] * 3)["heat"]
    assert "connect the charger" in advice([card(on_battery=True)])["battery"]


def test_a_full_card_is_reported_when_it_stays_so() -> None:
    full = card(used_bytes=int(7.9 * GIB))
    assert advice([card(), full]) == {}
    assert "the card is full (7.90 GiB of 8.00 GiB)" in advice([full, full])["card_full"]


def test_what_the_driver_does_not_tell_gives_no_advice() -> None:
    assert advice([card(**UNKNOWN)] * 5) == {}


def test_a_peak_that_the_probe_did_not_foresee_is_reported_near_the_budget_only() -> None:
    peak = events.PeakCompared(number=0, peak_bytes=4 * GIB, predicted_bytes=3 * GIB)
    told = [peak, *steps(falling(6), memory_bytes=4 * GIB)]
    state = trial(told)
    roomy, narrow = (
        records.run_started().model_copy(update={"budget_bytes": budget})
        for budget in (5 * GIB, 4 * GIB)
    )
    assert due(Facts(state, RANGES, roomy)) == ()
    (near,) = due(Facts(state, RANGES, narrow))
    assert near.message.startswith("memory peaks at 4.00 GiB of 4.00 GiB, more than the probe")
    foreseen = [peak.model_copy(update={"predicted_bytes": 4 * GIB}), *told[1:]]
    assert due(Facts(trial(foreseen), RANGES, narrow)) == ()


@pytest.mark.parametrize(
    ("length", "then"),
    [(1024, "--model-max-length 768, then 512"), (512, "a smaller model, or fewer --max-rounds")],
)
def test_memory_that_runs_out_in_spite_of_the_probe_asks_to_close_programs_first(
    length: int, then: str
) -> None:
    whole = MicroBatching(micro_batch_tokens=1024, gradient_checkpointing=False)
    resized = events.MicroBatchResized(
        step=3,
        phase="backward",
        batch_size=16,
        before=whole,
        after=whole.model_copy(update={"micro_batch_tokens": 512}),
        same_process=True,
        reason="CUDA out of memory",
    )
    told = advice([resized], model_max_length=length)["out_of_memory"]
    assert "close other programs, the browser first" in told and told.endswith(then)


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ("non-finite loss at step 5", "lower learning_rate, or use --precision fp32"),
        (
            "no supervised token in step 5",
            "check the supervised tokens with `smolsft-autotune inspect`",
        ),
    ],
)
def test_a_training_that_stops_because_going_on_is_useless_says_what_to_do(
    said: str, then: str
) -> None:
    """C2."""
    stop = events.Failed(fault=Failure.NUMERIC, phase="forward", message=said)
    message = advice([*steps(falling(4)), stop])["stopped"]
    assert said in message and then in message and "\n" not in message
    crash = stop.model_copy(update={"fault": Failure.OTHER})
    assert advice([*steps(falling(4)), crash]) == {}


def test_what_was_said_once_is_not_said_again_by_a_run_that_goes_on() -> None:
    told = steps([1.7] * 20)
    (said,) = due(Facts(trial(told), RANGES))
    assert (said.number, said.rule, said.step) == (0, "loss_slow", 20)
    assert due(Facts(trial([*told, said, *told[-3:]]), RANGES)) == ()


def test_every_rule_is_explained_on_its_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "watch.md").read_text(encoding="utf-8")
    assert [name for name in RULES if f"| `{name}` |" not in page] == []


def test_facts_of_a_trial_without_a_step_are_empty() -> None:
    facts = Facts(trial([]))
    assert (facts.loss, facts.progress, facts.card, due(facts)) == (None, 0.0, None, ())
    assert replace(facts, ranges=RANGES).windows == ()
