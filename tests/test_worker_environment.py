"""What the environment of a worker says about torch's allocator: only what a person said."""

import pytest

from autotune.trials import worker_environment

ALLOCATOR = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")


@pytest.mark.parametrize("name", ALLOCATOR)
def test_a_persons_own_setting_of_the_allocator_reaches_the_worker_as_it_is(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in ALLOCATOR:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "expandable_segments:True,max_split_size_mb:128")
    environment = worker_environment()
    assert environment[name] == "expandable_segments:True,max_split_size_mb:128"
    assert [other for other in ALLOCATOR if other in environment] == [name]


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_segments_that_may_not_work_are_asked_for_nowhere(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    for name in ALLOCATOR:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", platform)
    assert not set(ALLOCATOR) & set(worker_environment())
