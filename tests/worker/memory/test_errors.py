"""Foreign errors and what they are taken for, by type first and then by text."""

import pytest

from autotune.base.error_texts import COMPUTER_FULL, ErrorText, Meaning, table
from autotune.protocol.failure import Failure
from autotune.worker.memory.errors import classify, loading_fault


class AcceleratorError(RuntimeError):
    """Named as torch's error of a device."""


class OutOfMemoryError(RuntimeError):
    """Named as torch's error of a full device."""


TABLE: list[tuple[type[Exception], str, Failure]] = [
    (OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB", Failure.OUT_OF_MEMORY),
    (AcceleratorError, "CUDA error: out of memory", Failure.OUT_OF_MEMORY),
    (
        RuntimeError,
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        Failure.OUT_OF_MEMORY,
    ),
    (RuntimeError, "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", Failure.OUT_OF_MEMORY),
    (
        RuntimeError,
        "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate memory:"
        " you tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)",
        Failure.OUT_OF_MEMORY,
    ),
    (
        RuntimeError,
        "[enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: not enough memory: you"
        " tried to allocate 4000000000000 bytes.",
        Failure.OUT_OF_MEMORY,
    ),
    (MemoryError, "", Failure.OUT_OF_MEMORY),
    (
        RuntimeError,
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        Failure.SUSPECTED,
    ),
    (
        RuntimeError,
        "GET was unable to find an engine to execute this computation",
        Failure.SUSPECTED,
    ),
    (
        AcceleratorError,
        "CUDA error: an illegal memory access was encountered",
        Failure.POISONED,
    ),
    (AcceleratorError, "CUDA error: device-side assert triggered", Failure.POISONED),
    (
        AcceleratorError,
        "CUDA error: the launch timed out and was terminated",
        Failure.POISONED,
    ),
    (AcceleratorError, "CUDA error: unspecified launch failure", Failure.POISONED),
    (AcceleratorError, "CUDA error: misaligned address", Failure.POISONED),
    (AcceleratorError, "CUDA error: an illegal instruction was encountered", Failure.POISONED),
    (AcceleratorError, "CUDA error: uncorrectable ECC error encountered", Failure.POISONED),
    (RuntimeError, "CUDA driver error: out of memory", Failure.OUT_OF_MEMORY),
    (
        AcceleratorError,
        "CUDA error: no kernel image is available for execution on the device",
        Failure.OTHER,
    ),
    (ValueError, "the file says: CUDA out of memory", Failure.OTHER),
    (ValueError, "an illegal memory access was encountered", Failure.OTHER),
    (KeyError, "out of memory", Failure.OTHER),
    (OSError, "not enough memory resources are available", Failure.OTHER),
    (RuntimeError, "", Failure.OTHER),
    (RuntimeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", Failure.OTHER),
]


NAMED: list[tuple[type[Exception], str, Failure]] = [
    (
        RuntimeError,
        'NVML_SUCCESS == r INTERNAL ASSERT FAILED at "../c10/cuda/CUDACachingAllocator.cpp":830,'
        " please report a bug to PyTorch.",
        Failure.OUT_OF_MEMORY,
    ),
    (RuntimeError, "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED", Failure.OUT_OF_MEMORY),
    (RuntimeError, "CURAND_STATUS_ALLOCATION_FAILED", Failure.OUT_OF_MEMORY),
    (RuntimeError, "ANY_LIBRARY_ALLOCATION_FAILED", Failure.OUT_OF_MEMORY),
    (RuntimeError, "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", Failure.OUT_OF_MEMORY),
    (RuntimeError, "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED", Failure.HOST_MEMORY),
    (RuntimeError, "CUDA_ERROR_OUT_OF_MEMORY: out of memory", Failure.OUT_OF_MEMORY),
    (RuntimeError, "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR", Failure.SUSPECTED),
    (RuntimeError, "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", Failure.SUSPECTED),
    (RuntimeError, "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED", Failure.SUSPECTED),
    (RuntimeError, "CUDA error: CUBLAS_STATUS_INTERNAL_ERROR when calling `x`", Failure.SUSPECTED),
    (
        RuntimeError,
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `x`",
        Failure.SUSPECTED,
    ),
    (RuntimeError, "unable to mmap 280 bytes: Cannot allocate memory (12)", Failure.HOST_MEMORY),
    (OSError, "[Errno 12] Cannot allocate memory", Failure.HOST_MEMORY),
    (OSError, "[WinError 1455] The paging file is too small", Failure.HOST_MEMORY),
    (OSError, "The paging file is too small (os error 1455)", Failure.HOST_MEMORY),
    (RuntimeError, "std::bad_alloc", Failure.HOST_MEMORY),
    (MemoryError, "std::bad_alloc", Failure.HOST_MEMORY),
    (AcceleratorError, "CUDA error: context is destroyed", Failure.POISONED),
    (AcceleratorError, "CUDA error: unknown error", Failure.POISONED),
    (AcceleratorError, "CUDA error: uncorrectable NVLink error detected", Failure.POISONED),
    (RuntimeError, "GPU is lost", Failure.POISONED),
    (OSError, "[WinError 126] The specified module could not be found", Failure.OTHER),
]
"""What is told apart on a card, kind by kind."""


def named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)[:40]


@pytest.mark.parametrize(("kind", "text", "fault"), TABLE, ids=named)
def test_an_error_is_known_by_its_type_and_its_text(
    kind: type[Exception], text: str, fault: Failure
) -> None:
    assert classify(kind(text)) is fault


@pytest.mark.parametrize(("kind", "text", "fault"), NAMED, ids=named)
def test_beside_a_card_the_computers_memory_is_a_fault_of_its_own(
    kind: type[Exception], text: str, fault: Failure
) -> None:
    assert classify(kind(text), on_card=True) is fault
    on_cpu = Failure.OUT_OF_MEMORY if fault is Failure.HOST_MEMORY else fault
    assert classify(kind(text)) is on_cpu


FAULTS = {
    Meaning.POISONED: Failure.POISONED,
    Meaning.COMPUTER: Failure.HOST_MEMORY,
    Meaning.REFUSED: Failure.OUT_OF_MEMORY,
    Meaning.ALLOCATOR: Failure.OUT_OF_MEMORY,
    Meaning.SUSPECTED: Failure.SUSPECTED,
    Meaning.LIBRARY: Failure.OTHER,  # while computing; the same words while loading are LIBRARY
    Meaning.DRIVER: Failure.OTHER,  # and these are of a card that is tried before any work
    Meaning.NO_CODE: Failure.OTHER,
    Meaning.CARD: Failure.OTHER,
}
KINDS = {"RuntimeError": RuntimeError, "OSError": OSError, "ImportError": ImportError}
KINDS["AssertionError"] = AssertionError
KINDS["SafetensorError"] = type("SafetensorError", (Exception,), {})


@pytest.mark.parametrize("row", table(), ids=lambda row: row.text[:50])
def test_each_text_of_the_table_is_taken_for_what_its_row_says(row: ErrorText) -> None:
    assert classify(KINDS[row.error](row.text), on_card=True) is FAULTS[row.meaning]
    assert row.mark in row.text.lower()
    assert row.source


def test_the_table_holds_each_text_once_and_some_fifty_of_what_is_raised_while_computing() -> None:
    texts = [(row.text, row.error) for row in table()]
    assert len(set(texts)) == len(texts)
    assert sum(row.meaning is not Meaning.LIBRARY for row in table()) >= 53


def test_a_number_that_torch_hands_on_tells_even_where_the_text_does_not() -> None:
    class Numbered(AcceleratorError):
        error_code = 700

    assert classify(Numbered("something in another language")) is Failure.POISONED
    Numbered.error_code = 2
    assert classify(Numbered("something in another language")) is Failure.OUT_OF_MEMORY
    Numbered.error_code = 98
    assert classify(Numbered("something in another language")) is Failure.OTHER


def test_a_call_that_torch_put_off_is_known_by_the_error_it_quotes() -> None:
    late = type("DeferredCudaCallError", (Exception,), {})
    text = "CUDA call failed lazily at initialization with error: CUDA error: out of memory"
    assert classify(late(text)) is Failure.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("error", "fault", "told"),
    [
        (
            OSError('[WinError 126] The specified module could not be found. Error "fbgemm.dll"'),
            Failure.LIBRARY,
            "Visual C++ Redistributable",
        ),
        (
            ImportError("libcublas.so.12: cannot open shared object file: No such file"),
            Failure.LIBRARY,
            "reinstall torch with its nvidia packages",
        ),
        (ImportError("x.so: undefined symbol: __nvJitLinkComplete"), Failure.LIBRARY, "LD_LIBRARY"),
        (ModuleNotFoundError("No module named 'torch'"), Failure.LIBRARY, "is not installed"),
        (AttributeError("partly\nbroken"), Failure.LIBRARY, "install torch again"),
        (
            OSError("[WinError 1455] The paging file is too small"),
            Failure.HOST_MEMORY,
            COMPUTER_FULL,
        ),
        (MemoryError(), Failure.HOST_MEMORY, COMPUTER_FULL),
    ],
    ids=lambda value: str(value)[:30],
)
def test_why_torch_cannot_be_loaded_is_reported_in_one_line_with_what_to_do(
    error: Exception, fault: Failure, told: str
) -> None:
    found, line = loading_fault("torch", error)
    assert found is fault
    assert line.startswith(f"torch cannot be loaded: {type(error).__name__}")
    assert told in line
    assert "\n" not in line


def test_a_poisoned_device_is_reported_even_if_memory_is_mentioned() -> None:
    text = "CUDA error: an illegal memory access was encountered\nout of memory is not the cause"
    assert classify(AcceleratorError(text)) is Failure.POISONED


@pytest.mark.torch
@pytest.mark.parametrize(("kind", "text", "fault"), TABLE, ids=named)
def test_torchs_own_errors_are_known_by_the_same_rules(
    kind: type[Exception], text: str, fault: Failure
) -> None:
    import torch

    real = getattr(torch, kind.__name__, kind)
    assert classify(real(text)) is fault


@pytest.mark.torch
def test_an_allocation_that_no_machine_can_hold_is_out_of_memory() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert classify(caught.value) is Failure.OUT_OF_MEMORY
