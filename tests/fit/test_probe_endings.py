"""What the probe makes of trials that end in another way than by fitting or not."""

from dataclasses import replace

import pytest

from autotune.base.errors import BadInput, EnvironmentFault, NothingFits
from autotune.base.sizes import GIB
from autotune.fit.trials import Attempts
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.results import TrialOutcome, Verdict
from tests import setups
from tests.played import BASE, EACH, Memory, fitting, probed, probing


def test_a_peak_of_three_times_the_budget_that_raises_nothing_does_not_fit() -> None:
    limit = fitting(320)
    over = [events.Measured(measurement=setups.measurement(3 * limit))], setups.done()
    found, verdicts = probed(Memory(BASE, EACH, {0: over}), setups.survey([600]), limit)
    assert verdicts[0] == "OVER_BUDGET"
    assert found.model_max_length == 320


def test_a_trial_that_ran_no_step_does_not_fit() -> None:
    idle = setups.measurement(BASE, steps=0, step_seconds=())
    nothing = [events.Measured(measurement=idle)], setups.done()
    found, verdicts = probed(
        Memory(BASE, EACH, {0: nothing, 1: nothing}), setups.survey([600]), fitting(5000)
    )
    assert verdicts[:2] == ["CRASHED", "CRASHED"]
    assert "0 of 3 optimizer steps" in found.trials[0].reason
    assert found.model_max_length == 576


POISONED = setups.failed(Failure.POISONED, "CUDA error: an illegal memory access was encountered")


@pytest.mark.parametrize("ending", [POISONED, setups.crashed()])
def test_a_worker_that_crashed_is_given_the_same_point_once_more(ending: setups.JobResult) -> None:
    memory = Memory(BASE, EACH, {0: ([], ending)})
    found, verdicts = probed(memory, setups.survey([600]), fitting(5000))
    assert verdicts == ["CRASHED", "FITS"]
    assert memory.points[0] == memory.points[1]
    assert found.model_max_length == 640


def test_a_device_that_stays_poisoned_is_never_called_too_small() -> None:
    memory = Memory(BASE, EACH, {0: ([], POISONED), 1: ([], POISONED)})
    with (
        probing(memory, setups.survey([600]), fitting(5000)) as probe,
        pytest.raises(EnvironmentFault, match="illegal memory access"),
    ):
        probe.run()
    assert len(memory.points) == 2


def test_a_process_that_the_system_ends_twice_counts_as_too_big() -> None:
    silent: setups.Played = ([], setups.crashed())
    found, verdicts = probed(
        Memory(BASE, EACH, {0: silent, 1: silent}), setups.survey([600]), fitting(5000)
    )
    assert verdicts[:3] == ["CRASHED", "CRASHED", "FITS"]
    assert found.model_max_length == 576


def test_data_that_cannot_be_used_ends_the_probe_at_once() -> None:
    bad = setups.failed(Failure.BAD_JOB, "chat.jsonl:3: not JSON")
    memory = Memory(BASE, EACH, {0: ([], bad)})
    with (
        probing(memory, setups.survey([600]), fitting(5000)) as probe,
        pytest.raises(BadInput, match=r"chat\.jsonl:3"),
    ):
        probe.run()
    assert len(memory.points) == 1


OUT_OF_MEMORY: setups.Played = ([], setups.failed(Failure.OUT_OF_MEMORY, "out of memory"))


def test_what_fitted_once_and_not_in_a_fresh_process_gives_way_to_a_shorter_length() -> None:
    # 640 and 64 are asked for first, then the line through what fitted; the last is confirmation.
    memory = Memory(BASE, EACH)
    found, _ = probed(memory, setups.survey([600]), fitting(330), card=True)
    assert found.model_max_length == 320
    last = len(memory.points) - 1
    again = Memory(BASE, EACH, {last: OUT_OF_MEMORY})
    found, verdicts = probed(again, setups.survey([600]), fitting(330), card=True)
    assert verdicts[last:] == ["OUT_OF_MEMORY", "FITS"]
    assert found.model_max_length < 320
    assert found.trials[-1].measurement is not None
    assert found.trials[-1].measurement.fresh
    assert found.trials[-1].point.model_max_length == found.model_max_length


