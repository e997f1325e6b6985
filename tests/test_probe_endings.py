"""What the probe makes of trials that end in another way than by fitting or not."""

import pytest

from autotune import events
from autotune.errors import BadInput, EnvironmentFault, NothingFits
from autotune.outcome import Fault
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


POISONED = setups.failed(Fault.POISONED, "CUDA error: an illegal memory access was encountered")


@pytest.mark.parametrize("ending", [POISONED, setups.crashed()])
def test_a_worker_that_crashed_is_given_the_same_point_once_more(ending: setups.Ending) -> None:
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
    bad = setups.failed(Fault.BAD_JOB, "chat.jsonl:3: not JSON")
    memory = Memory(BASE, EACH, {0: ([], bad)})
    with (
        probing(memory, setups.survey([600]), fitting(5000)) as probe,
        pytest.raises(BadInput, match=r"chat\.jsonl:3"),
    ):
        probe.run()
    assert len(memory.points) == 1


OUT_OF_MEMORY: setups.Played = ([], setups.failed(Fault.OUT_OF_MEMORY, "out of memory"))


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


SUSPECTED = setups.failed(Fault.SUSPECTED, "CUBLAS_STATUS_NOT_INITIALIZED")


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
