"""Plans for models that were traced beforehand: without a worker, at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from autotune.base.sizes import MIB
from autotune.fit.forecast import points, predict_job
from autotune.fit.kept_prediction import kept_prediction
from autotune.fit.known_steps import known_prediction, known_steps
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.prediction import PredictionFile
from autotune.sources.known_architectures import KNOWN, NAMED

SMOLLM2 = KNOWN["HuggingFaceTB/SmolLM2-135M"]

PUBLISHED = {"torch_dtype": "bfloat16", "bos_token_id": 1, "rope_scaling": None, "head_dim": 64}
"""What a published config.json has beside it, and a step's memory does not follow from."""


def asked(folder: Path, config: dict[str, Any], **changes: Any) -> PredictionFile | None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    values: dict[str, Any] = {"target": "cuda", "precision": Precision.FP16} | changes
    asked = points((1024, 8192), (1, 4))
    return known_prediction(predict_job(model_folder=folder, asked=asked, folder=folder, **values))


@pytest.mark.parametrize("config", [*KNOWN.values(), *NAMED.values()])
def test_every_model_that_needs_no_network_needs_no_trace_either(
    config: dict[str, Any], tmp_path: Path
) -> None:
    for precision in Precision:
        for attention in Attention:
            found = asked(tmp_path, config, precision=precision, attention=attention)
            assert found is not None and len(found.peaks) == 8, (precision, attention)
            assert "torch" in found.traced_with


def test_the_figures_are_those_of_the_page_on_what_fits(tmp_path: Path) -> None:
    found = asked(tmp_path, {**SMOLLM2, **PUBLISHED})
    assert found is not None
    assert [round(peak.peak_bytes / MIB) for peak in found.peaks[:2]] == [3458, 2591]
    hopper = asked(tmp_path, SMOLLM2, capability=(9, 0))
    assert hopper is not None
    assert hopper.peaks[0].peak_bytes - found.peaks[0].peak_bytes == 2 * (32 * MIB - 8_519_680)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 640},
        {"attention_bias": True},
        {"head_dim": 128},
        {"mlp_bias": True},
        {"quantization_config": {"bits": 4}},
        {"sliding_window": 512},
    ],
)
def test_a_model_that_differs_in_what_memory_follows_from_is_traced(
    change: dict[str, Any], tmp_path: Path
) -> None:
    assert asked(tmp_path, SMOLLM2 | change) is None


@pytest.mark.parametrize(
    "change",
    [{"target": "cpu"}, {"generate_rows": 4, "generate_context": 64}],
)
def test_a_question_that_a_step_alone_does_not_answer_is_traced(
    change: dict[str, Any], tmp_path: Path
) -> None:
    assert asked(tmp_path, SMOLLM2, **change) is None


def test_a_known_answer_is_neither_traced_nor_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))

    def traced() -> PredictionFile:
        raise AssertionError("a worker was asked")

    (tmp_path / "config.json").write_text(json.dumps(SMOLLM2), encoding="utf-8")
    job = predict_job("cuda", Precision.BF16, tmp_path, points((512,), (1,)), tmp_path)
    assert kept_prediction(job, traced).layers == 30
    assert not (tmp_path / "cache").exists()


def test_every_line_of_the_file_is_of_one_model_precision_and_kernel() -> None:
    held = [(s.model, p, s.lines.attention) for s in known_steps().steps for p in s.precisions]
    assert len(held) == len(set(held))
