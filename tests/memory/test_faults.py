"""Foreign errors and what they are taken for, by type first and then by text."""

import pytest

from autotune.memory.faults import classify
from autotune.outcome import Fault


class AcceleratorError(RuntimeError):
    """Named as torch's error of a device."""


class OutOfMemoryError(RuntimeError):
    """Named as torch's error of a full device."""


TABLE: list[tuple[type[Exception], str, Fault]] = [
    (OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB", Fault.OUT_OF_MEMORY),
    (AcceleratorError, "CUDA error: out of memory", Fault.OUT_OF_MEMORY),
    (
        RuntimeError,
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        Fault.OUT_OF_MEMORY,
    ),
    (RuntimeError, "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", Fault.OUT_OF_MEMORY),
    (
        RuntimeError,
        "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate memory:"
        " you tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)",
        Fault.OUT_OF_MEMORY,
    ),
    (
        RuntimeError,
        "[enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: not enough memory: you"
        " tried to allocate 4000000000000 bytes.",
        Fault.OUT_OF_MEMORY,
    ),
    (MemoryError, "", Fault.OUT_OF_MEMORY),
    (
        RuntimeError,
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        Fault.SUSPECTED,
    ),
    (
        RuntimeError,
        "GET was unable to find an engine to execute this computation",
        Fault.SUSPECTED,
    ),
    (
        AcceleratorError,
        "CUDA error: an illegal memory access was encountered",
        Fault.POISONED,
    ),
    (AcceleratorError, "CUDA error: device-side assert triggered", Fault.POISONED),
    (
        AcceleratorError,
        "CUDA error: the launch timed out and was terminated",
        Fault.POISONED,
    ),
    (AcceleratorError, "CUDA error: unspecified launch failure", Fault.POISONED),
    (AcceleratorError, "CUDA error: misaligned address", Fault.POISONED),
    (AcceleratorError, "CUDA error: an illegal instruction was encountered", Fault.POISONED),
    (AcceleratorError, "CUDA error: uncorrectable ECC error encountered", Fault.POISONED),
    (RuntimeError, "CUDA driver error: out of memory", Fault.OUT_OF_MEMORY),
    (
        AcceleratorError,
        "CUDA error: no kernel image is available for execution on the device",
        Fault.OTHER,
    ),
    (ValueError, "the file says: CUDA out of memory", Fault.OTHER),
    (ValueError, "an illegal memory access was encountered", Fault.OTHER),
    (KeyError, "out of memory", Fault.OTHER),
    (OSError, "not enough memory resources are available", Fault.OTHER),
    (RuntimeError, "", Fault.OTHER),
    (RuntimeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", Fault.OTHER),
]


def named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)[:40]


@pytest.mark.parametrize(("kind", "text", "fault"), TABLE, ids=named)
def test_an_error_is_known_by_its_type_and_its_text(
    kind: type[Exception], text: str, fault: Fault
) -> None:
    assert classify(kind(text)) is fault


def test_a_poisoned_device_is_told_even_if_memory_is_mentioned() -> None:
    text = "CUDA error: an illegal memory access was encountered\nout of memory is not the cause"
    assert classify(AcceleratorError(text)) is Fault.POISONED


@pytest.mark.torch
@pytest.mark.parametrize(("kind", "text", "fault"), TABLE, ids=named)
def test_torchs_own_errors_are_known_by_the_same_rules(
    kind: type[Exception], text: str, fault: Fault
) -> None:
    import torch

    real = getattr(torch, kind.__name__, kind)
    assert classify(real(text)) is fault


@pytest.mark.torch
def test_an_allocation_that_no_machine_can_hold_is_out_of_memory() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert classify(caught.value) is Fault.OUT_OF_MEMORY
