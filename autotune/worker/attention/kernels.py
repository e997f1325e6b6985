"""Which attention kernels a device has for a model, and which one a model's pass really uses."""

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig

from autotune.protocol.choices import Precision
from autotune.protocol.kernels import FoundKernels, Kernel
from autotune.worker.attention.fusable import attention, traits_at
from autotune.worker.compute import Compute
from autotune.worker.train.packing import packed

OPERATIONS = {
    "torch_attn._varlen_attn": Kernel.VARLEN,
    "aten._scaled_dot_product_flash_attention": Kernel.FLASH,
    "aten._scaled_dot_product_efficient_attention": Kernel.EFFICIENT,
    "aten._scaled_dot_product_cudnn_attention": Kernel.CUDNN,
    "aten._scaled_dot_product_flash_attention_for_cpu": Kernel.CPU,
}
"""What torch's dispatcher is asked for. Plain mathematics has no name: it is only products."""

TRIED_TOKENS = 24
"""Tokens of a row that kernels are tried on; which of them serves does not depend on it."""

DTYPES = {
    Precision.FP16: torch.float16,
    Precision.BF16: torch.bfloat16,
    Precision.FP32: torch.float32,
}


def find_kernels(compute: Compute, model_folder: Path) -> FoundKernels | None:
    """What computes attention of the folder's model here; None where that is unknown.

    It never fails: a folder that cannot be read is reported by who loads the model.
    """
    heads = heads_of(model_folder)
    if heads is None:
        return None
    dtype = DTYPES[compute.precision]
    asking, groups, size = heads
    numbers = torch.Generator(compute.device).manual_seed(0)
    try:
        given = [
            torch.randn(
                (1, count, TRIED_TOKENS, size),
                generator=numbers,
                device=compute.device,
                dtype=dtype,
            )
            for count in (asking, groups, groups)
        ]
        return FoundKernels(
            kernels=serving(given),
            heads=asking,
            key_heads=groups,
            head_size=size,
            dtype=str(dtype).removeprefix("torch."),
        )
    except RuntimeError:
        return None


def heads_of(model_folder: Path) -> tuple[int, int, int] | None:
    """A model's heads, heads of keys and the size of one, by its configuration."""
    auto: Any = AutoConfig
    try:
        config = auto.from_pretrained(
            str(model_folder), trust_remote_code=False, local_files_only=True
        ).get_text_config()
        heads = int(config.num_attention_heads)
        groups = int(getattr(config, "num_key_value_heads", None) or heads)
        size = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    except Exception:  # whatever is wrong with it, loading the model names it
        return None
    return (heads, groups, size) if heads % groups == 0 < size else None


def serving(given: Sequence[Tensor]) -> tuple[Kernel, ...]:
    """The kernels that are right for these (query, key, value), forward and backward.

    Each is asked to compute causal attention alone, and held against fp32 products. cuDNN's is
    asked only where no other fused one serves: torch takes it last where workers run, and what its
    library loads stays in the memory of the card.
    """
    with sdpa_kernel(SDPBackend.MATH):
        right = results([states.float() for states in given])
    found: list[Kernel] = []
    for kernel, backend in traits_at(given[0]).kernels.items():
        if (kernel is not Kernel.CUDNN or not found) and serves(backend, given, right):
            found.append(kernel)
    return (*found, Kernel.MATH)


def serves(backend: SDPBackend, given: Sequence[Tensor], right: Sequence[Tensor]) -> bool:
    """Whether this backend alone gives these results, but for rounding."""
    try:
        with warnings.catch_warnings(), sdpa_kernel(backend):
            warnings.simplefilter("ignore")  # torch says at length why it cannot
            ours = results(given)
    except RuntimeError:
        return False
    # Of bf16 all numbers together are off by half a percent; what is wrong is off by far more.
    return all(
        bool((a.float() - b).norm() <= 0.02 * b.norm()) for a, b in zip(ours, right, strict=True)
    )


def results(given: Sequence[Tensor]) -> list[Tensor]:
    """Causal attention and the gradients of a sum over it."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [states.clone().requires_grad_() for states in given]
        out = attention(*leaves, causal=True)
        return [out.detach(), *torch.autograd.grad(out.float().square().sum(), leaves)]


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which attention kernels are asked for within."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: set[Kernel] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Note it, and do it."""
        kernel = OPERATIONS.get(str(func).removesuffix(".default"))
        if kernel is not None:
            self.seen.add(kernel)
        return func(*args, **(kwargs or {}))

    @property
    def kernel(self) -> Kernel:
        """The one that was used; of several the one that stands last in `Kernel`."""
        return next((kernel for kernel in reversed(Kernel) if kernel in self.seen), Kernel.MATH)


def training_kernel(model: Any, compute: Compute, packing: bool) -> Kernel | None:
    """What a training step of this model attends by: one short pass of it is watched.

    None where the pass fails, which the step itself will report.
    """
    lengths = [TRIED_TOKENS - 5, 5]
    inputs: dict[str, Any] = {"input_ids": torch.ones((1, TRIED_TOKENS), dtype=torch.long)}
    if packing:
        inputs["position_ids"] = torch.tensor([[at for n in lengths for at in range(n)]])
    inputs = {name: tensor.to(compute.device) for name, tensor in inputs.items()}
    if packing:
        inputs["segments"] = lengths
    was_training = model.training
    model.eval()  # dropout would take random numbers
    watch = Watch()
    try:
        # With gradients: kernels are chosen by whether there will be a backward pass.
        with packed(model) if packing else nullcontext(), compute.autocast(), watch:
            model.base_model(use_cache=False, **inputs)
        return watch.kernel
    except (RuntimeError, TypeError, ValueError):
        return None
    finally:
        model.train(was_training)
