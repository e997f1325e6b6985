"""What the environment of a worker says of torch's allocator and oneDNN's cache.

Nothing is said over what a person said.
"""

import pytest

from autotune.launch import dropped_settings, worker_environment
from autotune.launch.environment import KEPT_PRIMITIVES

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


def test_a_worker_is_alone_though_the_command_was_started_by_a_launcher_of_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    for name in names:
        monkeypatch.setenv(name, "1")
    assert not set(names) & set(worker_environment())


CACHES = (
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
    "DNNL_PRIMITIVE_CACHE_CAPACITY",
    "LRU_CACHE_CAPACITY",
)


def test_a_worker_keeps_no_more_primitives_than_a_micro_batch_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in CACHES:
        monkeypatch.delenv(name, raising=False)
    environment = worker_environment()
    assert environment["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == str(KEPT_PRIMITIVES)
    assert environment["LRU_CACHE_CAPACITY"] == str(KEPT_PRIMITIVES)


@pytest.mark.parametrize("name", CACHES)
def test_a_persons_own_bound_for_primitives_is_the_one_that_counts(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in CACHES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "777")
    environment = worker_environment()
    assert environment[name] == "777"
    # oneDNN looks at its own two names in this order and takes the first that is set.
    primitives = [environment[other] for other in CACHES[:2] if other in environment]
    assert primitives[0] == ("777" if name in CACHES[:2] else str(KEPT_PRIMITIVES))
