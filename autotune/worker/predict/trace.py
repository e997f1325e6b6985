"""The step of training, traced on fake tensors: no device, no weights, no memory taken.

The `Stepper` is training's own. Letters: B rows, T tokens a row.
"""

import contextlib
import copy
import itertools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch._subclasses import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForCausalLM,
)
from transformers.masking_utils import sdpa_mask

from autotune.base.errors import BadInput
from autotune.base.optimizer_state import KEPT, State
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.device_kind import DeviceKind
from autotune.protocol.plan import MicroBatching
from autotune.protocol.step_lines import features
from autotune.worker.attention.fusable import as_on, attend
from autotune.worker.compute import Compute
from autotune.worker.device_kinds import KINDS
from autotune.worker.generate.kv_cache import RowCache, Step, by_rows
from autotune.worker.generate.rows import MAX_GUESSED_TOKENS, STEP_TOKENS
from autotune.worker.memory.cpu import CpuMemory
from autotune.worker.predict.memory_tracker import (
    Allocator,
    Kind,
    MemoryTracker,
    Part,
    Rounding,
)
from autotune.worker.tokens.encode import Row
from autotune.worker.tokens.tokenizer import reading
from autotune.worker.train.loss import needs_own_head
from autotune.worker.train.optimizer import Recipe
from autotune.worker.train.step import Stepper

PRELUDE_TOKENS = 64
"""Tokens of the step before the one that is traced: what it makes stays."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One traced step: a model of so many layers, the last micro-batch of `rows` x `tokens`."""

    layers: int
    rows: int
    tokens: int

    def features(self, attention: Attention) -> list[float]:
        """What memory is linear in: the features of the micro-batch, and each of them a layer."""
        of_a_layer = features(self.rows, self.tokens, attention)
        return [*of_a_layer, *(self.layers * feature for feature in of_a_layer)]


