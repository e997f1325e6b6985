"""Steps that were measured on a real card, predicted on this machine without one.

The figures are rows of fitcheck-llm 0.3.1 (MIT; PyPI), measured on a Tesla T4 with torch 2.14 and
transformers 5.17: LoRA of rank 32 on q, k, v and o, fp16, gradient checkpointing, AdamW.
`benchmarks/fit_measured.py` traces all of its unquantized rows.
"""

import warnings
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fit import ARCHITECTURE
from benchmarks.fit_measured import (
    EAGER,
    EFFICIENT,
    PHASES,
    Step,
    line,
    trace,
    unquantized,
)

pytestmark = pytest.mark.torch

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "card-measurements"


def smollm2(kernel: str, rows: int, tokens: int, **measured: float) -> Step:
    config = {name: value for name, value in ARCHITECTURE.items() if "position" not in name}
    targets = ("q_proj", "k_proj", "v_proj", "o_proj")
    resident = {"resident_before_step_mib": 270.65283203125, "cuda_context_mib": 140.875}
    return Step(
        "SmolLM2-135M", config, False, kernel, rows, tokens, 32, targets, resident | measured
    )


SHORT = smollm2(
    EFFICIENT,
    2,
    512,
    peak_forward_mib=836.060546875,
    peak_backward_mib=1026.91943359375,
    peak_optimizer_mib=441.7236328125,
    peak_allocated_mib=1026.91943359375,
    peak_reserved_mib=1070.0,
    process_mib=1210.875,
)
LONG = smollm2(
    EAGER,
    1,
    4096,
    peak_forward_mib=2416.638671875,
    peak_backward_mib=3180.10693359375,
    peak_optimizer_mib=736.1845703125,
    peak_allocated_mib=3180.10693359375,
    peak_reserved_mib=4476.0,
    process_mib=4616.875,
)
LONG_FUSED = smollm2(
    EFFICIENT,
    1,
    4096,
    peak_forward_mib=2384.638671875,
    peak_backward_mib=3148.10693359375,
    peak_optimizer_mib=736.1845703125,
    peak_allocated_mib=3148.10693359375,
    peak_reserved_mib=3284.0,
    process_mib=3424.875,
)


def compared(step: Step) -> dict[str, Any]:
    pytest.importorskip("peft", reason="needs peft, a dependency for development")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # transformers renames checkpointing
        return line(step, trace(step))


def checked(step: Step, reserved: float) -> None:
    found = compared(step)
    for name in ("resident", "peak", *PHASES):
        assert abs(found["errors"][name]) < 0.002, found
    assert abs(found["errors"]["reserved"]) < reserved, found


@pytest.mark.slow
def test_a_measured_step_holds_what_is_traced_phase_by_phase() -> None:
    checked(SHORT, 0.005)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "reserved"), [(LONG_FUSED, 0.005), (LONG, 0.08)])
def test_longer_measured_steps_hold_what_is_traced_with_either_kernel(
    step: Step, reserved: float
) -> None:
    checked(step, reserved)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the measured rows in ../shared")
def test_the_figures_of_these_tests_are_the_measured_ones() -> None:
    rows = {step.key: step for step in unquantized(SHARED)}
    for step in (SHORT, LONG, LONG_FUSED):
        theirs = rows[step.key]
        assert {name: theirs.measured[name] for name in step.measured} == step.measured
        assert (theirs.config, theirs.lora_rank) == (step.config, step.lora_rank)
        assert theirs.lora_targets == step.lora_targets
