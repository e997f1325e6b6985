"""The engine `continuous`: transformers' continuous batching over a paged cache.

What `generate_batch` of transformers does, with its results as they come instead of at the end.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig

from autotune.protocol.choices import Precision
from autotune.worker.attention.full_rows import FUSED
from autotune.worker.compute import Compute
from autotune.worker.finite import demand_finite
from autotune.worker.generate.reply import GenerationSettings, Reply, never, nothing
from autotune.worker.model import Loaded

PAGE = 64
"""Tokens of a page of the cache. A row's last page is half empty on average: 32 of some hundred."""

PROGRESS_SECONDS = 0.5
"""How often `on_step` is called while nothing is finished."""

STOP_SECONDS = 30.0
"""How long the thread that computes may take to end; a pass is far shorter."""


class ContinuousEngine:
    """Rows come and leave by themselves; transformers schedules them in a thread of its own.

    What it cannot do. An answer is seen only when it is finished, so none is left when it is
    decided. `on_step` comes by the clock and not after a pass, so nothing can be timed with it.
    Autocast does not reach its thread: it computes in the weights' fp32 whatever the precision
    (`serves` refuses 16 bits). A choice between two tokens that are as likely to the last bits is
    not made by the row alone, see `chooser`, so there a text may depend on its company.
    `min_new_tokens` is not known here, and nothing can be drawn: chance would be torch's, and
    depend on what is computed beside it. What it fails with arrives as text.
    """

    def __init__(
        self,
        loaded: Loaded,
        compute: Compute,
        settings: GenerationSettings,
        prompts: Sequence[list[int]],
        done: Callable[[Reply], None],
        *,
        on_step: Callable[[], None] = nothing,
        decided: Callable[[Reply], bool] = never,
        begun: Mapping[int, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        """As `RowsEngine`, but `decided` is not asked and what was `begun` is made again."""
        self.loaded, self.settings, self.done, self.on_step = loaded, settings, done, on_step
        self.batch_size = settings.batch_size
        positions = int(loaded.model.config.max_position_embeddings)
        self.waiting = {
            number: Reply(number, ids, settings, positions) for number, ids in enumerate(prompts)
        }
        self.new_tokens = 0

    def run(self) -> None:
        """Answer all that wait; after an exception of memory it can be called again.

        Raises:
            RuntimeError: a prompt or all of it failed, with transformers' words.
            NumericFault: the logits after a prompt are no numbers; transformers hands out none of
                its own, so they are looked at once beforehand.
        """
        model: Any = self.loaded.model
        self.look()
        before = model.config._attn_implementation
        options: Any = GenerationConfig
        try:
            with model.continuous_batching_context_manager(
                generation_config=options(
                    max_new_tokens=self.settings.max_new_tokens,
                    do_sample=False,
                    eos_token_id=list(self.loaded.stop_ids),
                    pad_token_id=self.loaded.pad_token_id,
                ),
                continuous_batching_config=self.config(),
                block=True,
                timeout=STOP_SECONDS,
                warmup=False,
            ) as manager:
                self.answer(manager)
        finally:
            model.config._attn_implementation = before

    def look(self) -> None:
        """One pass over the first prompt that waits."""
        ids = next(iter(self.waiting.values())).ids
        with torch.inference_mode():
            out = self.loaded.model(
                input_ids=torch.tensor([ids], device=self.loaded.model.device),
                use_cache=False,
                logits_to_keep=1,
            )
        demand_finite(out.logits[0].amax(dim=-1))

    def answer(self, manager: Any) -> None:
        """Hand in every prompt and take the answers."""
        asked = {
            manager.add_request(reply.ids, max_new_tokens=reply.most): number
            for number, reply in self.waiting.items()
        }
        last = time.perf_counter()
        while asked:
            found = manager.get_result(timeout=PROGRESS_SECONDS)
            if time.perf_counter() - last >= PROGRESS_SECONDS:
                last = time.perf_counter()
                self.on_step()
            if found is None:
                if not manager.is_running():
                    raise RuntimeError("continuous batching ended before its answers did")
                continue
            if found.error is not None:
                raise RuntimeError(found.error)
            if found.is_finished():
                self.take(asked.pop(found.request_id), found.generated_tokens)

    def take(self, number: int, ids: list[int]) -> None:
        """A finished answer."""
        reply = self.waiting.pop(number)
        reply.end(ids, self.loaded.stop_ids)
        self.new_tokens += len(ids)
        self.done(reply)

    def config(self) -> Any:
        """Room for `batch_size` rows as long as any can get, and nothing fetched.

        Left to itself the cache takes nine tenths of what the whole card has free, whatever this
        process may take; and attention is looked for on the hub.
        """
        longest = max(reply.asked + reply.most for reply in self.waiting.values())
        requested = {
            "block_size": PAGE,  # its name before transformers 5.18
            "page_size": PAGE,
            "num_blocks": self.batch_size * -(-longest // PAGE),
            "max_batch_tokens": max(self.settings.prefill_tokens, self.batch_size),
            "max_requests_per_batch": self.batch_size,
            "allow_block_sharing": False,
            "auto_switch_to_flash": False,
        }
        make: Any = ContinuousBatchingConfig
        known = {field.name for field in fields(make)}
        if "page_size" in known:
            del requested["block_size"]
        return make(**{name: value for name, value in requested.items() if name in known})

    def smaller(self) -> bool:
        """Half the rows; False where it was one."""
        self.batch_size //= 2
        return self.batch_size > 0

    def requeue_rows(self) -> None:
        """The cache is gone with its manager; what is not finished is answered again."""

    def batch_text(self) -> str:
        """How much is done at a time now, in words."""
        return f"{self.batch_size} at a time"


def serves(loaded: Loaded, compute: Compute) -> bool:
    """Whether transformers can answer for this model in this way, with the texts of the others."""
    model = loaded.model
    return (
        hasattr(model, "continuous_batching_context_manager")
        and model.config._attn_implementation == FUSED
        and compute.precision is Precision.FP32
    )