@dataclass
class FakeStep:
    """Traces steps and generations of one architecture, in one precision, for a kind of device.

    `sizes` holds the number of weights of every depth that was traced so far, `biased` whether a
    linear layer with a bias was seen.
    `state` is what the optimizer keeps while answers are generated.
    """

    config: Any
    target: DeviceKind
    precision: Precision
    share: float
    attention: Attention = Attention.FUSED
    state: State = KEPT

    def __post_init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.biased = False
        self.own_head = own_head_of(self.config)

    def traces(
        self, shapes: Sequence[Shape], ways: Sequence[bool] = (False, True)
    ) -> list[dict[bool, list[Part]]]:
        """A step's parts for each shape, by whether gradient checkpointing is on.

        Shapes of one depth that stand together share a model.
        """
        found: list[dict[bool, list[Part]]] = []
        for layers, group in itertools.groupby(shapes, key=lambda shape: shape.layers):
            with self.tracker() as tracker:
                model = self.model(layers, tracker)
                stepper = self.stepper(model, tracker)
                # The first step makes what stays and is small; the second one is measured.
                stepper.step([row(PRELUDE_TOKENS)], 1)
                for state in stepper.optimizer.state.values():
                    tracker.mark(state.values(), Kind.OPTIMIZER)
                for shape in group:
                    both = {}
                    for checkpointing in ways:
                        tracker.forget()
                        stepper.resize(cut(shape.rows * shape.tokens, checkpointing))
                        leave_gradients(model, tracker)
                        stepper.step([row(shape.tokens)] * shape.rows, 2)
                        both[checkpointing] = tracker.parts
                    found.append(both)
        return found

    def generation(self, layers: int, rows: int, context: int, prefill_tokens: int) -> float:
        """Peak bytes of answering so many rows, beside weights and optimizer's state.

        All rows but those of the last pass over prompts are `context` tokens long already; then
        comes a pass with as many guesses as there may be.
        """
        with self.tracker() as tracker:
            model = self.model(layers, tracker).eval()
            held = self.state.kept_bytes(round(tracker.live[Kind.WEIGHTS]))
            tracker.forget()
            tracker.enter("generation")
            cache = RowCache(rows)
            cache.lengths = [context] * rows
            with torch.no_grad(), self.compute().autocast(), by_rows(model):
                last = min(rows, max(1, prefill_tokens // context))
                read = min(context, prefill_tokens)
                cache.lengths[-last:] = [context - read] * last
                self.answering_pass(model, cache, [0] * (rows - last) + [read] * last, last)
                wide = min(1 + MAX_GUESSED_TOKENS, max(1, STEP_TOKENS // rows), context)
                cache.lengths = [context - wide] * rows
                self.answering_pass(model, cache, [wide] * rows, rows * wide)
            return float(max(c.sum() for part in tracker.parts for c in part.counts) + held)

    def answering_pass(self, model: Any, cache: RowCache, counts: list[int], kept: int) -> None:
        """A pass over so many tokens of each row, and a choice at the last `kept` of them."""
        step = Step(cache, counts, torch.device("cpu"))
        out = model(
            input_ids=torch.ones((1, sum(counts)), dtype=torch.long),
            position_ids=step.places[None],
            step=step,
            use_cache=False,
            logits_to_keep=torch.arange(kept),
        )
        scores = out.logits[0].float()
        if self.precision is Precision.FP32:
            _ = scores.clone()  # without the likeliest, for the margin

    def model(self, layers: int, tracker: MemoryTracker) -> Any:
        """A model of this configuration, so many layers deep, with fake fp32 weights."""
        auto: Any = AutoModelForCausalLM
        model = auto.from_config(
            shallow(self.config, layers), dtype=torch.float32, attn_implementation=unmasked()
        )
        tracker.mark(itertools.chain(model.parameters(), model.buffers()), Kind.WEIGHTS)
        self.sizes[layers] = sum(p.numel() for p in model.parameters())
        return model

    def stepper(self, model: Any, tracker: MemoryTracker) -> Stepper:
        """Training's own stepper over the fake model."""

        def enter(phase: str) -> None:
            tracker.mark((p.grad for p in model.parameters()), Kind.GRADIENTS)
            tracker.enter(phase)

        stepper = Stepper(
            FakeLoaded(model),  # type: ignore[arg-type]
            self.compute(),
            Recipe(total_steps=2),
            cut(PRELUDE_TOKENS, False),
            enter=enter,
        )
        stepper.own_head = self.own_head  # fake weights cannot tell
        return stepper

    def compute(self) -> Compute:
        """A fake CPU: its autocast and its fused attention keep what CUDA's keep."""
        return Compute(torch.device("cpu"), self.precision, CpuMemory(), "none")

    @contextlib.contextmanager
    def tracker(self, allocator: Allocator | None = None) -> Iterator[MemoryTracker]:
        """Fake tensors, counted, that attend as on the target."""
        kind = KINDS[self.target]
        tracker = MemoryTracker(
            allocator=allocator or Rounding(kind.block_bytes),
            vocabulary=int(self.config.vocab_size),
            share=self.share,
            scratch=kind.has_workspaces,
        )
        with as_on(self.target), self.kernel(), FakeTensorMode(), tracker:
            yield tracker
        self.biased = self.biased or tracker.biased

    def kernel(self) -> AbstractContextManager[Any]:
        """Within, torch takes the kernel of attention that is assumed."""
        if self.attention is Attention.MATH:
            return sdpa_kernel(SDPBackend.MATH)
        return contextlib.nullcontext()


@dataclass
class FakeLoaded:
    """As much of a loaded model as the stepper looks at."""

    model: Any
    pad_token_id: int = 0


def leave_gradients(model: Any, tracker: MemoryTracker) -> None:
    """Give every weight a gradient, as the first of a step's micro-batches leaves it behind.

    The one that is traced then is a second one, and the first need not be.
    """
    for parameter in model.parameters():
        parameter.grad = torch.empty_like(parameter)
    tracker.mark((p.grad for p in model.parameters()), Kind.GRADIENTS)


def cut(micro_batch_tokens: int, gradient_checkpointing: bool) -> MicroBatching:
    """Steps in pieces of so many tokens."""
    return MicroBatching(
        micro_batch_tokens=micro_batch_tokens, gradient_checkpointing=gradient_checkpointing
    )


def row(tokens: int) -> Row:
    """A row of one token, again and again; every position has a label."""
    return Row([1] * tokens, [1] * tokens)


def read_config(folder: Path) -> Any:
    """The configuration of a model folder; its weights are not needed.

    Raises:
        BadInput: there is none that transformers knows as a causal LM's.
    """
    auto: Any = AutoConfig
    with reading(folder):
        config = auto.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    for name in ("num_hidden_layers", "vocab_size"):
        if not isinstance(getattr(config, name, None), int):
            raise BadInput(
                f"{folder / 'config.json'}: has no {name}, so its memory cannot be predicted;"
                " choose a causal LM that states it"
            )
    return config


def shallow(config: Any, layers: int, **changes: Any) -> Any:
    """The configuration of a model like this one with so many layers."""
    other = copy.deepcopy(config)
    other.num_hidden_layers = layers
    if getattr(other, "layer_types", None):
        other.layer_types = other.layer_types[:layers]
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def own_head_of(config: Any) -> bool:
    """What `needs_own_head` finds for such a model, tried on a small one with real weights."""
    auto: Any = AutoModelForCausalLM
    marks = {"vocab_size": 64, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    with torch.random.fork_rng(devices=[]):
        return needs_own_head(auto.from_config(shallow(config, 1, **marks), dtype=torch.float32))


UNPADDED = "sdpa_unpadded"


def unmasked() -> str:
    """Register attention as it is on a card, fused and without a needless mask; gives its name.

    transformers cannot tell from a fake tensor that a batch has no padding, and would make a mask
    of T x T for it.
    """
    attention: Any = AttentionInterface
    masks: Any = AttentionMaskInterface
    attention.register(UNPADDED, attend)
    masks.register(UNPADDED, mask_of_full_rows)
    return UNPADDED


def mask_of_full_rows(*args: Any, **kwargs: Any) -> Any:
    """No mask, as transformers decides for rows without padding; a window still needs one."""
    window, reach = kwargs.get("local_size"), kwargs.get("kv_length")
    if window is not None and (reach is None or reach >= window):
        return sdpa_mask(*args, **kwargs)
    return None
