"""docs/fit.md: its sums are those of the program, for SmolLM2-135M.

What a step is predicted to take is compared in `tests/worker/predict/test_predict.py`, which traces
one.
"""

import re
from math import ceil

from autotune.base.optimizer_state import KEPT, WEIGHT_BYTES
from autotune.base.sizes import GIB, MIB
from autotune.config.load import find_profile
from autotune.device.budget import Budget
from autotune.fit.allowance import PLANNED_CONTEXT_BYTES, SLACK_RANGES, SLACKS, card_allowance
from autotune.fit.search import most_trials
from autotune.fit.speed import MIN_GAIN_SHARE
from autotune.protocol.choices import LENGTH_GRID, Attention
from autotune.sources.known_architectures import KNOWN
from tests.docs.pages import DOCS, lacking, page

PAGE = page("fit.md")
SMOLLM2 = KNOWN["HuggingFaceTB/SmolLM2-135M"]


def parameters(config: dict[str, int]) -> int:
    """Of a Llama whose head is its embedding."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    shared = config["num_key_value_heads"] / heads
    attention = 2 * hidden**2 + 2 * round(shared * hidden) * hidden
    layer = attention + 3 * hidden * config["intermediate_size"] + 2 * hidden
    embedding = config["vocab_size"] * hidden
    return embedding + config["num_hidden_layers"] * layer + hidden


def test_the_rows_that_follow_from_the_number_of_weights() -> None:
    weights, words, hidden = parameters(SMOLLM2), SMOLLM2["vocab_size"], SMOLLM2["hidden_size"]
    spaced = f"{weights:,}".replace(",", " ")

    def mib(size: float) -> str:
        return f"{size / MIB:.0f}"

    missing = lacking(
        PAGE,
        [
            f"P = {spaced} weights, V = {f'{words:,}'.replace(',', ' ')} words, H = {hidden}",
            f"{SMOLLM2['num_hidden_layers']} layers",
            f"| weights, fp32 | {WEIGHT_BYTES} P | {mib(WEIGHT_BYTES * weights)} |",
            f"| gradients, fp32 | {WEIGHT_BYTES} P | {mib(WEIGHT_BYTES * weights)} |",
            f"| AdamW's two moments, fp32 | {KEPT.bytes_per_weight} P |"
            f" {mib(KEPT.kept_bytes(WEIGHT_BYTES * weights))} |",
            f"| 16-bit copies of the matrices | 2 P | {mib(2 * weights)} |",
            f"6 V H | {mib(6 * words * hidden)} |",
            f"4 T H | {mib(4 * 1024 * hidden)} |",
            f"4 T V bytes in fp32, {mib(4 * 1024 * words)} MiB",
            f"{SMOLLM2['num_hidden_layers']} × 4 H bytes a token",
        ],
    )
    assert not missing, "\n".join(missing)


def test_what_a_plan_adds_and_the_budget_that_it_is_held_against() -> None:
    profile = find_profile("rtx4060-laptop-8gb")
    assert (profile.machine.memory, profile.machine.reserve) == ("8GiB", "512MiB")
    budget = Budget(total_bytes=8 * GIB, reserve_bytes=512 * MIB, source="planned", on_card=True)
    (tensors,) = re.findall(r"\| \*\*sum\*\* \| \| (\d+) \|", PAGE)
    needed = card_allowance(Attention.FUSED).needed_bytes(int(tensors) * MIB) / MIB
    context, slack = PLANNED_CONTEXT_BYTES // MIB, 1 + SLACKS[Attention.FUSED]
    (fixed,) = re.findall(r"Everything above, (\d+) MiB", PAGE)
    (each,) = re.findall(r"- \d+\) / (0\.\d+)", PAGE)
    limit = budget.limit_bytes / MIB
    tokens = ((limit - context) / slack - int(fixed)) / float(each)
    least, most = SLACK_RANGES[Attention.FUSED]
    missing = lacking(
        PAGE,
        [
            f"needs = {context} + {slack:.2f} × {tensors} = {needed:.0f} MiB",
            f"budget = 8 GiB - 512 MiB in reserve = {limit:.0f} MiB",
            f"(({limit:.0f} - {context}) / {slack:.2f} - {fixed}) / {each} = {tokens:.2g}".replace(
                f"{tokens:.2g}", f"{round(tokens, -1):.0f}, about,"
            ),
            f"{least * 100:.0f} to {most * 100:.0f} % of them in 35 measured steps",
        ],
    )
    assert not missing, "\n".join(missing)
    assert 4 * 1024 < tokens < 8 * 1024


def test_the_rules_of_the_search() -> None:
    missing = lacking(
        PAGE,
        [
            f"the longest of a grid of {LENGTH_GRID} tokens",
            f"at least {MIN_GAIN_SHARE * 100:.0f} % faster",
        ],
    )
    assert not missing, "\n".join(missing)
    assert "`ceil(log2(lengths)) + 3` trials" in PAGE
    assert most_trials(100) == ceil(6.64) + 3


def test_every_file_that_the_page_names_is_there() -> None:
    package = DOCS.parent
    named = set(re.findall(r"`((?:\w+/)+\w*(?:\.py)?)`", PAGE))
    assert len(named) > 4
    for name in sorted(named):
        assert (package / "autotune" / name).exists() or (package / name).exists(), name