def test_when_nothing_fits_a_second_time_the_probe_says_so() -> None:
    memory = Memory(BASE, EACH)
    probed(memory, setups.survey([100]), fitting(330), card=True)
    confirmations = range(len(memory.points), 20)
    again = Memory(BASE, EACH, dict.fromkeys(confirmations, OUT_OF_MEMORY))
    again.answers[0] = (
        [events.Measured(measurement=setups.measurement(BASE, fresh=False))],
        setups.done(),
    )
    with (
        probing(again, setups.survey([100]), fitting(330), card=True) as probe,
        pytest.raises(NothingFits, match="fitted once and did not again"),
    ):
        probe.run()


SUSPECTED = setups.failed(Failure.SUSPECTED, "CUBLAS_STATUS_NOT_INITIALIZED")


def test_an_error_that_may_be_memory_is_settled_by_a_smaller_trial() -> None:
    # The whole 600 tokens fail, half of them fit, the whole fail again: it was memory.
    memory = Memory(BASE, EACH, {0: ([], SUSPECTED), 2: ([], SUSPECTED)})
    found, verdicts = probed(memory, setups.survey([600]), fitting(5000))
    assert verdicts[:3] == ["OUT_OF_MEMORY", "FITS", "OUT_OF_MEMORY"]
    assert [p.row_tokens for p in memory.points[:3]] == [600, 320, 600]
    assert found.model_max_length == 576


def test_an_error_that_passes_when_tried_again_was_not_memory() -> None:
    memory = Memory(BASE, EACH, {0: ([], SUSPECTED)})
    found, verdicts = probed(memory, setups.survey([600]), fitting(5000))
    assert verdicts[:3] == ["OUT_OF_MEMORY", "FITS", "FITS"]
    assert found.model_max_length == 640


def test_an_error_at_every_size_is_a_fault_of_the_machine() -> None:
    memory = Memory(BASE, EACH, {0: ([], SUSPECTED), 1: ([], SUSPECTED)})
    with (
        probing(memory, setups.survey([600]), fitting(5000)) as probe,
        pytest.raises(EnvironmentFault, match="CUBLAS_STATUS_NOT_INITIALIZED"),
    ):
        probe.run()


def test_after_anything_but_a_fit_the_next_trial_has_a_new_process() -> None:
    memory = Memory(BASE, EACH)
    found, _ = probed(memory, setups.survey([600]), fitting(330), card=True)
    measured = [t.measurement for t in found.trials]
    for before, after in zip(found.trials, measured[1:], strict=False):
        if before.verdict.value != "FITS" and after is not None:
            assert after.fresh
    assert any(m is not None and not m.fresh for m in measured)


def test_on_a_cpu_every_trial_of_the_search_has_a_process_of_its_own() -> None:
    found, _ = probed(Memory(BASE, EACH), setups.survey([600]), fitting(330))
    assert all(t.measurement.fresh for t in found.trials if t.measurement)


SHORTEST = range(20)
"""Every trial of a probe."""


def refused(played: setups.Played, *, card: bool = True) -> str:
    """What a person reads whose every trial ends like this."""
    memory = Memory(BASE, EACH, dict.fromkeys(SHORTEST, played))
    with (
        probing(memory, setups.survey([100]), fitting(5000), card=card) as probe,
        pytest.raises(NothingFits) as caught,
    ):
        probe.run()
    return str(caught.value)


NOT_FINITE: setups.Played = (
    [events.Measured(measurement=setups.measurement(BASE, finite=False))],
    setups.done(),
)


def test_numbers_that_are_not_finite_never_end_in_closing_other_programs() -> None:
    told = refused(NOT_FINITE)
    assert "give --precision fp16 or bf16" in told
    assert "close" not in told and "--vram-budget" not in told
    overflow = setups.failed(Failure.NUMERIC, "fp16 cannot be used: the loss overflows")
    told = refused(([], overflow))
    assert "--precision" in told
    assert "close" not in told


@pytest.mark.parametrize("guess", [None, 1024, 2048])
def test_numbers_that_are_not_finite_at_the_shortest_length_either_end_the_search(
    guess: int | None,
) -> None:
    memory = Memory(BASE, EACH, dict.fromkeys(SHORTEST, NOT_FINITE))
    with (
        probing(memory, setups.survey([2000]), fitting(5000), card=True) as probe,
        pytest.raises(NothingFits, match=r"not even 64 tokens fit .*--precision"),
    ):
        probe.guess = lambda _: guess
        probe.run()
    assert [p.row_tokens for p in memory.points] == [min(guess or 2000, 2000), 64]


