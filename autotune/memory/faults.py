"""Foreign errors, translated once: what kind of failure was it?

By type first, then by text. Only errors that CUDA, cuBLAS, cuDNN or the CPU allocator raise are
looked at, so a `ValueError` that merely quotes "out of memory" is not taken for one.
"""

from autotune.outcome import Fault

_OUT_OF_MEMORY = (
    "out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "can't allocate memory",
    "not enough memory",
)
_SUSPECTED = (
    "cublas_status_not_initialized",
    "unable to find an engine to execute",
)
# Errors after which, by the CUDA runtime's documentation, the process can use its device no more.
_POISONED = (
    "illegal memory access",
    "device-side assert",
    "launch timed out",
    "unspecified launch failure",
    "misaligned address",
    "illegal instruction",
    "hardware stack error",
    "invalid program counter",
    "uncorrectable ecc error",
)
_TORCH_ERRORS = {"OutOfMemoryError", "AcceleratorError", "RuntimeError", "DeferredCudaCallError"}


def classify(error: BaseException) -> Fault:
    """The fault behind an exception raised while a worker computed."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Fault.OUT_OF_MEMORY
    if not any(kind.__name__ in _TORCH_ERRORS for kind in type(error).__mro__):
        return Fault.OTHER
    text = str(error).lower()
    for fault, marks in (
        (Fault.POISONED, _POISONED),
        (Fault.OUT_OF_MEMORY, _OUT_OF_MEMORY),
        (Fault.SUSPECTED, _SUSPECTED),
    ):
        if any(mark in text for mark in marks):
            return fault
    return Fault.OTHER
