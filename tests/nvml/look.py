"""Prints as JSON how the scenes that are named look to the tool; run in a process of its own."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from autotune.base.errors import AutotuneError
from autotune.device.budget import auto_budget, budget_sentence
from autotune.device.find import find_device
from autotune.device.nvml import Nvml
from autotune.device.nvml_port import NvmlUnavailable
from autotune.worker.memory.context import ContextMeter


def said(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except NvmlUnavailable as error:
        return {"unavailable": str(error), "fault": error.is_fault}
    except AutotuneError as error:
        return {"error": str(error), "code": int(error.exit_code)}


def budget(text: str) -> dict[str, Any]:
    device = find_device("auto")
    found = auto_budget(device, text, "512MiB")
    return {
        "limit": found.limit_bytes,
        "said": budget_sentence(found, device, giver="--vram-budget"),
    }


def looked() -> dict[str, Any]:
    nvml = Nvml()
    found: dict[str, Any] = {}
    found["cards"] = said(lambda: [asdict(card) for card in nvml.cards()])
    if isinstance(found["cards"], list):
        found["states"] = [asdict(nvml.state(card["index"])) for card in found["cards"]]
        found["users"] = [
            [asdict(user) for user in nvml.users(card["index"])] for card in found["cards"]
        ]
    found["auto"] = said(lambda: asdict(find_device("auto")))
    for text in ("auto", "7GiB", "8GiB", "9GiB"):
        name = "auto budget" if text == "auto" else text
        found[name] = said(partial(budget, text))
    found["meter"] = metered()
    return found


def metered() -> dict[str, Any]:
    meter = ContextMeter(Nvml(), dedicated=lambda: None)
    meter.snapshot_before()
    meter.choose_card(None)
    meter.measure(0)
    return {"used": meter.used_bytes, "measured": meter.is_measured}


everything = {}
for scene in sys.argv[1:]:
    os.environ["NVML_SCENE"] = scene
    everything[scene] = looked()
print(json.dumps(everything))
