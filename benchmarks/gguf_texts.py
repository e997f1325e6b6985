"""Whether llama.cpp reads an exported GGUF file, and writes the tokens that transformers writes.

`export --to gguf` is read by a real llama.cpp: its tokens of a text, its rendering of the chat
template that lies in the file, its greedy answers. Beside it stands transformers with the folder
the file was made of, in fp32. Where two answers part, it is shown how near a tie that token was.
llama.cpp comes as a package without dependencies (MIT):

    pip install xllamacpp
    python benchmarks/gguf_texts.py runs/.../best --prompts runs/.../prompts.jsonl --type q8_0
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COUNT = 5
MAX_NEW_TOKENS = 60
CONTEXT = 4096
MISSING = "no llama.cpp here; pip install xllamacpp"


@dataclass(frozen=True, slots=True)
class Answer:
    """Tokens, the one that ended them among them, and whether one did."""

    tokens: tuple[int, ...]
    ended: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """What both said to a prompt, and in `asked` whether both saw the same tokens of it.

    `gap` is how far transformers' logit of its own token stands above that of llama.cpp's where
    the answers part; None where they part at no token.
    """

    prompt: str
    asked: bool
    theirs: Answer
    ours: Answer
    gap: float | None

    @property
    def agreed(self) -> int:
        """How many tokens are the same from the beginning."""
        return _agreed(self.theirs, self.ours)


def is_missing() -> bool:
    """Whether llama.cpp's package is not installed."""
    return importlib.util.find_spec("xllamacpp") is None


def exported(model: Path, kind: str, out: Path) -> Path:
    """The file that `export --to gguf` makes of a model folder.

    Raises:
        CalledProcessError: it was refused.
    """
    arguments = (*("export", str(model), "--to", "gguf"), *("--type", kind, "--out", str(out)))
    subprocess.run((sys.executable, "-m", "autotune", *arguments), check=True)
    return out / f"model-{kind}.gguf"


class LlamaCpp:
    """A GGUF file in llama.cpp, with its defaults but for two threads and no warm-up."""

    def __init__(self, file: Path) -> None:
        import xllamacpp  # type: ignore[import-not-found]

        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx, params.n_parallel, params.warmup = CONTEXT, 1, False
        params.cpuparams.n_threads = os.cpu_count() or 1
        params.verbosity = 1  # errors
        self._server = xllamacpp.Server(params)

    def tokens(self, text: str) -> list[int]:
        """A text's tokens; a marker of turns in it is one, as in a prompt."""
        asked = {"content": text, "parse_special": True, "add_special": True}
        found: list[int] = self._post("/tokenize", asked)["tokens"]
        return found

    def prompt(self, messages: list[dict[str, str]]) -> str:
        """A conversation by the chat template in the file, and the header of the answer."""
        found: str = self._post("/apply-template", {"messages": messages})["prompt"]
        return found

    def answer(self, messages: list[dict[str, str]], max_new_tokens: int) -> Answer:
        """The greedy answer, by the chat template in the file."""
        said = self._server.handle_chat_completions(
            {
                "messages": messages,
                "temperature": 0,
                "max_tokens": max_new_tokens,
                "return_tokens": True,
                "verbose": True,  # with the tokens
            }
        )["__verbose"]
        return Answer(tuple(said["tokens"]), said["stop_type"] == "eos")

    def _post(self, path: str, asked: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._server.listening_address + path,
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


class Transformers:
    """A model folder in transformers, in fp32 on the CPU."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
        ends = self._model.generation_config.eos_token_id
        self._ends = {ends} if isinstance(ends, int) else set(ends)

    def asked(self, messages: list[dict[str, str]]) -> list[int]:
        """A conversation's tokens, and the header of the answer."""
        found: list[int] = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True
        )["input_ids"]
        return found

    def answer(self, asked: list[int], max_new_tokens: int) -> Answer:
        """The greedy answer."""
        import torch

        ids = torch.tensor([asked])
        mask = torch.ones_like(ids)
        out = self._model.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=max_new_tokens
        )[0, len(asked) :].tolist()
        return Answer(tuple(out), out[-1] in self._ends)

    def gap(self, before: list[int], ours: int, theirs: int) -> float:
        """How far the logit of one token behind `before` is above another's."""
        import torch

        with torch.inference_mode():
            logits = self._model(input_ids=torch.tensor([before])).logits[0, -1]
        return float(logits[ours] - logits[theirs])


def compared(llama: LlamaCpp, hf: Transformers, prompt: str, max_new_tokens: int) -> Pair:
    """What both say to one prompt."""
    messages = [{"role": "user", "content": prompt}]
    asked = hf.asked(messages)
    same = llama.tokens(llama.prompt(messages)) == asked
    theirs = llama.answer(messages, max_new_tokens)
    ours = hf.answer(asked, max_new_tokens)
    at = _agreed(theirs, ours)
    gap = None
    if at < min(len(theirs.tokens), len(ours.tokens)):
        gap = hf.gap([*asked, *ours.tokens[:at]], ours.tokens[at], theirs.tokens[at])
    return Pair(prompt, same, theirs, ours, gap)


def other_tokens(llama: LlamaCpp, hf: Transformers, texts: Sequence[str]) -> list[str]:
    """The texts of which llama.cpp makes other tokens."""
    return [text for text in texts if hf.tokenizer(text)["input_ids"] != llama.tokens(text)]


def _agreed(one: Answer, other: Answer) -> int:
    pairs = enumerate(zip(one.tokens, other.tokens, strict=False))
    shorter = min(len(one.tokens), len(other.tokens))
    return next((at for at, (a, b) in pairs if a != b), shorter)


def main() -> int:
    """Print each prompt with where both part; 1 where a prompt's tokens differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a model folder, or a run")
    parser.add_argument("--prompts", type=Path, required=True, help="JSONL in IFEval's format")
    parser.add_argument("--type", default="f16", choices=("f16", "q8_0", "f32"))
    parser.add_argument("--count", type=int, default=COUNT, help="the first so many are answered")
    parser.add_argument("--max-new-tokens", type=int, default=MAX_NEW_TOKENS)
    given = parser.parse_args()
    if is_missing():
        parser.error(MISSING)
    began = time.perf_counter()
    lines = given.prompts.read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines]
    with tempfile.TemporaryDirectory() as name:
        llama = LlamaCpp(exported(given.model, given.type, Path(name) / "gguf"))
        hf = Transformers(given.model)
        others = other_tokens(llama, hf, prompts)
        pairs = [compared(llama, hf, text, given.max_new_tokens) for text in prompts[: given.count]]
        del llama  # before its file goes
    print(f"{len(prompts) - len(others)} of {len(prompts)} prompts have the same tokens")
    for pair in pairs:
        of = f"{pair.agreed} of {len(pair.ours.tokens)} tokens the same"
        end = " and ".join("ends" if each.ended else "runs on" for each in (pair.ours, pair.theirs))
        parted = "" if pair.gap is None else f", there {pair.gap:.2g} apart"
        print(f"{of}{parted}; {end}: {pair.prompt[:60]!r}")
        if pair.theirs != pair.ours:
            for who, each in (("transformers", pair.ours), ("llama.cpp", pair.theirs)):
                print(f"  {who}: {hf.tokenizer.decode(each.tokens)!r}")
    equal = sum(pair.theirs == pair.ours for pair in pairs)
    seconds = time.perf_counter() - began
    print(f"{equal} of {len(pairs)} answers are the same tokens; {seconds:.0f} s")
    return 0 if not others and all(pair.asked for pair in pairs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
