"""torch.compile for the layers of a model, within a training's steps and nowhere else.

What all layers repeat beside attention (norms and the feed-forward part) is compiled once and
shared by them, with sizes that may change. Compiling
needs a compiler on the machine (on a card Triton's and a C compiler), which many lack: it is tried
on a small function first, and where it fails layers work as they are. It changes speed and memory,
never the mathematics.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from autotune.protocol.failure import Failure
from autotune.worker.memory.errors import classify

Done = TypeVar("Done")

BACKEND = "inductor"
"""torch's own, which fuses what works element by element into the kernels beside it."""


class Compiled:
    """The compiled parts of a model, put into place for a while.

    Only calls are replaced, on the instances, and put back: the model's modules, and so the names
    in its checkpoints, stay what they are, and answering between steps is not compiled.
    """

    def __init__(
        self, parts: list[nn.Module], warn: Callable[[str], None] = lambda _: None
    ) -> None:
        """Nothing is compiled before the first call; without parts, nothing ever."""
        if parts:
            dynamo: Any = torch.compiler
            dynamo.reset()  # what was compiled for another stepper counts against a limit
        self.warn = warn
        self._calls = [
            (part, torch.compile(part.forward, dynamic=True, backend=BACKEND)) for part in parts
        ]

    @property
    def on(self) -> bool:
        """Whether anything is compiled."""
        return bool(self._calls)

    def disable_if_failed(self, error: Exception, step: int) -> bool:
        """Leave the compiler out from now on if the error is its own; whether it is."""
        if not self.on or not is_compiler_error(error):
            return False
        self._calls = []
        self.warn(
            f"torch.compile failed in step {step} ({words_of(error)}); training continues without"
            " it"
        )
        return True

    def run(self, work: Callable[[], Done], step: int, clean: Callable[[], None]) -> Done:
        """What `work` gives compiled, or where the compiler fails, after `clean`, without it."""
        while True:
            try:
                with self.within():
                    return work()
            except Exception as error:
                if not self.disable_if_failed(error, step):
                    raise
            clean()  # here no traceback holds the attempt's tensors any more

    @contextmanager
    def within(self) -> Iterator[None]:
        """Within, the parts are called compiled; also when a backward pass calls them again."""
        calls = self._calls
        for part, call in calls:
            part.forward = call
        try:
            yield
        finally:
            for part, _ in calls:
                del part.forward  # the instance's; the class's is there again


def compiled_layers(model: Any, device: torch.device, warn: Callable[[str], None]) -> Compiled:
    """The model's layers compiled, or nothing after a warning that says why not.

    The attention of each layer is left out. Its kernels are as good as a compiler's, the compiler
    breaks off at how one is chosen, and rows that are packed are told by a list of their lengths,
    for each of which it would compile again.
    """
    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    fault = compiler_fault(device.type) if layers else "this model has no layers that are known"
    if fault is not None:
        warn(f"torch.compile cannot be used: {fault}; training continues without it")
        return Compiled([])
    parts = [part for layer in layers for part in layer.children() if not attends(part)]
    return Compiled(parts, warn)


def attends(part: nn.Module) -> bool:
    """Whether a part of a layer is its attention: it knows which layer's cache is its own."""
    return hasattr(part, "layer_idx")


@cache
def compiler_fault(kind: str) -> str | None:
    """Why nothing can be compiled for this kind of device here; None where it can.

    Found by compiling a small function with its gradient: a compiler may be there and not work.
    """
    try:
        from torch._inductor import config

        # By itself torch starts a process for each core, which outlive a worker that is killed.
        config.compile_threads = 1
        numbers = torch.ones(8, device=kind, requires_grad=True)
        torch.compile(_square_sum, backend=BACKEND)(numbers).backward()
        right = numbers.grad is not None and bool((numbers.grad == 2).all())
    except Exception as error:  # whatever a compiler, its driver or a missing package raises
        return words_of(error)
    return None if right else "it computes a wrong gradient"


def _square_sum(numbers: Any) -> Any:
    return (numbers * numbers).sum()


def is_compiler_error(error: Exception) -> bool:
    """Whether an error is the compiler's own, and not one of memory that it passes on."""
    from torch._dynamo.exc import TorchDynamoException

    return isinstance(error, TorchDynamoException) and classify(error) is not Failure.OUT_OF_MEMORY


def words_of(error: Exception) -> str:
    """An error of the compiler in a line: it says much, and the first line says what."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
