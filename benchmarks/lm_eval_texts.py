"""Whether lm-evaluation-harness writes the answers that this tool writes, text for text.

Both answer the same prompts with the model of a folder: the harness by the very command that
`export --to lm-eval` prints, this tool by `eval`. Greedy, in fp32, nothing fetched. `lm_eval` is
found on the PATH; it may be in an environment of its own:

    PATH=lmeval/bin:$PATH python benchmarks/lm_eval_texts.py runs/.../best --prompts prompts.jsonl
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotune.export.lm_eval import PROMPTS, Scoring, command, export_lm_eval
from autotune.protocol.choices import Precision

COUNT = 5
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # beside other programs threads that spin take minutes
}


@dataclass(frozen=True, slots=True)
class Pair:
    """What both said to a prompt, and how many tokens this tool's answer has."""

    prompt: str
    theirs: str
    ours: str
    new_tokens: int
    finish: str


def compared(model: Path, prompts: Path, max_new_tokens: int, work: Path) -> list[Pair]:
    """The answers of both to all prompts of a file; `work` is an empty folder.

    Raises:
        CalledProcessError: one of the two failed.
    """
    export = work / "export"
    export.mkdir()
    folder = apart(model, work / "model")
    scoring = Scoring(prompts, len(lines_of(prompts)), max_new_tokens, Precision.FP32)
    export_lm_eval(folder, scoring, export)
    theirs = _said_by_lm_eval(command(folder, scoring), export)
    ours = said_by_eval(folder, export / PROMPTS, max_new_tokens, work / "ours")
    return paired(theirs, ours)


def apart(model: Path, folder: Path) -> Path:
    """A model folder outside of its run, whose record an `eval` of it would join."""
    return Path(shutil.copytree(model, folder))


def paired(theirs: Mapping[str, str], ours: Mapping[str, dict[str, Any]]) -> list[Pair]:
    """Prompt by prompt, what another said and what `eval` keeps."""
    return [
        Pair(text, theirs[text], each["response"], each["new_tokens"], each["finish"])
        for text, each in ours.items()
    ]


def _said_by_lm_eval(line: str, folder: Path) -> dict[str, str]:
    """Prompt -> answer, from the samples that the command logs."""
    environment = os.environ | OFFLINE
    environment.pop("PYTHONPATH", None)  # it runs in an environment of its own
    subprocess.run(line, shell=True, cwd=folder, env=environment, check=True)
    (samples,) = folder.glob("results/**/samples_*.jsonl")
    return {each["doc"]["prompt"]: each["resps"][0][0] for each in lines_of(samples)}


def said_by_eval(
    model: Path, prompts: Path, max_new_tokens: int, folder: Path
) -> dict[str, dict[str, Any]]:
    """Prompt -> answer, from the file that `eval` keeps."""
    arguments = (
        *(sys.executable, "-m", "autotune", "eval", str(model), "--prompts", str(prompts)),
        *("--max-new-tokens", str(max_new_tokens), "--precision", "fp32", "--device", "cpu"),
        *("--run-dir", str(folder)),
    )
    subprocess.run(arguments, env=os.environ | OFFLINE, check=True)
    (responses,) = folder.glob("eval/**/responses.jsonl")
    return {each["prompt"]: each for each in lines_of(responses)}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def few_compared(
    given: argparse.Namespace, them: str, ask: Callable[[Path, Path, int, Path], list[Pair]]
) -> int:
    """Print each prompt with what both said; 1 where two texts differ."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        few = work / "few.jsonl"
        lines = given.prompts.read_text(encoding="utf-8").splitlines(keepends=True)
        few.write_text("".join(lines[: given.count]), encoding="utf-8")
        pairs = ask(given.model, few, given.max_new_tokens, work)
    for pair in pairs:
        same = "same" if pair.theirs == pair.ours else "OTHER"
        print(f"{same}, {pair.new_tokens} tokens, {pair.finish}: {pair.prompt[:70]!r}")
        if pair.theirs != pair.ours:
            print(f"  {them}: {pair.theirs!r}\n  eval: {pair.ours!r}")
    equal = sum(pair.theirs == pair.ours for pair in pairs)
    seconds = time.perf_counter() - began
    print(f"{equal} of {len(pairs)} answers are the same text; {seconds:.0f} s")
    return 0 if equal == len(pairs) else 1


def options(about: str) -> argparse.ArgumentParser:
    """The model, and the prompts that both answer."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("--prompts", type=Path, required=True, help="JSONL in IFEval's format")
    parser.add_argument("--count", type=int, default=COUNT, help="the first so many of them")
    parser.add_argument("--max-new-tokens", type=int, default=128)
    return parser


def main() -> int:
    """See `few_compared`."""
    parser = options(__doc__.splitlines()[0])
    given = parser.parse_args()
    if shutil.which("lm_eval") is None:
        parser.error('no lm_eval on the PATH; in an environment: pip install "lm_eval[hf,ifeval]"')
    return few_compared(given, "lm-eval", compared)


if __name__ == "__main__":
    raise SystemExit(main())
