"""A profile's text with a name, a title and a machine of its own; its comments stay."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autotune.base.format import percent
from autotune.base.sizes import GIB, MIB, show_size
from autotune.config.project_text import toml_text
from autotune.device.budget import auto_budget
from autotune.device.find import Device
from autotune.protocol.choices import Precision

COMMENT_COLUMN = 24
"""Where comments of short keys begin, as in the profiles that come with the tool."""


@dataclass(frozen=True, slots=True)
class Line:
    """A value as TOML has it, and why it is that."""

    value: str
    comment: str


def renamed(text: str, name: str, title: str) -> str:
    """A profile's text under another name."""
    for key, value in (("name", name), ("title", title)):
        text = _replaced(text, rf"^{key}\s*=.*$", f"{key} = {toml_text(value)}") or text
    return text


def headed(text: str, line: str) -> str:
    """A profile's text with this comment in place of the one that it begins with."""
    _, blank, rest = text.partition("\n\n")
    return f"# {line}\n{blank[1:]}{rest}"


def with_machine(text: str, lines: Mapping[str, Line]) -> str:
    """A profile's text with these lines in its `[machine]`, in place of those that are there."""
    before, head, after = text.partition("[machine]\n")
    body, rest = _until_table(after)
    for key, line in lines.items():
        written = f"{f'{key} = {line.value}':<{COMMENT_COLUMN}} # {line.comment}"
        # A key's comment may run on in lines of its own, which belong to what it says.
        known = _replaced(body, rf"^{key}\s*=.*(?:\n[ \t]+#.*)*$", written)
        body = known or f"{body.rstrip()}\n{written}\n\n"
    return f"{before}{head}{body}{rest}"


def _replaced(text: str, pattern: str, line: str) -> str | None:
    """The text with the first match replaced; None where there is none."""
    found = re.search(pattern, text, re.MULTILINE)
    return None if found is None else text[: found.start()] + line + text[found.end() :]


def _until_table(text: str) -> tuple[str, str]:
    found = re.search(r"^\[", text, re.MULTILINE)
    at = found.start() if found else len(text)
    return text[:at], text[at:]


def machine_lines(device: Device, choice: str, reserve: str) -> dict[str, Line]:
    """`[machine]` of a machine with this device, which `choice` asked for.

    Raises:
        EnvironmentFault: the driver does not report what is free, or nothing is.
    """
    budget = auto_budget(device, "auto", reserve)
    # A hundredth of a GiB less rather than more: what is rounded up would not be free.
    size = f"{budget.limit_bytes // (GIB // 100) / 100:.2f}GiB"
    share = budget.limit_bytes / (device.total_bytes or budget.limit_bytes)
    lines = {
        "device": Line(toml_text(choice if device.traits.is_card else "cpu"), device.name),
        "budget": Line(
            toml_text(size),
            f"{percent(share, 0)} of {show_size(device.total_bytes or 0)}: free now less"
            f" {show_size(budget.reserve_bytes)}; auto looks at each start",
        ),
    }
    if device.traits.is_card:
        if device.total_bytes is not None:
            memory = f"{device.total_bytes // MIB}MiB"
            lines["memory"] = Line(toml_text(memory), "what the card has, for probe --plan")
        if device.capability is not None:
            generation = f"{device.capability[0]}.{device.capability[1]}"
            lines["capability"] = Line(toml_text(generation), "its generation as CUDA counts")
        if device.peak_flops is not None:
            peak = f"{device.peak_flops / 1e12:.1f}"
            lines["tflops"] = Line(peak, "fp32 peak, cores x clock; for the hours of a plan")
    precision = Precision.BF16 if device.bf16 else device.traits.precision
    why = "it has bf16 at full speed" if device.bf16 else "it has no bf16 at full speed"
    lines["precision"] = Line(toml_text(precision.value), why)
    return lines
