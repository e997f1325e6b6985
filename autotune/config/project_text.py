"""A `smolsft.toml` as `init` writes it: the answers, and in comments what else may stand there."""

import json
from dataclasses import dataclass

from autotune.base.format import quoted, rate_text
from autotune.config.profile import Profile

BY_A_PROFILE = "doctor, inspect, probe, run, eval and synth"
"""The commands that read the file. `demo` has settings of its own, others work on what is made."""

WIDTH = 40
"""Columns before a comment."""

_STUDY = "[study]"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person wants: `target` is a share (0..1), `hours` None for no end."""

    model: str
    data: str
    target: float
    hours: float | None


def project_text(profile: Profile, answers: Answers, named: str | None) -> str:
    """The file's text; the profile counts only where somebody `named` it, by a name or a file."""
    name = named or profile.name
    why = profile.title if named else "here by default; without it the machine decides"
    by = _line("profile", toml_text(name), why)
    hours = _line(
        "max_hours",
        f"{answers.hours or 8:g}",
        "of work; no trial begins that would end later",
    )
    strategy = profile.strategies[0]
    lines = [
        f"# What {BY_A_PROFILE} work with in this folder.",
        "# It counts over the profile, and what is typed (--set, options) counts over it.",
        "# Every setting with its value and its origin: smolsft-autotune run --explain",
        "",
        by if named else f"# {by}",
        _line("target", f"{answers.target:g}", "share of the prompts that a run must pass"),
        "",
        "[model]",
        _line("source", toml_text(answers.model), "folder, hub id, demo or toy"),
        "",
        "[data]",
        _line("source", toml_text(answers.data), "file, hub id or demo"),
        "",
        *([_STUDY, hours] if answers.hours is not None else [f"# {_STUDY}", f"# {hours}"]),
        "",
        "# Any other key of a profile may stand here; those of this one:",
        f"#   smolsft-autotune profiles show {quoted(name)}",
        "#",
        "# [machine]",
        f"# {_line('budget', toml_text('7.2GiB'), 'memory to use; auto: what is free')}",
        "#",
        "# [train]",
        f"# {_line('max_conversations', '1000', 'of the data; else as the profile has it')}",
        "#",
        f"# [strategy.{strategy.name}]",
        f"# {_line('learning_rate', rate_text(strategy.learning_rate), 'of this strategy alone')}",
    ]
    return "\n".join(lines) + "\n"


def toml_text(text: str) -> str:
    """A text as TOML has it: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _line(key: str, value: str, comment: str) -> str:
    return f"{f'{key} = {value}':<{WIDTH}}  # {comment}"
