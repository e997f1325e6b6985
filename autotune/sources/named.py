"""Sources that one word names: they come with the tool, are made by it, or are fetched for it.

Each is a row of the table of its option, with what finds it. Options and their help are made of the
words; what finds a source is loaded when it is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autotune.base.later import later
from autotune.protocol.choices import SYNTH

if TYPE_CHECKING:
    from autotune.sources.dataset import DataSource
    from autotune.sources.model import ModelSource
    from autotune.sources.prompts import PromptSource
    from autotune.sources.say import Say

DEMO = "demo"
"""The model that is fetched from the package index, the data and the prompts for it."""

TOY = "toy"
"""The toy model, its data and its prompts."""

TOY_MODEL = "toy Llama"
"""How the toy model is called in a run's record."""

MODELS: "dict[str, Callable[[Say], ModelSource]]" = {
    DEMO: later("autotune.sources.model:demo_model"),
    TOY: later("autotune.sources.model:toy_model"),
}
"""What `--model` takes beside folders and hub ids."""

DATA: "dict[str, Callable[[], DataSource]]" = {
    DEMO: later("autotune.sources.dataset:demo_data"),
    TOY: later("autotune.sources.dataset:toy_data"),
}
"""What `--data` takes beside files and hub ids."""


@dataclass(frozen=True, slots=True)
class NamedPrompts:
    """Prompts by a name: `find` fetches them where that is needed, `here` is None instead."""

    find: "Callable[[Say], PromptSource]"
    here: "Callable[[], PromptSource | None]"


PROMPTS = {
    "ifeval": NamedPrompts(
        later("autotune.sources.prompts:ifeval"), later("autotune.sources.prompts:ifeval_here")
    ),
    DEMO: NamedPrompts(
        later("autotune.sources.prompts:demo"), later("autotune.sources.prompts:demo")
    ),
    TOY: NamedPrompts(later("autotune.sources.prompts:toy"), later("autotune.sources.prompts:toy")),
}
"""What `--prompts` takes beside files.

Example:
    With a row `"gsm8k": NamedPrompts(later("autotune.sources.gsm8k:find"), ...)` the option takes
    `gsm8k` in any case, its help and its errors name it, and no folder is looked for.
"""

NAMES = frozenset({*MODELS, *DATA, *PROMPTS, SYNTH})
"""Words that are no paths. `synth` is none of `--data` either: practice data is not there before
the run, and what a person names with `--data` is what it is mixed with."""
