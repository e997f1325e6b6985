"""The demo's own training conversations and prompts.

`conversations.jsonl` (600, one a line, `{"messages": [{"role", "content"}, ...]}`) and
`prompts.jsonl` (48, in IFEval's format) are data: the scorer confirmed every answer, and no topic
of the prompts is one of the conversations. Both were composed as `autotune/synth/` does it.
"""

from pathlib import Path

CONVERSATIONS = Path(__file__).resolve().parent / "conversations.jsonl"
PROMPTS = Path(__file__).resolve().parent / "prompts.jsonl"
