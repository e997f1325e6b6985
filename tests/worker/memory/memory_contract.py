"""What every memory backend keeps to; a test class for each device inherits these."""

from collections.abc import Callable
from typing import Any

import pytest

from autotune.worker.memory.base import MemoryBackend, MemoryReading

MIB = 2**20


class MemoryContract:
    """Subclasses give a fresh backend, and a way to take memory on its device and keep it."""

    @pytest.fixture
    def backend(self) -> MemoryBackend:
        raise NotImplementedError

    @pytest.fixture
    def take(self) -> Callable[[int], Any]:
        """Takes this many bytes, really, and returns what holds them."""
        raise NotImplementedError

    def test_a_reading_has_whole_bytes_and_no_retries_at_rest(self, backend: MemoryBackend) -> None:
        reading = backend.read()
        assert isinstance(reading, MemoryReading)
        assert type(reading.peak_bytes) is type(reading.allocated_bytes) is int
        assert reading.peak_bytes > 0
        assert reading.allocated_bytes >= 0
        assert reading.retries == 0

    def test_the_peak_rises_by_what_is_taken_and_stays_when_it_is_given_back(
        self, backend: MemoryBackend, take: Callable[[int], Any]
    ) -> None:
        before = backend.read().peak_bytes
        held = take(200 * MIB)
        high = backend.read().peak_bytes
        assert high - before >= 190 * MIB
        del held
        backend.release()
        assert backend.read().peak_bytes >= high - MIB  # Linux counts pages in batches

    def test_what_is_held_rises_with_what_is_taken_and_falls_when_it_is_given_back(
        self, backend: MemoryBackend, take: Callable[[int], Any]
    ) -> None:
        backend.release()
        before = backend.read().held_bytes
        held = take(200 * MIB)
        assert backend.read().held_bytes - before >= 190 * MIB
        del held
        backend.release()
        assert backend.read().held_bytes - before <= 20 * MIB

    def test_releasing_twice_does_no_harm(self, backend: MemoryBackend) -> None:
        backend.release()
        backend.release()
        assert backend.read().peak_bytes > 0

    def test_a_restart_forgets_the_peak_where_it_says_so(
        self, backend: MemoryBackend, take: Callable[[int], Any]
    ) -> None:
        held = take(200 * MIB)
        high = backend.read().peak_bytes
        del held
        if not backend.restart():
            assert backend.read().peak_bytes >= high - MIB
            return
        low = backend.read()
        assert low.peak_bytes <= high - 190 * MIB
        assert low.retries == 0
        held = take(200 * MIB)
        assert backend.read().peak_bytes >= low.peak_bytes + 190 * MIB
        del held

    def test_a_restart_keeps_what_is_still_in_use(
        self, backend: MemoryBackend, take: Callable[[int], Any]
    ) -> None:
        held = take(200 * MIB)
        high = backend.read().peak_bytes
        backend.restart()
        assert backend.read().peak_bytes >= high - 20 * MIB
        del held
