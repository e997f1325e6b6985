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


def test_what_fitted_once_must_fit_again_to_be_accepted() -> None:
    data = setups.survey([100, 100], [90])
    # Lengths 256, 128 and 192 are asked for first, then the 100 tokens of one round alone.
    memory = Memory(BASE, EACH, {3: ([], setups.failed(Fault.OUT_OF_MEMORY, "out of memory"))})
    with (
        probing(memory, data, fitting(130)) as probe,
        pytest.raises(NothingFits, match="fitted once and did not again"),
    ):
        probe.run()
