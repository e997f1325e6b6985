"""`--to lm-eval`: the score again by lm-evaluation-harness: a task, the prompts, the command.

The task is the harness' own `ifeval` (version 4.0, lm_eval 0.4.13) with the run's prompts and its
longest answer. Its checkers are the harness', so verdicts can differ where this tool's are fixed
(docs/score.md).
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from autotune.base.files import write_text_atomic
from autotune.base.format import counted, quoted
from autotune.protocol.choices import Precision

TASK = "ifeval_run"
PROMPTS = "prompts.jsonl"

DTYPES = {Precision.FP32: "float32", Precision.BF16: "bfloat16", Precision.FP16: "float16"}

YAML = """# IFEval on the prompts beside this file, as version 4.0 of the task ifeval of lm_eval.
task: {task}
dataset_path: json
dataset_kwargs:
  data_files:
    train: {prompts}
output_type: generate_until
test_split: train
num_fewshot: 0
doc_to_text: prompt
doc_to_target: 0
generation_kwargs:
  until: []
  do_sample: false
  temperature: 0.0
  max_gen_toks: {max_new_tokens}
process_results: !function utils.process_results
metric_list:
  - metric: prompt_level_strict_acc
    aggregation: mean
    higher_is_better: true
  - metric: inst_level_strict_acc
    aggregation: !function utils.agg_inst_level_acc
    higher_is_better: true
  - metric: prompt_level_loose_acc
    aggregation: mean
    higher_is_better: true
  - metric: inst_level_loose_acc
    aggregation: !function utils.agg_inst_level_acc
    higher_is_better: true
metadata:
  version: 4.0
"""

UTILS = '''"""The verdicts are lm_eval's own."""

from lm_eval.tasks.ifeval.utils import agg_inst_level_acc, process_results

__all__ = ["agg_inst_level_acc", "process_results"]
'''


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a run scored: its prompts, its longest answer, and the precision that it computed in."""

    prompts: Path
    count: int
    max_new_tokens: int
    precision: Precision
    score: str | None = None


def command(model: Path, scoring: Scoring, folder: str = ".") -> str:
    """The line to type. Batches of one: padding changes the last digits, and so sometimes a token.

    Weights are fp32 in the folder; a run that computed in 16 bits cast them as it went, which
    `dtype` does before.
    """
    dtype = DTYPES[scoring.precision]
    return (
        f"lm_eval run --model hf --model_args pretrained={quoted(str(model))},dtype={dtype}"
        f" --include_path {folder} --tasks {TASK} --apply_chat_template --batch_size 1"
        " --output_path results --log_samples"
    )


def export_lm_eval(model: Path, scoring: Scoring, work: Path) -> None:
    """The task and the prompts, in `work`."""
    shutil.copyfile(scoring.prompts, work / PROMPTS)
    # The harness resolves data files from where it is started, so the command says in which folder.
    text = YAML.format(task=TASK, prompts=PROMPTS, max_new_tokens=scoring.max_new_tokens)
    write_text_atomic(work / f"{TASK}.yaml", text)
    write_text_atomic(work / "utils.py", UTILS)
    write_text_atomic(work / "README.md", readme(model, scoring))


def readme(model: Path, scoring: Scoring) -> str:
    """The command, and how its figures compare with the run's."""
    of_run = f"\n\nThe run's own score: {scoring.score}." if scoring.score else ""
    exact = (
        "The run computed in fp32, as the command does: answers are the same texts, but for prompts"
        " where two tokens are equally likely."
        if scoring.precision is Precision.FP32
        else f"The run computed in {scoring.precision.value} over fp32 weights; the command casts"
        " the weights themselves, so some answers are others; so they are with dtype=float32."
    )
    return (
        "# The score by lm-evaluation-harness\n\n"
        'It needs `pip install "lm_eval[hf,ifeval]"`. In this folder:\n\n'
        f"```bash\n{command(model, scoring)}\n```\n\n"
        f"{counted(scoring.count, 'prompt')}, answers of up to {scoring.max_new_tokens} tokens,"
        f" greedy. `prompt_level_strict_acc` is what this tool calls the score.{of_run}\n\n"
        f"{exact}\n\n"
        "Verdicts are the harness' own: where its checkers are random or broken, this tool's are"
        " not.\n"
    )
