"""The demo's own data: chats to practise on, prompts that score; those of the toy beside them.

`practice.jsonl` are practice chats of the model that the demo trains: its own answers, amended and
verified as `smolsft-autotune synth` does it; `card.json` and `README.md` beside it say how.
`prompts.jsonl` are prompts of the same making about topics that no practice chat is about. Which
ones, and how they are made again: `benchmarks/demo_data.py`.

`toy/` has `conversations.jsonl` (600, one a line, `{"messages": [{"role", "content"}, ...]}`) and
`prompts.jsonl` (48, in IFEval's format) for a toy that writes a few words: short ones, composed.

The scorer confirmed every answer, and no topic of the prompts is one of the chats.
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent

PRACTICE = FOLDER / "practice.jsonl"
PROMPTS = FOLDER / "prompts.jsonl"

TOY_CONVERSATIONS = FOLDER / "toy" / "conversations.jsonl"
TOY_PROMPTS = FOLDER / "toy" / "prompts.jsonl"
