"""The peak of a training beside the peak of its trial, over several files, in real processes.

    python benchmarks/training_peak.py --model FOLDER FILE [FILE ...]
        [--precisions fp32,bf16] [--steps 24] [--length 512] [--micro-batch-tokens 512]
        [--packing] [--trials 1]

A trial and a training at the same point, each in a fresh worker, as the tool starts them. The trial
generates next to nothing, so that its peak is that of its steps. Prints a JSON object for each case
and one at the end: peaks in bytes, the training's after each step, seconds, tokens a second, and
`excess`, by which share the training's peak is above the trial's (target: 0.03 at most).
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotune.data.load import load_conversations
from autotune.data.survey import Survey, SurveyFile
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Precision, Supervision
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import DeviceSpec, Job, TrainJob, TrialJob
from autotune.protocol.plan import DataSpec, TrainPlan, TrialPoint
from autotune.worker.tokens.encode import ChatCodec

TARGET = 0.03
ROOMY = 2**40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--model", required=True, help="a model folder")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--micro-batch-tokens", type=int, default=512)
    parser.add_argument("--packing", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trials", type=int, default=1, help="the largest peak counts")
    asked = parser.parse_args()
    found = []
    for precision in asked.precisions.split(","):
        for file in asked.files:
            found.append(compared(Path(file), Precision(precision), asked))
            print(json.dumps(found[-1]), flush=True)
    worst = max(case["excess"] for case in found)
    print(json.dumps({"target": TARGET, "worst": worst, "met": worst <= TARGET, "cases": found}))


def compared(file: Path, precision: Precision, asked: argparse.Namespace) -> dict[str, Any]:
    """A trial and a training over the beginning of one file."""
    data = DataSpec(path=str(file), format="auto", max_conversations=asked.steps * asked.batch_size)
    survey = surveyed(data, Path(asked.model))
    kept = survey.kept(asked.length, "all")
    device = DeviceSpec(kind="cpu", precision=precision, limit_bytes=ROOMY, threads=asked.threads)
    point = TrialPoint(
        model_max_length=asked.length,
        max_rounds="all",
        micro_batch_tokens=asked.micro_batch_tokens,
        gradient_checkpointing=False,
        packing=asked.packing,
        row_tokens=kept.longest_row,
    )
    trial = TrialJob(
        device=device,
        model_folder=asked.model,
        data=data,
        point=point,
        longest_conversation=survey.longest_conversation(asked.length, "all"),
        generate_rows=1,
        generate_context=32,
        seed=42,
    )
    plan = TrainPlan(
        strategy="A",
        model_folder=asked.model,
        data=data,
        conversations=kept.conversations,
        model_max_length=asked.length,
        max_rounds="all",
        micro_batch_tokens=asked.micro_batch_tokens,
        gradient_checkpointing=False,
        packing=asked.packing,
        precision=precision,
        learning_rate=4e-5,
        num_train_epochs=1,
        batch_size=asked.batch_size,
        weight_decay=0.0,
        warmup_ratio=0.2,
        lr_scheduler_type="cosine",
        seed=42,
        checkpoint_fractions=(1.0,),
        resume_every_seconds=1e6,
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        tried = []
        trial_seconds = 0.0
        for number in range(asked.trials):
            emitted, trial_seconds = done(trial, Path(root) / f"trial{number}")
            tried += [e.measurement.peak_bytes for e in emitted if isinstance(e, events.Measured)]
        out = Path(root) / "checkpoints"
        emitted, _ = done(TrainJob(device=device, plan=plan, out=str(out)), Path(root) / "training")
    steps = [event for event in emitted if isinstance(event, events.StepDone)]
    peaks = [step.memory_bytes for step in steps]
    return {
        "file": file.name,
        "precision": precision,
        "packing": asked.packing,
        "longest_row": kept.longest_row,
        "tokens": kept.tokens,
        "trial_peaks": tried,
        "training_peak": max(peaks),
        "excess": max(peaks) / max(tried) - 1,
        "trial_seconds": trial_seconds,
        "tokens_per_second": statistics.median(s.tokens / s.seconds for s in steps),
        "peaks": peaks,
        "step_seconds": [s.seconds for s in steps],
    }


def surveyed(data: DataSpec, model: Path) -> Survey:
    """What the survey job finds, without a process of its own."""
    from tokenizers import Tokenizer

    codec = ChatCodec(Tokenizer.from_file(str(model / "tokenizer.json")), Supervision.CONTENT)
    conversations = load_conversations(data).conversations
    spans = tuple(codec.spans(conversation) for conversation in conversations)
    return Survey(SurveyFile(conversations=spans, dropped={}, literal_markers=0), data.truncation)


def done(job: Job, folder: Path) -> tuple[Sequence[WorkerEvent], float]:
    """A fresh worker's events and seconds.

    Raises:
        SystemExit: it did not end well.
    """
    emitted: list[WorkerEvent] = []
    ending = SubprocessRunner().run(job, folder, emitted.append, silence_seconds=3600)
    if ending.failure is not None:
        raise SystemExit(f"{job.job}: {ending.words} {ending.reason}")
    return emitted, ending.seconds


if __name__ == "__main__":
    main()
