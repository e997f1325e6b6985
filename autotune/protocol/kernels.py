"""The kernels that compute attention, by name, and what a worker found of them."""

from enum import StrEnum

from autotune.base.model import Boundary


class Kernel(StrEnum):
    """What computes attention. All but `MATH` take memory in proportion to the tokens.

    `VARLEN` is flash attention over packed rows in one call, `CPU` a processor's fused kernel.
    `MATH` is plain products and a softmax: for a row of T tokens a layer holds T x T numbers for
    each head, several times over.
    """

    VARLEN = "varlen"
    FLASH = "flash"
    EFFICIENT = "efficient"
    CUDNN = "cudnn"
    CPU = "cpu"
    MATH = "math"

    @property
    def words(self) -> str:
        """As it is called on screen."""
        return _WORDS[self]


_WORDS = {
    Kernel.VARLEN: "flash, packed sequences in one call",
    Kernel.FLASH: "flash",
    Kernel.EFFICIENT: "memory-efficient",
    Kernel.CUDNN: "cuDNN",
    Kernel.CPU: "the CPU's fused kernel",
    Kernel.MATH: "plain mathematics",
}


class FoundKernels(Boundary):
    """Which kernels gave right results and gradients on a worker's device, the preferred first.

    cuDNN's is tried only where no other fused one serves.

    They were tried with as many `heads`, `key_heads` (fewer where heads share keys) of `head_size`
    numbers as the model has, in the `dtype` that attention is computed in.
    """

    kernels: tuple[Kernel, ...]
    heads: int
    key_heads: int
    head_size: int
    dtype: str


def kernels_sentence(found: FoundKernels) -> str:
    """In one line: `memory-efficient; also there: plain mathematics; tried with 9 heads ...`."""
    first, *others = (kernel.words for kernel in found.kernels or (Kernel.MATH,))
    also = f"; also there: {', '.join(others)}" if others else ""
    return (
        f"{first}{also}; tried with {found.heads} heads on {found.key_heads} of keys,"
        f" {found.head_size} wide, in {found.dtype}"
    )


def math_warning(kernel: Kernel | None) -> str | None:
    """What a person should know where a card computes attention by plain mathematics."""
    if kernel is not Kernel.MATH:
        return None
    return (
        "attention is computed by plain mathematics here, whose memory grows with the square of"
        " the length: this torch has no fused kernel for this card, model and precision;"
        " update torch or try --precision fp16"
    )
