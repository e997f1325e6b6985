"""What the commands that compute make of each kind of machine: the table of docs/machines.md."""

import re
from dataclasses import dataclass

FREE = "budget ...: {free} free now less 512 MiB in reserve"
NOT_FREE = "memory budget 8GiB is all that the device has (8188 MiB): only {free} MiB of ..."
ALL = "budget 8188 MiB, all of the card, by a cap on the allocator"
AS_GIVEN = "budget 8.00 GiB (--vram-budget), by a cap on the allocator"
UNTOLD = "the driver does not report how much memory is free; give it with --vram-budget ..."
LOST = (
    "... does not answer (the driver reports: GPU is lost); restart the computer if that stays ..."
)


@dataclass(frozen=True)
class Outcome:
    """`machine` as the table names it, and what is said under `auto` and under `8GiB`.

    `...` stands for any text. A line that begins with "budget" is where work begins; any other one
    ends the command with exit code 4. `card` is the card's short name, None where there is none
    that could be computed on.
    """

    machine: str
    auto: str
    whole: str
    card: str | None = "RTX 4060 Laptop"

    @property
    def row(self) -> str:
        """The outcome's row of the table."""
        whole = "the same" if self.whole == self.auto else self.whole
        return f"| {self.machine} | {self.auto} | {whole} |"


def said_in(line: str, text: str) -> bool:
    """Whether a text holds the parts of a line, in their order."""
    parts = (re.escape(part.strip()) for part in line.split("..."))
    return re.search(".*".join(parts), text) is not None


def _free(machine: str, gib: str, mib: int, also: str = "") -> Outcome:
    return Outcome(machine, FREE.format(free=gib) + also, NOT_FREE.format(free=mib))


def _fault(machine: str, line: str) -> Outcome:
    return Outcome(machine, line, line, None)


NONSENSE = "the driver's figures cannot be true ({figures}); give it with --vram-budget ..."
ALSO = "; also on the card: "

OUTCOMES = {
    "laptop": _free(
        "8 GB laptop card; Windows hides what processes hold",
        "6.92 GiB",
        7088,
        f"{ALSO}process 4000000 (not reported), ..., 17 more",
    ),
    "linux": _free(
        "8 GB laptop card; the driver reports what processes hold",
        "7.68 GiB",
        7861,
        f"{ALSO}process 4000000 (310 MiB)",
    ),
    "two": _free("two cards: the first one", "7.98 GiB", 8171),
    "neighbour": _free("another program holds 3 GiB", "4.98 GiB", 5099, f"{ALSO}... (3.00 GiB)"),
    "container": _free(
        "in a container: process ids of the host",
        "4.98 GiB",
        5099,
        f"{ALSO}2 processes (3.00 GiB) of this container or of its host",
    ),
    "full": Outcome(
        "another program fills the card",
        "188 MiB free, and 512 MiB of it are kept in reserve (in use by ...); close other programs"
        " ...",
        NOT_FREE.format(free=188),
    ),
    "hot": _free("hot and throttled", "7.98 GiB", 8171),
    "old": _free("driver before 510, which lacks functions", "7.68 GiB", 7861),
    "mig": Outcome(
        "MIG mode with MIG devices: the first one",
        FREE.format(free="9.57 GiB"),
        AS_GIVEN,
        "H100 80GB HBM3 MIG 1g.10gb",
    ),
    "unified": Outcome("memory shared with the computer (GB10, Jetson)", UNTOLD, AS_GIVEN),
    "unsupported": Outcome("driver reports name and UUID only", UNTOLD, AS_GIVEN),
    "unsaid": Outcome("memory figures not available (unsigned -1)", UNTOLD, AS_GIVEN),
    "nonsense": Outcome(
        "used above total, free wrapped round",
        NONSENSE.format(figures="8252 MiB used and 17592186044352 MiB free of 8188 MiB"),
        ALL,
    ),
    "no-total": Outcome(
        "a card of 0 bytes",
        NONSENSE.format(figures="0 MiB used and 0 MiB free of 0 MiB"),
        AS_GIVEN,
    ),
    "mig-empty": _fault(
        "MIG mode without a MIG device",
        "NVIDIA H100 80GB HBM3 is in MIG mode and has no MIG device; make one ...",
    ),
    "lost": _fault("card lost", LOST),
    "lost-later": _fault("card lost after it was found", LOST),
    "uncounted": _fault(
        "driver fails where cards are counted",
        "the NVIDIA driver does not report which cards there are (Unknown Error); restart the"
        " computer ...",
    ),
    "mismatch": _fault(
        "driver updated, computer not restarted",
        "the NVIDIA driver was updated and the computer not restarted since (RM has detected an"
        " NVML/RM version mismatch); restart the computer ...",
    ),
    "gone": _fault(
        "driver installed, not loaded",
        "profile ... is for an NVIDIA card, and there is none (the NVIDIA driver is installed and"
        " does not run (Driver Not Loaded)) ...",
    ),
}
"""By the scene of `nvml.c`."""

NO_DRIVER = _fault(
    "the same, with `--device cuda`",
    "the NVIDIA driver is installed and does not run (Driver Not Loaded); switch the card on ...",
)
