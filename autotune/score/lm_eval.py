"""Scored answers as lm-evaluation-harness logs them with `--log_samples`, for what reads those.

The fields are those of `samples_*.jsonl` of lm-eval 0.4.8 and later; those before lack `filter` and
`metrics`. What is particular to a task is the scorer's.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autotune.protocol.choices import Think
from autotune.protocol.results import EvalReport
from autotune.score.answers import Answer, match
from autotune.score.examples import by_key
from autotune.score.prompts import Prompt
from autotune.score.scorer import Scorer
from autotune.score.thoughts import without_thoughts


def sample_logs(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    report: EvalReport,
    generation: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """One object a prompt, in order; a prompt without an answer has the empty one.

    `generation` are the settings of the answers as lm-eval names them, empty where unknown.
    """
    matched, _ = match(prompts, answers)
    verdicts = by_key(report)
    for number, prompt in enumerate(prompts):
        answer, verdict = matched.get(prompt.key), verdicts[prompt.key]
        text = (answer.response if answer is not None else None) or ""
        own = dict(scorer.sample_fields(prompt, verdict))
        target, metrics = own.pop("target"), own.pop("metrics")
        doc = json.loads(prompt.model_dump_json())
        yield {
            "doc_id": number,
            "doc": doc,
            "target": target,
            "arguments": {
                "gen_args_0": {"arg_0": prompt.prompt, "arg_1": dict(generation)},
            },
            "resps": [[text]],
            "filtered_resps": [without_thoughts(text) if report.think is Think.STRIP else text],
            "filter": "none",
            "metrics": metrics,
            "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
            "prompt_hash": _hash(prompt.prompt),
            "target_hash": _hash(target),
            **own,
        }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
