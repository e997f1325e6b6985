"""Trace the steps that a plan knows beforehand, and write them to autotune/fit/known_steps.json.

    python benchmarks/known_steps.py

To be run again where the step that trains takes memory in another way: a test says so. About two
minutes of a processor. Nothing is fetched.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autotune.fit.known_steps import FILE, KnownStep, KnownSteps, shape_of
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.step_lines import StepLines
from autotune.sources.known_architectures import KNOWN, known_architecture
from autotune.sources.named import TOY
from autotune.worker.predict.job import Predictor, indifferent_to_order
from autotune.worker.predict.trace import read_config

NAMES = (TOY, *(name for name in KNOWN if not name.endswith("-Instruct")))
"""A chat model has the shape of the model that it was made of."""


def main() -> int:
    """Trace them all."""
    steps = []
    for name in NAMES:
        folder = known_architecture(name)
        assert folder is not None
        for precisions, lines in traced(folder):
            shape = shape_of(folder)
            assert shape is not None
            steps.append(
                KnownStep(
                    model=name.rpartition("/")[2], shape=shape, precisions=precisions, lines=lines
                )
            )
            print(f"{name} {', '.join(precisions)} {lines.attention.value}", flush=True)
    # Without the build (2.13.0+cpu): it takes no part in a step on tensors without data.
    libraries = f"torch {torch.__version__.partition('+')[0]}"
    libraries += f" and transformers {transformers.__version__}"
    found = KnownSteps(traced_with=libraries, steps=tuple(steps))
    FILE.write_text(text_of(found), encoding="utf-8", newline="\n")
    return 0


def traced(folder: Path) -> Iterator[tuple[tuple[Precision, ...], StepLines]]:
    """The lines of a model, by the precisions that have them."""
    config = read_config(folder)
    for attention in Attention:
        by_lines: dict[StepLines, tuple[Precision, ...]] = {}
        for precision in Precision:
            with indifferent_to_order():
                lines = Predictor(config, "cuda", precision, 1.0, attention).lines()
            by_lines[lines] = (*by_lines.get(lines, ()), precision)
        for lines, precisions in by_lines.items():
            yield precisions, lines


def text_of(found: KnownSteps) -> str:
    """JSON with a step a line, so that a change is seen; whole numbers without their `.0`."""
    steps = (json.dumps(step.model_dump(mode="json")) for step in found.steps)
    listed = ",\n".join(steps).replace(".0,", ",").replace(".0]", "]")
    return f'{{"traced_with": {json.dumps(found.traced_with)}, "steps": [\n{listed}\n]}}\n'


if __name__ == "__main__":
    sys.exit(main())