@pytest.mark.parametrize("guess", range(64, 641, 64))
def test_numbers_that_one_row_alone_makes_not_finite_shorten_the_answer_below_that_row(
    guess: int,
) -> None:
    memory = Memory(BASE, EACH, {0: NOT_FINITE})
    with probing(memory, setups.survey([640]), fitting(5000), card=True) as probe:
        probe.guess = lambda _: guess
        if guess == 64:  # nothing shorter is left
            with pytest.raises(NothingFits, match="--precision"):
                probe.run()
        else:
            assert probe.run().model_max_length == guess - 64
            assert [t.verdict for t in probe.trials[:2]] == [Verdict.NUMERIC, Verdict.FITS]
            assert memory.points[1].row_tokens == 64


def test_a_lack_of_memory_still_ends_in_closing_other_programs() -> None:
    assert "close what else uses the memory, raise --vram-budget" in refused(OUT_OF_MEMORY)


def test_numbers_that_are_finite_once_and_not_again_are_not_blamed_on_memory() -> None:
    memory = Memory(BASE, EACH)
    probed(memory, setups.survey([100]), fitting(330), card=True)
    again = Memory(BASE, EACH, dict.fromkeys(range(len(memory.points), 20), NOT_FINITE))
    again.answers[0] = (
        [events.Measured(measurement=setups.measurement(BASE, fresh=False))],
        setups.done(),
    )
    with (
        probing(again, setups.survey([100]), fitting(330), card=True) as probe,
        pytest.raises(NothingFits, match="--precision") as caught,
    ):
        probe.run()
    assert "close" not in str(caught.value)


PAGING = setups.failed(
    Failure.HOST_MEMORY, "OSError: [WinError 1455] The paging file is too small", phase="loading"
)


def test_beside_a_card_the_computers_memory_shortens_no_row() -> None:
    memory = Memory(BASE, EACH, {0: ([], PAGING), 1: ([], PAGING)})
    with (
        probing(memory, setups.survey([600]), fitting(5000), card=True) as probe,
        pytest.raises(EnvironmentFault, match="the computer's memory is full") as caught,
    ):
        probe.run()
    assert len(memory.points) == 2
    assert "page file" in str(caught.value)


def test_a_computers_memory_that_is_there_again_is_forgotten() -> None:
    memory = Memory(BASE, EACH, {0: ([], PAGING)})
    found, verdicts = probed(memory, setups.survey([600]), fitting(5000), card=True)
    assert verdicts[:2] == ["CRASHED", "FITS"]
    assert found.model_max_length == 640


def test_a_worker_that_the_system_killed_twice_beside_a_card_was_not_too_long() -> None:
    killed = replace(
        setups.crashed(), reason="killed from outside (signal 9)", failure=Failure.HOST_MEMORY
    )
    memory = Memory(BASE, EACH, {0: ([], killed), 1: ([], killed)})
    with (
        probing(memory, setups.survey([600]), fitting(5000), card=True) as probe,
        pytest.raises(EnvironmentFault, match=r"signal 9.*perhaps the computer's memory is full"),
    ):
        probe.run()
    on_cpu = Memory(BASE, EACH, {0: ([], killed), 1: ([], killed)})
    found, verdicts = probed(on_cpu, setups.survey([600]), fitting(5000))
    assert verdicts[:3] == ["CRASHED", "CRASHED", "FITS"]
    assert found.model_max_length == 576


def test_a_torch_that_cannot_be_loaded_is_not_tried_again() -> None:
    broken = setups.failed(Failure.LIBRARY, "torch cannot be loaded: OSError: [WinError 126]")
    memory = Memory(BASE, EACH, {0: ([], broken)})
    with (
        probing(memory, setups.survey([600]), fitting(5000), card=True) as probe,
        pytest.raises(EnvironmentFault, match="torch cannot be loaded"),
    ):
        probe.run()
    assert len(memory.points) == 1


