"""Where a worker computes, and how much it may take there."""

from autotune.base.model import Boundary
from autotune.protocol.choices import Precision
from autotune.protocol.device_kind import CAPPED, DeviceKind


class DeviceSpec(Boundary):
    """Where a worker computes and how much it may take.

    `limit_bytes` caps the CUDA allocator; a CPU process is measured against it by the parent. 0 is
    no limit, for jobs that keep nothing on a card.
    """

    kind: DeviceKind
    index: int = 0
    precision: Precision
    limit_bytes: int = 0
    threads: int | None = None

    @property
    def resident_limit_bytes(self) -> int | None:
        """Resident memory at which the parent ends the process, None where it does not."""
        return None if self.kind in CAPPED else self.limit_bytes or None


def on_the_computer(*, limit_bytes: int = 0, threads: int | None = None) -> DeviceSpec:
    """Where work is done that needs no card: the processor, in fp32, by default without a limit."""
    return DeviceSpec(
        kind="cpu", precision=Precision.FP32, limit_bytes=limit_bytes, threads=threads
    )
