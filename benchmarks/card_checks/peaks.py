"""What a card's matrix units can do at most, and what a training step asks of them.

Dense 16-bit products with sums in fp32, in FLOP/s, as the vendor gives them. Sources: the data
sheets of T4, A100, H100, H200, L4 and L40S (half of a figure that is "with sparsity"), and the
white papers of the Ampere (GA102, 2020), Ada (2022) and Blackwell RTX (2025) cards.
"""

from typing import Any

NAMED = (
    # The first whose words are all in the card's name; figures in TFLOP/s.
    (("H200",), 989.4),
    (("H100", "PCIe"), 756.0),
    (("H100",), 989.4),
    (("A100",), 312.0),
    (("L40S",), 362.0),
    (("L4",), 121.0),
    (("T4",), 65.1),
    (("RTX 5090",), 209.5),
    (("RTX 4090",), 165.2),
    (("RTX 3090",), 71.0),
)
"""Desktop cards at their boost clock; their "Laptop GPU" namesakes have other chips."""

A_CLOCK = {(8, 0): 2048, (8, 6): 512, (8, 9): 512, (9, 0): 4096, (12, 0): 512}
"""FLOP a clock and multiprocessor of GeForce and data center chips by compute capability, from the
same papers: their peak over multiprocessors times clock. For a card that is not named above."""


def peak_flops(name: str, processors: int, capability: tuple[int, int], mhz: int | None) -> Any:
    """FLOP/s and where the figure is from; None where nothing is known.

    `mhz` is the highest clock of the multiprocessors, which few steps reach: a share of a peak that
    was computed is a lower bound.
    """
    if "Laptop" not in name:
        for words, tera in NAMED:
            if all(word in name for word in words):
                return {"flops": tera * 1e12, "source": f"data sheet of {' '.join(words)}"}
    if mhz is None or capability not in A_CLOCK:
        return None
    flops = float(A_CLOCK[capability]) * processors * mhz * 1e6
    return {"flops": flops, "source": f"{processors} multiprocessors at {mhz} MHz"}


def training_flops(config: dict[str, Any], lengths: list[int]) -> float:
    """FLOP of one step over rows of these lengths: 6 N tokens, and the attention beside it.

    N counts every weight that multiplies, the output head with them (Kaplan et al. 2020, section
    2.1). Attention: two products of T x T x width a layer, half of it masked, three times as much
    with the backward pass: 6 T^2 width a layer. Recomputation is not counted.
    """
    width, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
    attention = sum(6.0 * length * length * width * layers for length in lengths)
    return 6.0 * multiplying_weights(config) * sum(lengths) + attention


def multiplying_weights(config: dict[str, Any]) -> int:
    """Weights of a Llama's matrices: attention, feed-forward and head; norms do not multiply."""
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    heads = int(config["num_attention_heads"])
    size = int(config.get("head_dim") or width // heads)
    own = width * size * (2 * heads + 2 * int(config["num_key_value_heads"]))
    layer = own + 3 * width * inner
    return layer * int(config["num_hidden_layers"]) + width * int(config["vocab_size"])
