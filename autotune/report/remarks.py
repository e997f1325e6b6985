"""What a report says below its first tables: its conclusions but the first, each with its tone."""

from collections.abc import Iterator
from dataclasses import dataclass

from autotune.protocol.result_text import limits_text
from autotune.report.schema import Report

NOT_HEALTHY = "Not healthy: "
"""How a conclusion about broken limits of health begins."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence, or a few; `tone`: `bad`, or ""."""

    text: str
    tone: str = ""


def remarks_of(report: Report) -> tuple[Remark, ...]:
    """The conclusions after the first, which stands above them; broken limits are `bad`.

    They are said once: of a report from before they were among its conclusions they come first.
    """
    lines = report.conclusions[1:]
    named = any(line.startswith(NOT_HEALTHY) for line in report.conclusions)
    missing = () if named else tuple(_missing(report))
    return (
        *missing,
        *(Remark(line, "bad" if line.startswith(NOT_HEALTHY) else "") for line in lines),
    )


def _missing(report: Report) -> Iterator[Remark]:
    if report.best is not None and report.best.unhealthy:
        yield Remark(f"{NOT_HEALTHY}{limits_text(report.best.unhealthy)}", "bad")
