"""Whether transformers' pipeline writes the answers that this tool writes, text for text.

What a person with a run's best and no more of this tool types: `pipeline("text-generation", best)`.
Beside it stands `eval` of the same folder, which answers all prompts in one batch. Greedy, in fp32:

    python benchmarks/pipeline_texts.py runs/.../best --prompts runs/.../prompts.jsonl
"""

from pathlib import Path

from benchmarks.lm_eval_texts import (
    Pair,
    apart,
    few_compared,
    lines_of,
    options,
    paired,
    said_by_eval,
)


def compared(model: Path, prompts: Path, max_new_tokens: int, work: Path) -> list[Pair]:
    """The answers of both to all prompts of a file; `work` is an empty folder.

    Raises:
        CalledProcessError: `eval` failed.
    """
    from transformers import pipeline

    asks = pipeline("text-generation", model=str(model), device="cpu", dtype="float32")
    theirs = {}
    for each in lines_of(prompts):
        turns = [{"role": "user", "content": each["prompt"]}]
        (said,) = asks(
            turns, max_new_tokens=max_new_tokens, do_sample=False, return_full_text=False
        )
        theirs[each["prompt"]] = said["generated_text"]
    folder = apart(model, work / "model")
    return paired(theirs, said_by_eval(folder, prompts, max_new_tokens, work / "ours"))


if __name__ == "__main__":
    raise SystemExit(few_compared(options(__doc__.splitlines()[0]).parse_args(), "it", compared))
