"""The demo's own training conversations and prompts, composed from topics, forms and constraints.

Every answer is confirmed by the scorer before it is kept; the same seed gives the same texts.
"""

from autotune.democorpus.compose import compose
from autotune.democorpus.conversation import DemoConversation
from autotune.democorpus.prompts import demo_prompts
from autotune.democorpus.store import write_demo_data, write_demo_prompts

__all__ = [
    "DemoConversation",
    "compose",
    "demo_prompts",
    "write_demo_data",
    "write_demo_prompts",
]
