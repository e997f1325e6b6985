"""What the environment of a worker says about torch's allocator: a person's own word, if any."""

import pytest

from autotune.trials import dropped_settings, worker_environment

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


@pytest.mark.parametrize("value", ["1", "0", ""])
def test_an_allocator_that_caches_nothing_reaches_no_worker_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PYTORCH_NO_CUDA_MEMORY_CACHING", value)
    assert "PYTORCH_NO_CUDA_MEMORY_CACHING" not in worker_environment()
    (told,) = dropped_settings()
    assert "PYTORCH_NO_CUDA_MEMORY_CACHING is set; workers go without it" in told
    monkeypatch.delenv("PYTORCH_NO_CUDA_MEMORY_CACHING")
    assert dropped_settings() == ()
