"""Answers a minute with real weights: one prompt at a time, plain batches, and this tool's way.

    python benchmarks/ifeval_generation.py --prompts FILE [--count 48] [--max-new-tokens 1280]
        [--ways alone batch8 ours early] [--rounds 1] [--batch-size 48] [--model demo]

`alone` is a course's loop: `generate`, a prompt at a time. `batch8` is `generate` on eight at a
time in the file's order. `ours` is what a full evaluation does; `early` is what `run` does with a
checkpoint: it leaves answers whose strict verdict is certain, and stops once the target is out of
reach. For comparison: `static` (`batch8` with a static cache), `lookup` (`alone` with transformers'
prompt lookup), `unguessed` (`ours` without guesses), the engines `graphed`, `continuous` and
`batches` by their names, `rounds` (`generate` to 64 tokens, then to 256, 1024 and the end with the
rows that are left). Prints one JSON object with medians of seconds by the clock and of the
processors, whether the texts are the same, and whether early decisions are those of the full
answers.
"""

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import logging

from autotune.launch import SubprocessRunner
from autotune.protocol.choices import Precision, Supervision
from autotune.protocol.job import DeviceSpec, EngineName, PrepareJob
from autotune.score.answers import Answer
from autotune.score.ifeval.early_verdict import IFEvalEarlyJudge
from autotune.score.ifeval.prompts import IFEvalPrompt, read_ifeval_prompts
from autotune.score.ifeval.scorer import IFEval
from autotune.score.prompt_order import answered_in_order, shuffled
from autotune.score.prompts import subset
from autotune.score.stopping.stop_rule import StopRule
from autotune.score.stopping.target import TargetTest, needed_passes
from autotune.sources.model import resolve_model
from autotune.worker.compute import Compute, open_compute
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.early_verdict import EarlyVerdicts, text_of
from autotune.worker.generate.registry import chosen
from autotune.worker.generate.reply import GenerationSettings, Reply, never, nothing
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.generate.rows_check import can_answer_by_rows
from autotune.worker.model import Loaded, load

PREFILL_TOKENS = 4096

