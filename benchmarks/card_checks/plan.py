"""Predicted against measured peaks over lengths, micro-batches and both ways of checkpointing."""

from pathlib import Path
from statistics import mean
from typing import Any

from autotune.base.sizes import MIB
from autotune.device.find import find_device
from autotune.fit.allowance import Allowance, card_allowance
from autotune.fit.forecast import predict_job, predicted
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.kernels import Kernel
from autotune.protocol.prediction import PredictPoint
from autotune.protocol.results import Measurement
from benchmarks.card_checks.asked import Answer, Ask, Figures
from benchmarks.card_checks.jobs import device_of, free_bytes, of_kind
from benchmarks.card_checks.trials import trial

POINTS = ((1, 1024), (4, 1024), (1, 4096), (16, 1024), (1, 256), (1, 8192), (4, 8192))
"""Rows and tokens, the most telling first: a short time asks fewer of them."""

REHEARSED = ((1, 128), (2, 128))
MOST_ERROR = 0.05
SPARED_BYTES = 512 * MIB
"""Left free: what is predicted to need more is not tried, on Windows it would spill for minutes."""


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where every measured point's tensors are within 5 % of what was predicted."""
    precision = Precision.FP16 if ask.on_card else Precision.FP32
    figures["precision"] = precision
    asked = [
        PredictPoint(rows=rows, tokens=tokens, gradient_checkpointing=checkpointing)
        for rows, tokens in (REHEARSED if ask.rehearse else POINTS)
        for checkpointing in (False, True)
    ]
    with SubprocessRunner().warm() as warm:
        attention = attention_of(ask, precision, warm)
        figures["attention"] = attention
        peaks = predictions(ask, asked, precision, attention)
        allowance = card_allowance(attention)
        limit = free_bytes(ask) - SPARED_BYTES
        longest = 0.0
        for point in asked:
            needed = allowance.needed_bytes(peaks[point])
            tree = {**point.model_dump(), "predicted_mib": peaks[point] / MIB}
            tree["predicted_process_mib"] = needed / MIB
            if needed > limit:
                figures.add("points", rounded(tree | {"not_tried": "beyond what is free"}))
                continue
            if figures.left < 2 * longest:
                figures.add("points", rounded(tree | {"not_tried": "no time left"}))
                continue
            before = figures.left
            found = measured(ask, point, precision, warm, peaks[point], allowance)
            figures.add("points", rounded(tree | found))
            longest = max(longest, before - figures.left)
    return judged(ask, figures)


def attention_of(ask: Ask, precision: Precision, warm: Any) -> Attention:
    """How attention is computed here: by a fused kernel, or in tables of T x T numbers."""
    folder = ask.folder / "plan" / "ready"
    said, _, _ = trial(ask, folder, device_of(ask, precision), 1, 128, runner=warm)
    kernels = [ready.attention for ready in of_kind(said, events.Ready) if ready.attention]
    plain = bool(kernels) and kernels[0].kernels[:1] in ((), (Kernel.MATH,))
    return Attention.MATH if plain else Attention.FUSED


def predictions(
    ask: Ask, asked: list[PredictPoint], precision: Precision, attention: Attention
) -> dict[PredictPoint, int]:
    """The predicted peak of each point's tensors in bytes."""
    folder = ask.folder / "plan"
    target = "cuda" if ask.on_card else "cpu"
    job = predict_job(
        target,
        precision,
        Path(ask.model),
        asked,
        folder,
        attention=attention,
        capability=find_device(ask.device).capability,
    )
    found = predicted(SubprocessRunner(), job, folder)
    return {peak.point: peak.peak_bytes for peak in found.peaks}


def measured(
    ask: Ask,
    point: PredictPoint,
    precision: Precision,
    warm: Any,
    predicted_bytes: int,
    allowance: Allowance,
) -> dict[str, Any]:
    """What a trial at this point measured, in MiB, or how it ended."""
    _, ending, found = trial(
        ask,
        ask.folder / "plan" / f"{point.rows}x{point.tokens}-{point.gradient_checkpointing:d}",
        device_of(ask, precision),
        point.rows,
        point.tokens,
        point.gradient_checkpointing,
        runner=warm,
    )
    if found is None:
        return {"not_measured": f"{ending.words}: {ending.reason}"}
    return {
        "allocated_mib": found.allocated_bytes / MIB,
        "process_mib": found.peak_bytes / MIB,
        "card_mib": None if found.device_bytes is None else found.device_bytes / MIB,
        "step_seconds": min(found.step_seconds),
        **(errors(predicted_bytes, found, allowance) if ask.on_card else {}),
    }


def errors(predicted_bytes: int, found: Measurement, allowance: Allowance) -> dict[str, float]:
    """Of the tensors and of the whole process. A CPU process cannot tell its tensors apart."""
    return {
        "error": predicted_bytes / found.allocated_bytes - 1,
        "process_error": allowance.needed_bytes(predicted_bytes) / found.peak_bytes - 1,
    }


def judged(ask: Ask, figures: Figures) -> Answer:
    """The errors of all points that were measured."""
    points = figures.found.get("points", [])
    errors = [abs(p["error"]) for p in points if "error" in p]
    broken = [p for p in points if "not_measured" in p]
    if not ask.on_card:
        trials = sum("process_mib" in p for p in points)
        line = f"{trials} trials beside predictions"
        return Answer(False if broken or not trials else None, line)
    if not errors:
        return Answer(False, broken[0]["not_measured"] if broken else "nothing fits")
    figures["mean_error"], figures["largest_error"] = round(mean(errors), 4), round(max(errors), 4)
    process = [abs(p["process_error"]) for p in points if "process_error" in p]
    figures["mean_process_error"] = round(mean(process), 4)
    line = f"{len(errors)} points, error {mean(errors):.1%} mean, {max(errors):.1%} most"
    line += f"; {len(broken)} not measured" if broken else ""
    return Answer(max(errors) < MOST_ERROR and not broken, line)


def rounded(tree: dict[str, Any]) -> dict[str, Any]:
    """Four digits behind the point are enough."""
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in tree.items()}
