"""A predicted peak against a real allocation trace, against whole traces, and in a real worker."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import GraniteConfig, LlamaConfig, LlamaForCausalLM

from autotune.base.library_memory import library_bytes
from autotune.base.optimizer_state import KEPT, State
from autotune.base.sizes import MIB
from autotune.fit.allowance import card_allowance
from autotune.fit.known_steps import SHAPE, KnownStep, known_steps
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.failure import Failure
from autotune.protocol.job import PredictJob
from autotune.protocol.prediction import PredictedPeak, PredictionFile, PredictPoint
from autotune.sources.known_architectures import NAMED
from autotune.worker.generate.reply import GenerationSettings
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.model import Loaded
from autotune.worker.predict.job import Predictor
from autotune.worker.predict.trace import FakeStep, read_config
from autotune.worker.toy import toy_model
from autotune.worker.train.head import CHUNK_TOKENS
from benchmarks.fit import ARCHITECTURE, compared
from tests.docs.pages import lacking, page
from tests.worker.toys import cpu, device, work

pytestmark = pytest.mark.torch

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
SMOLLM2 = SHARED / "data" / "smollm2-135m"

SMALL = {
    "vocab_size": 2048,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}


def point(rows: int, tokens: int, gradient_checkpointing: bool = False) -> PredictPoint:
    return PredictPoint(rows=rows, tokens=tokens, gradient_checkpointing=gradient_checkpointing)


def predictor(
    config: Any,
    target: Any = "cuda",
    precision: Precision = Precision.FP16,
    share: float = 1.0,
    **card: Any,
) -> Predictor:
    return Predictor(config, target, precision, share, **card)


@pytest.fixture(scope="module")
def smollm2() -> Predictor:
    return predictor(LlamaConfig(**ARCHITECTURE))


@pytest.mark.parametrize(
    ("rows", "tokens", "gradient_checkpointing"), [(1, 320, False), (3, 320, True)]
)
def test_a_prediction_is_within_one_percent_of_what_the_step_really_allocates(
    rows: int, tokens: int, gradient_checkpointing: bool
) -> None:
    # Both count the same tensors; what is left is the scratch memory inside CPU kernels.
    torch.set_num_threads(1)
    found = compared(LlamaConfig(**SMALL), rows, tokens, gradient_checkpointing)
    assert abs(found["error"]) < 0.01, found


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.FP32])
def test_the_lines_give_what_a_trace_of_the_whole_model_gives(precision: Precision) -> None:
    deep = predictor(LlamaConfig(**(SMALL | {"num_hidden_layers": 8})), precision=precision)
    assert deep.depths == (2, 4)
    for asked in (point(1, 512), point(3, 700, True)):
        assert deep.peak(asked).peak_bytes == pytest.approx(deep.traced(asked).peak_bytes, rel=0.01)


def test_smollm2_needs_what_it_is_known_to_need(smollm2: Predictor) -> None:
    # MiB of a step with fp32 masters, 16-bit autocast, AdamW and all positions supervised, made
    # with another program, whose loss has larger chunks.
    known = {
        (1, 1024): (3460, 2638),
        (4, 1024): (6156, 2866),
        (16, 1024): (16939, 3849),
        (1, 8192): (9754, 3174),
        (4, 8192): (31346, 5536),
    }
    for (rows, tokens), pair in known.items():
        for checkpointing, expected in zip((False, True), pair, strict=True):
            found = smollm2.peak(point(rows, tokens, checkpointing)).peak_bytes / MIB
            assert found == pytest.approx(expected, rel=0.07), (rows, tokens, checkpointing)


def test_every_part_of_a_peak_is_told_apart(smollm2: Predictor) -> None:
    found = smollm2.peak(point(4, 1024))
    weights = 4 * 134_515_008
    assert smollm2.parameters == 134_515_008  # the tied embedding counts once
    assert found.weights_bytes == pytest.approx(weights, rel=0.001)
    assert found.gradients_bytes == pytest.approx(weights, rel=0.001)
    assert found.optimizer_bytes == pytest.approx(2 * weights, rel=0.001)
    # A chunk of 256 positions over the vocabulary is 24 MiB in 16 bits. That is what is left of its
    # logits when the head's gradient is added up, which is where the peak is.
    assert found.logits_bytes == pytest.approx(24 * MIB, rel=0.05)
    assert found.activations_bytes > found.temporary_bytes > 0
    # The head's gradients are made while all activations wait.
    assert found.peak_phase == "forward"
    assert found.optimizer_step_bytes == pytest.approx(4 * weights, rel=0.01)
    assert found.optimizer_step_bytes < found.peak_bytes


def test_the_page_on_what_fits_has_what_is_predicted(smollm2: Predictor) -> None:
    text = page("fit.md")
    layers, words, hidden = (
        ARCHITECTURE[key] for key in ("num_hidden_layers", "vocab_size", "hidden_size")
    )
    for tokens, row in re.findall(r"^\| (\d{4}) \| (\d+ / \d+) \|", text, re.MULTILINE):
        peaks = [smollm2.peak(point(1, int(tokens), way)).peak_bytes for way in (False, True)]
        assert row == " / ".join(f"{peak / MIB:.0f}" for peak in peaks), tokens
    found, checkpointed = (smollm2.peak(point(1, 1024, way)) for way in (False, True))
    each, less = (p.activations_bytes / 1024 for p in (found, checkpointed))
    fixed = found.peak_bytes - found.activations_bytes - 4 * 1024 * hidden
    missing = lacking(
        text,
        [
            f"| logits | 2 × {CHUNK_TOKENS} V | {found.logits_bytes / MIB:.0f} |",
            f"| cuBLAS' workspaces | | {library_bytes((8, 9), False) / MIB:.0f} |",
            f"{each / 1000:.0f} kB × T | {found.activations_bytes / MIB:.0f} |",
            f"| sum | | {found.peak_bytes / MIB:.0f} |",
            f"{less / 1000:.0f} kB × T in place of {each / 1000:.0f}",
            f"Everything above, {fixed / MIB:.0f} MiB",
            f"/ {(each + 4 * hidden) / MIB:.3f} =",
        ],
    )
    assert not missing, "\n".join(missing)
    # The table is the whole of it.
    listed = 2 * smollm2.parameters + 6 * words * hidden + 4 * 1024 * hidden
    listed += library_bytes((8, 9), False)
    assert found.temporary_bytes == pytest.approx(listed, rel=0.002)
    assert layers * 4 * hidden < less < 1.2 * layers * 4 * hidden
    longest = card_allowance(Attention.FUSED).needed_bytes(
        smollm2.peak(point(1, 8192, True)).peak_bytes
    )
    assert f"8192 tokens, its last position, fit with {longest / MIB:.0f} MiB" in text


def same_as_known(step: KnownStep, traced: Predictor) -> None:
    """Within a KiB at any micro-batch, and so are the parts that it is made of."""
    again = "trace the known steps again: python benchmarks/known_steps.py"
    lines = traced.lines()
    assert (step.lines.parameters, step.lines.biased) == (lines.parameters, lines.biased), again
    assert step.lines.layers_traced == lines.layers_traced, again
    for rows, tokens, way in itertools.product((1, 5, 16), (128, 1024, 8192), (False, True)):
        pair = (each.peak(point(rows, tokens, way), 0) for each in (step.lines, lines))
        known, found = (each.model_dump(exclude={"point", "peak_phase"}) for each in pair)
        assert known == pytest.approx(found, abs=1024), (again, rows, tokens, way)


def known_step(model: str, precision: Precision, attention: Attention) -> KnownStep:
    (step,) = (
        each
        for each in known_steps().steps
        if (each.model, each.lines.attention) == (model, attention) and precision in each.precisions
    )
    return step


def test_what_is_known_of_a_step_beforehand_is_what_a_trace_of_it_gives(
    smollm2: Predictor,
) -> None:
    same_as_known(known_step("SmolLM2-135M", Precision.FP16, Attention.FUSED), smollm2)
    config = toy_model(0, 259).config
    shape = NAMED["toy"]
    assert {key: getattr(config, key) for key in SHAPE} == {key: shape[key] for key in SHAPE}
    for attention in Attention:
        toy = predictor(config, precision=Precision.FP32, attention=attention)
        same_as_known(known_step("toy", Precision.FP32, attention), toy)


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", known_steps().steps, ids=lambda s: f"{s.model}-{s.precisions[0]}-{s.lines.attention}"
)
def test_every_step_that_is_known_beforehand_is_what_a_trace_gives(step: KnownStep) -> None:
    config = LlamaConfig(**{k: v for k, v in step.shape.items() if k != "model_type"})
    for precision in step.precisions:
        same_as_known(step, predictor(config, "cuda", precision, attention=step.lines.attention))


def test_memory_grows_with_the_tokens_of_a_micro_batch_and_not_with_the_square_of_a_row(
    smollm2: Predictor,
) -> None:
    long = smollm2.peak(point(1, 8192)).peak_bytes
    assert smollm2.peak(point(8, 1024)).peak_bytes == pytest.approx(long, rel=0.01)
    whole = predictor(LlamaConfig(**(SMALL | {"num_hidden_layers": 1})))
    one, eight = whole.traced(point(1, 4096)), whole.traced(point(8, 512))
    assert one.activations_bytes == pytest.approx(eight.activations_bytes, rel=0.05)


def test_without_a_fused_kernel_memory_grows_with_the_square_of_a_row() -> None:
    config = LlamaConfig(**(SMALL | {"num_hidden_layers": 1}))
    fused, math = (predictor(config, attention=attention) for attention in Attention)
    rows = [p.traced(point(1, t)).peak_bytes for p in (fused, math) for t in (1024, 2048, 4096)]
    assert rows[2] - rows[1] == pytest.approx(2 * (rows[1] - rows[0]), rel=0.02)
    assert rows[5] - rows[4] == pytest.approx(4 * (rows[4] - rows[3]), rel=0.1)
    # At its peak four fp32 numbers for each pair of tokens of a head: the table and what softmax
    # makes of it on the way back, its gradient and the product of the two.
    tables = math.traced(point(1, 4096)).peak_bytes - fused.traced(point(1, 4096)).peak_bytes
    assert tables == pytest.approx(4 * 4 * 4 * 4096**2, rel=0.15)


def test_the_lines_give_what_a_whole_trace_gives_without_a_fused_kernel() -> None:
    config = LlamaConfig(**(SMALL | {"num_hidden_layers": 8}))
    math = predictor(config, attention=Attention.MATH)
    for asked in (point(1, 1024), point(3, 700, True)):
        assert math.peak(asked).peak_bytes == pytest.approx(math.traced(asked).peak_bytes, rel=0.03)


@pytest.mark.slow
def test_smollm2_without_a_fused_kernel_needs_what_it_is_known_to_need(
    smollm2: Predictor,
) -> None:
    # MiB, made with another program that repeats no heads and leaves out what softmax's kernel
    # takes inside on the way back: one more table of a layer.
    math = predictor(LlamaConfig(**ARCHITECTURE), attention=Attention.MATH)
    known = {1024: (3405, 4631), 2048: (4307, 9010), 4096: (6111, 24870)}
    for tokens, pair in known.items():
        for kernel, expected in zip((smollm2, math), pair, strict=True):
            found = kernel.peak(point(1, tokens)).peak_bytes / MIB
            assert expected < found < expected * 1.06, (tokens, kernel.attention)
    for tokens in known:
        peaks = [math.peak(point(1, tokens, way)).peak_bytes / MIB for way in (False, True)]
        row = rf"^\| {tokens} \| [^|]+ \| {peaks[0]:.0f} / {peaks[1]:.0f} \|$"
        assert re.search(row, page("fit.md"), re.MULTILINE), row


def test_answers_are_generated_beside_what_the_optimizer_is_said_to_keep() -> None:
    one = State("Lion", moments=("exp_avg",), counts_steps=False)
    steps = [
        FakeStep(LlamaConfig(**SMALL), "cuda", Precision.FP16, 1.0, state=state)
        for state in (KEPT, one)
    ]
    more, less = (step.generation(2, 4, 128, 512) for step in steps)
    assert more - less == pytest.approx(4 * steps[0].sizes[2], rel=0.01)  # the second moment


def test_the_generation_of_the_card_says_what_its_libraries_keep() -> None:
    config = LlamaConfig(**(SMALL | {"num_hidden_layers": 1}))
    peaks = [
        predictor(config, capability=capability).traced(point(1, 256)).peak_bytes
        for capability in (None, (8, 9), (9, 0))
    ]
    assert peaks[0] == peaks[1]
    assert peaks[2] - peaks[1] == 2 * (32 * MIB - 8 * MIB - 128 * 1024)


def test_checkpointing_trades_activations_for_time(smollm2: Predictor) -> None:
    plain, recomputed = smollm2.peak(point(2, 2048)), smollm2.peak(point(2, 2048, True))
    assert recomputed.activations_bytes < plain.activations_bytes / 5
    assert recomputed.weights_bytes == plain.weights_bytes


def test_fewer_supervised_positions_take_no_more(smollm2: Predictor) -> None:
    some = predictor(LlamaConfig(**ARCHITECTURE), share=0.5)
    assert some.peak(point(4, 1024)).peak_bytes < smollm2.peak(point(4, 1024)).peak_bytes


def test_a_model_that_scales_its_logits_has_all_of_them_at_once() -> None:
    shape = SMALL | {"num_hidden_layers": 2}
    scaled = predictor(GraniteConfig(**shape, logits_scaling=8.0)).peak(point(1, 2048))
    plain = predictor(LlamaConfig(**shape)).peak(point(1, 2048))
    assert plain.logits_bytes <= 4 * 256 * 2048 * 4
    assert scaled.logits_bytes >= 2048 * 2048 * 4


def test_generating_is_predicted_with_its_cache() -> None:
    config = LlamaConfig(**(SMALL | {"num_hidden_layers": 5}))
    few, many = (predictor(config).generation(4, context, 2048) for context in (512, 1024))
    cache = 4 * 512 * 5 * 2 * 64 * 2  # rows, more tokens, layers, keys and values, kv width, fp16
    assert many - few == pytest.approx(cache, rel=0.05)


@pytest.mark.parametrize(("rows", "prefill_tokens"), [(3, 2000), (8, 600), (40, 100_000)])
def test_what_is_predicted_for_answering_is_what_answering_allocates(
    rows: int, prefill_tokens: int
) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(**SMALL, max_position_embeddings=4096)
    model = LlamaForCausalLM(config).eval()
    loaded = Loaded(model, None, None, False, (5000,))  # type: ignore[arg-type]
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    settings = GenerationSettings(6, rows, prefill_tokens, guessing=False)
    prompts = [[3 + at % 2000 for at in range(500)]] * rows
    answering = RowsEngine(loaded, cpu(), settings, prompts, lambda _: None)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        answering.run()
    taken, peak = 0, 0
    changes = [e for e in trace.profiler.kineto_results.events() if e.name() == "[memory]"]
    for change in sorted(changes, key=lambda e: e.start_ns()):
        taken += change.nbytes()
        peak = max(peak, taken)
    predicted = predictor(config, "cpu", Precision.FP32).generation(rows, 506, prefill_tokens)
    assert predicted - 3 * weights == pytest.approx(peak, rel=0.1)


def job(folder: Path, model: Path, **changes: Any) -> PredictJob:
    values: dict[str, Any] = {
        "device": device(),
        "target": "cuda",
        "precision": Precision.FP16,
        "model_folder": str(model),
        "points": (point(1, 256), point(2, 512, True)),
        "out": str(folder / "prediction.json"),
    }
    return PredictJob(**(values | changes))


def test_a_worker_predicts_from_a_folder_that_has_no_weights(tmp_path: Path) -> None:
    LlamaConfig(**SMALL).save_pretrained(tmp_path / "model")
    asked = job(
        tmp_path,
        tmp_path / "model",
        generate_rows=2,
        generate_context=64,
        attention=Attention.MATH,
        capability=(9, 0),
    )
    _, ending = work(asked, tmp_path / "work")
    assert ending.failure is None, ending
    file = PredictionFile.model_validate_json(Path(asked.out).read_bytes())
    assert [peak.point for peak in file.peaks] == list(asked.points)
    assert (file.layers, file.layers_traced) == (6, (2, 4))
    assert file.generation_bytes > 0
    assert file.attention is Attention.MATH
    assert file.process_bytes > 50 * MIB
    assert json.loads(file.peaks[0].model_dump_json())["point"]["rows"] == 1
    assert isinstance(file.peaks[0], PredictedPeak)


def test_a_folder_that_is_no_model_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert-like-nothing"}', encoding="utf-8")
    _, ending = work(job(tmp_path, tmp_path), tmp_path / "work")
    assert ending.failure is Failure.BAD_JOB
    assert ending.failed is not None
    assert ending.failed.fault is Failure.BAD_JOB
    assert str(tmp_path) in ending.reason


@pytest.mark.skipif(not SMOLLM2.is_dir(), reason="needs SmolLM2's config.json in ../shared")
def test_the_published_configuration_is_the_architecture_of_these_tests(
    smollm2: Predictor,
) -> None:
    asked = point(2, 1024, True)
    assert predictor(read_config(SMOLLM2)).peak(asked) == smollm2.peak(asked)