def attempted(
    memory: Memory, lends: bool = True, throttle_reasons: tuple[str, ...] = ()
) -> tuple[TrialOutcome, Attempts]:
    """The outcome of 512 tokens after 128 and 256 of a tenth of a second a token fitted."""
    with probing(memory, setups.survey([600]), fitting(5000), card=True) as probe:
        budget = probe.setup.budget.model_copy(update={"on_card": True, "card_bytes": 8 * GIB})
        attempts = Attempts(
            probe.session,
            replace(probe.setup, budget=budget),
            probe.survey,
            memory.runner,
            lends=lends,
            throttle_reasons=lambda: throttle_reasons,
        )
        for length in (128, 256):
            attempts.fits(attempts.point(length, "all"))
        return attempts.outcome(attempts.point(512, "all"), fresh=False), attempts


def timed(tokens: int, seconds: float, used: int | None = None) -> setups.Played:
    """A trial whose steps take so long while so much of the card is in use."""
    told = setups.measurement(
        BASE, tokens, step_seconds=(seconds, seconds, seconds), device_bytes=used
    )
    return [events.Measured(measurement=told)], setups.done()


SMALL = {0: timed(128, 12.8), 1: timed(256, 25.6)}
FULL_AND_SLOW, FULL_AND_FAST = timed(512, 900.0, 8 * GIB), timed(512, 51.2, 8 * GIB)


def test_a_slow_step_on_a_full_card_is_tried_once_more_in_a_fresh_process() -> None:
    memory = Memory(BASE, EACH, SMALL | {2: FULL_AND_SLOW, 3: FULL_AND_SLOW})
    outcome, attempts = attempted(memory)
    assert outcome.verdict is Verdict.SPILLED
    assert memory.points[2] == memory.points[3] and len(memory.points) == 4
    assert [o.verdict.value for o in attempts.outcomes[2:]] == ["SPILLED", "SPILLED"]


def test_a_step_that_is_slow_only_once_has_not_spilled() -> None:
    outcome, _ = attempted(Memory(BASE, EACH, SMALL | {2: FULL_AND_SLOW, 3: FULL_AND_FAST}))
    assert outcome.verdict is Verdict.FITS


def test_on_native_linux_a_slow_step_is_not_even_tried_again() -> None:
    memory = Memory(BASE, EACH, SMALL | {2: FULL_AND_SLOW})
    outcome, _ = attempted(memory, lends=False)
    assert outcome.verdict is Verdict.FITS
    assert len(memory.points) == 3


def test_what_held_the_card_down_is_looked_at_before_a_spill_is_suspected() -> None:
    slow = timed(512, 300.0, 8 * GIB)
    memory = Memory(BASE, EACH, SMALL | {2: slow})
    outcome, _ = attempted(memory, throttle_reasons=("on battery",))
    assert outcome.verdict is Verdict.FITS
    assert "throttled (on battery)" in outcome.reason
    assert len(memory.points) == 3


def slow_to_start(phase: str = "loading") -> setups.JobResult:
    reason = f"no sign of life for 60 s in {phase}"
    return replace(setups.failed(Failure.TIMED_OUT, reason), failed=None, phase=phase)


def test_a_worker_that_is_slow_to_start_gets_time_and_is_no_lack_of_memory() -> None:
    memory = Memory(BASE, EACH, {0: ([], slow_to_start())})
    with probing(memory, setups.survey([600]), fitting(5000)) as probe:
        found = probe.run()
        events_so_far = [r.event for r in probe.session.history.without_steps]
    said = [e.message for e in events_so_far if isinstance(e, events.Warned)]
    assert (memory.points[0], found.model_max_length) == (memory.points[1], 640)
    assert [trial.verdict for trial in found.trials] == [Verdict.FITS], "its start is no trial"
    assert "this is no matter of memory. Trying it again, with 15 min to start" in said[0]


def test_a_worker_that_never_starts_ends_the_probe_as_the_environments_fault() -> None:
    memory = Memory(BASE, EACH, {0: ([], slow_to_start()), 1: ([], slow_to_start("start"))})
    with (
        probing(memory, setups.survey([600]), fitting(5000)) as probe,
        pytest.raises(EnvironmentFault, match="no sign of life"),
    ):
        probe.run()


def test_steps_that_take_too_long_at_every_length_are_not_called_a_lack_of_memory() -> None:
    slow: setups.Played = ([], slow_to_start("backward"))
    with (
        probing(
            Memory(BASE, EACH, dict.fromkeys(range(9), slow)), setups.survey([100]), fitting(5000)
        ) as probe,
        pytest.raises(NothingFits, match="no trial came to its end, not even of") as fault,
    ):
        probe.run()
    assert "budget" not in str(fault.value)
