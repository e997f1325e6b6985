"""What the processor says of itself, on Linux and where there is no such list."""

from pathlib import Path
from typing import Literal

import pytest

from autotune.device import cpu
from autotune.device.find import Device
from autotune.protocol.choices import Precision
from autotune.run.setup import resolve_precision
from tests import setups

GENOA = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512_bf16 gfni\n"


@pytest.mark.parametrize(
    ("text", "bf16"),
    [
        (GENOA, True),
        (GENOA.replace("avx512_bf16", "amx_tile amx_bf16"), True),
        (GENOA.replace("avx512_bf16", "avx512f"), False),
        ("", False),
        (None, False),
    ],
)
def test_bf16_is_believed_only_of_a_processor_that_lists_it(
    text: str | None, bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "cpuinfo"
    if text is not None:
        listed.write_text(text, encoding="utf-8")
    monkeypatch.setattr(cpu, "_CPUINFO", listed)
    assert cpu.has_bf16() is bf16
    assert cpu.processor_name()


@pytest.mark.parametrize(
    ("kind", "bf16", "expected"),
    [
        ("cuda", True, Precision.BF16),
        ("cuda", False, Precision.FP16),
        ("cpu", True, Precision.BF16),
        ("cpu", False, Precision.FP32),
    ],
)
def test_auto_precision_is_the_best_that_the_device_has(
    kind: Literal["cpu", "cuda"], bf16: bool, expected: Precision
) -> None:
    profile = setups.profile()
    machine = profile.machine.model_copy(update={"precision": "auto"})
    device = Device(kind, "some", 0, None, None, None, None, bf16=bf16)
    assert resolve_precision(profile.model_copy(update={"machine": machine}), device) is expected