Ids = list[list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--max-new-tokens", type=int, default=1280)
    parser.add_argument("--batch-size", type=int, default=48)
    parser.add_argument("--target", type=float, default=0.25)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ways", nargs="+", default=["alone", "batch8", "ours", "early"])
    asked = parser.parse_args()
    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    spec = DeviceSpec(
        kind=asked.device,
        precision=Precision(asked.precision),
        limit_bytes=2**40,
        threads=asked.threads,
    )
    folder = model_folder(asked.model, spec)
    compute = open_compute(spec)
    loaded = load(folder, compute.device, Supervision.CONTENT)
    prompts = subset(read_ifeval_prompts(asked.prompts), asked.count, 0)
    if not can_answer_by_rows(loaded.model):
        raise SystemExit(f"--model {asked.model}: cannot be answered by rows")
    comparison = EngineComparison(loaded, compute, prompts, asked)
    seconds: dict[str, list[float]] = {way: [] for way in asked.ways}
    processor: dict[str, list[float]] = {way: [] for way in asked.ways}
    answers: dict[str, Ids] = {}
    for _ in range(asked.rounds):
        for way in asked.ways:
            begin, worked = time.perf_counter(), time.process_time()
            answers[way] = comparison.do(way)
            seconds[way].append(time.perf_counter() - begin)
            processor[way].append(time.process_time() - worked)
            print_progress(way, seconds[way][-1])
    print(json.dumps(report(asked, compute, comparison, seconds, processor, answers), indent=1))


class EngineComparison:
    """The same prompts, answered in several ways."""

    def __init__(
        self,
        loaded: Loaded,
        compute: Compute,
        prompts: Sequence[IFEvalPrompt],
        asked: argparse.Namespace,
    ) -> None:
        self.loaded, self.compute, self.prompts = loaded, compute, prompts
        self.max_new_tokens, self.batch_size = asked.max_new_tokens, asked.batch_size
        self.target: float = asked.target
        self.seen: Seen | None = None
        self.ids = [loaded.prompt_ids(prompt.prompt) for prompt in prompts]
        self.passes: dict[str, int] = {}
        self.narrow: dict[str, int] = {}

    def do(self, way: str) -> Ids:
        """All answers, in the order of the prompts."""
        match way:
            case "alone":
                return self.plain(1)
            case "batch8":
                return self.plain(8)
            case "static":
                return self.plain(8, cache_implementation="static", disable_compile=True)
            case "lookup":
                return self.plain(1, prompt_lookup_num_tokens=10)
            case "rounds":
                return self.rounds()
            case "graphed" | "continuous" | "batches":
                return self.engine(way)
            case "ours":
                return self.ours(way)
            case "unguessed":
                return self.ours(way, guessing=False)
            case "early":
                return self.early()
        raise SystemExit(f"--ways {way}: unknown")

    def plain(self, rows: int, **options: Any) -> Ids:
        """`generate` on so many rows at a time, in the file's order."""
        return [
            answer
            for at in range(0, len(self.ids), rows)
            for answer in generate_batch(
                self.loaded,
                self.compute,
                self.ids[at : at + rows],
                self.max_new_tokens,
                **options,
            )
        ]

    def rounds(self) -> Ids:
        """`generate` on `batch_size` rows at a time, by length, further each round."""
        answers: Ids = [[] for _ in self.ids]
        left = list(range(len(self.ids)))
        for most in (64, 256, 1024, self.max_new_tokens):
            most = min(most, self.max_new_tokens)
            left.sort(key=lambda at: len(self.ids[at]) + len(answers[at]))
            for begin in range(0, len(left), self.batch_size):
                part = left[begin : begin + self.batch_size]
                rows = [self.ids[at] + answers[at] for at in part]
                new = most - len(answers[part[0]])
                for at, more in zip(
                    part, generate_batch(self.loaded, self.compute, rows, new), strict=True
                ):
                    answers[at] += more
            stop = self.loaded.stop_ids
            left = [at for at in left if answers[at][-1] not in stop and len(answers[at]) == most]
            if not left or most == self.max_new_tokens:
                break
        return answers

    def ours(self, way: str, guessing: bool = True) -> Ids:
        """What a full evaluation does: prompts by length."""
        order = sorted(range(len(self.ids)), key=lambda at: len(self.ids[at]))
        answers: Ids = [[] for _ in order]

        def done(reply: Reply) -> None:
            answers[order[reply.number]] = reply.answer

        self.answer(way, order, done, guessing=guessing)
        return answers

    def early(self) -> Ids:
        """What `run` does with a checkpoint; what was not answered is empty."""
        places = {prompt.key: at for at, prompt in enumerate(self.prompts)}
        order = [places[prompt.key] for prompt in shuffled(self.prompts, 0)]
        answers: Ids = [[] for _ in order]
        with TemporaryDirectory() as folder:
            asked = [self.prompts[at] for at in order]
            deciding = EarlyVerdicts(
                self.loaded,
                [IFEvalEarlyJudge(each) for each in asked],
                Path(folder) / "decided.jsonl",
            )
            self.seen = seen = Seen(self, asked)

            def done(reply: Reply) -> None:
                answers[order[reply.number]] = reply.answer
                if reply.finish == "decided":
                    key = self.prompts[order[reply.number]].key
                    seen.strict[key] = deciding.verdicts[reply.number].strict
                    deciding.write(reply)
                else:
                    seen.judge(reply.number, reply.answer)
                if seen.is_enough():
                    raise Enough

            with contextlib.suppress(Enough):
                self.answer("early", order, done, deciding.look)
        return answers

    def answer(
        self,
        way: str,
        order: Sequence[int],
        done: Callable[[Reply], None],
        decided: Callable[[Reply], bool] = never,
        guessing: bool = True,
    ) -> None:
        """Answer the prompts in this order by rows, counting passes."""
        self.passes[way] = 0

        def count() -> None:
            self.passes[way] += 1

        answering = RowsEngine(
            self.loaded,
            self.compute,
            GenerationSettings(
                self.max_new_tokens, self.batch_size, PREFILL_TOKENS, guessing=guessing
            ),
            [self.ids[at] for at in order],
            done,
            on_step=count,
            decided=decided,
        )
        answering.run()
        self.narrow[way] = answering.chooser.narrow

    def engine(self, way: EngineName) -> Ids:
        """What a full evaluation does where this engine is asked for: prompts by length."""
        choice = chosen(way, self.loaded, self.compute)
        if choice.warning is not None:
            raise SystemExit(choice.warning)
        order = sorted(range(len(self.ids)), key=lambda at: len(self.ids[at]))
        answers: Ids = [[] for _ in order]

        def done(reply: Reply) -> None:
            answers[order[reply.number]] = reply.answer

        choice.entry.make(
            self.loaded,
            self.compute,
            GenerationSettings(self.max_new_tokens, self.batch_size, PREFILL_TOKENS),
            [self.ids[at] for at in order],
            done,
            on_step=nothing,
            decided=never,
            begun={},
        ).run()
        return answers


class Enough(Exception):
    """The target is out of reach."""


class Seen:
    """Strict verdicts so far, by prompt key, and whether they put the target out of reach."""

    def __init__(self, comparison: EngineComparison, order: Sequence[IFEvalPrompt]) -> None:
        self.comparison, self.order = comparison, order
        self.scorer = IFEval()
        self.rule = StopRule(order, comparison.target)
        self.test = TargetTest(len(order), needed_passes(len(order), comparison.target))
        self.strict: dict[int, bool] = {}

    def judge(self, number: int, ids: list[int]) -> None:
        """Score a finished answer."""
        prompt = self.order[number]
        self.strict[prompt.key] = self.verdict(prompt, ids)

    def verdict(self, prompt: IFEvalPrompt, ids: list[int]) -> bool:
        """The strict verdict on a whole answer."""
        text = text_of(self.comparison.loaded, ids)
        answer = Answer(key=prompt.key, prompt=prompt.prompt, response=text)
        return self.scorer.score([prompt], [answer]).verdicts[0].strict

    def is_out_of_reach(self) -> bool:
        """Whether the target is, by the prompts from the first on."""
        sample = answered_in_order(self.order, self.strict)
        return self.test.is_out_of_reach(len(sample), sum(sample))

    def is_enough(self) -> bool:
        """Whether a run would stop here."""
        return self.rule.verdict(answered_in_order(self.order, self.strict)) is not None

    def against(self, whole: Ids) -> dict[str, Any]:
        """These verdicts and the decision beside those of whole answers, in the prompts' order."""
        pairs = zip(self.comparison.prompts, whole, strict=True)
        full = {prompt.key: self.verdict(prompt, ids) for prompt, ids in pairs}
        return {
            "verdicts": len(self.strict),
            "other_verdicts": sum(full[key] != strict for key, strict in self.strict.items()),
            "out_of_reach": self.is_out_of_reach(),
            "after": len(answered_in_order(self.order, self.strict)),
            "full_passes": sum(full.values()),
            "full_out_of_reach": self.test.is_out_of_reach(len(full), sum(full.values())),
        }


def model_folder(name: str, spec: DeviceSpec) -> Path:
    """The folder of the model, built in the cache if it is not there yet."""
    source = resolve_model(name)
    if not source.is_prepared:
        job = PrepareJob(device=spec, source="gguf", gguf=str(source.gguf), out=str(source.folder))
        SubprocessRunner().run(job, source.folder.parent, lambda _: None, silence_seconds=900)
    return source.folder


def report(
    asked: argparse.Namespace,
    compute: Compute,
    comparison: EngineComparison,
    seconds: dict[str, list[float]],
    processor: dict[str, list[float]],
    answers: dict[str, Ids],
) -> dict[str, Any]:
    """What was measured."""
    first = answers[asked.ways[0]]
    stop = set(comparison.loaded.stop_ids)
    found: dict[str, Any] = {
        "device": compute.name,
        "torch": torch.__version__,
        "precision": asked.precision,
        "prompts": len(comparison.prompts),
        "max_new_tokens": asked.max_new_tokens,
        "batch_size": asked.batch_size,
        "rounds": asked.rounds,
        "tokens": sum(map(len, first)),
        "stopped": sum(ids[-1] in stop for ids in first),
        "ways": {},
    }
    base = statistics.median(seconds[asked.ways[0]])
    worked = statistics.median(processor[asked.ways[0]])
    for way in asked.ways:
        median = statistics.median(seconds[way])
        found["ways"][way] = {
            "seconds": [round(s, 2) for s in seconds[way]],
            "answers_per_minute": round(60 * len(comparison.prompts) / median, 2),
            "tokens_per_second": round(sum(map(len, answers[way])) / median, 1),
            "times_the_first": round(base / median, 2),
            "processor_seconds": [round(s, 2) for s in processor[way]],
            "times_by_processor": round(worked / statistics.median(processor[way]), 2),
            "same_texts": sum(a == b for a, b in zip(first, answers[way], strict=True)),
            "passes": comparison.passes.get(way),
            "narrow": comparison.narrow.get(way),
        }
    if comparison.seen is not None and "ours" in answers:
        found["early"] = comparison.seen.against(answers["ours"])
    return found


def print_progress(way: str, seconds: float) -> None:
    """To standard error: the result alone goes to standard output."""
    import sys

    print(f"{way}: {seconds:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
