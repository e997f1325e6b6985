"""Every card of this machine that a process can be given for itself, by its UUID."""

import os
from collections.abc import Mapping

from autotune.base.errors import EnvironmentFault
from autotune.device.kinds import open_nvml
from autotune.device.nvml_port import Card, NvmlPort, NvmlUnavailable
from autotune.device.visible import VARIABLE, visible, why_none


def every_card(
    nvml: NvmlPort | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Card, ...]:
    """The cards and MIG devices, in the driver's order, that `CUDA_VISIBLE_DEVICES` leaves visible.

    One that does not answer, or has no UUID to be named by, is left out.

    Raises:
        EnvironmentFault: there is none.
    """
    try:
        found = (open_nvml() if nvml is None else nvml).cards()
    except NvmlUnavailable as error:
        raise _none(str(error), error.remedy) from error
    text = (os.environ if environ is None else environ).get(VARIABLE)
    # A process sees one MIG device at most, so where nothing was chosen they are all asked for.
    chosen = [card for card in found if not card.mig] if text is None else visible(found, text)
    usable = tuple(card for card in chosen if card.uuid and card.problem is None)
    if not usable:
        broken = next((card for card in chosen if card.problem is not None), None)
        if broken is not None:
            raise _none(f"{broken.name} does not answer ({broken.problem})", "restart the computer")
        reason, remedy, _ = why_none(found, text)
        raise _none(reason, remedy)
    return usable


def _none(reason: str, remedy: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"--gpus all: {reason}; {remedy}, or leave --gpus out to compute on the CPU"
    )
