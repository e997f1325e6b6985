"""What a fit depends on, as short texts that a later run compares with its own."""

import hashlib
import json
from pathlib import Path
from typing import Any

from autotune.base.errors import EnvironmentFault
from autotune.config.profile import Profile
from autotune.device.find import Device
from autotune.protocol.events import Content
from autotune.protocol.job import DeviceSpec
from autotune.protocol.plan import Strategy
from autotune.run.content import FINGERPRINT_DIGITS

_SHAPING = {
    *("name", "model_max_length", "max_rounds", "batch_size"),
    *("num_train_epochs", "average_checkpoints", "fallback"),
}
"""Keys of a strategy that a fit depends on: its rows, its steps, how long it takes. Rates, noise
and what is drawn change no step's shape."""


def fingerprint(
    device: Device, profile: Profile, spec: DeviceSpec, folder: Path, content: Content
) -> dict[str, str]:
    """What a fit depends on; when any of it changes, the fit has to be looked at again.

    The budget is here as it was written: what `auto` comes to differs from minute to minute, and
    a fit whose peak is within it still holds. `settings` is a hash of what else shapes a trial:
    the bounds of the search, how rows are made, and the shape of an evaluation.
    """
    train, evaluate = profile.train, profile.evaluate
    # What came later stands here only where it is used: fits of earlier versions hold otherwise.
    dropped = [True] if profile.data.drop_scored_prompts else []
    unused = {"max_rounds"} if profile.probe.max_rounds == "all" else set[str]()
    settings = {
        "probe": profile.probe.model_dump(mode="json", exclude=unused),
        "rows": [
            *(train.supervision, train.truncation, train.max_conversations, train.seed),
            *_of_tools(folder, content),
        ],
        "read": [profile.data.format, profile.data.skip_bad, *dropped],
        "evaluation": [evaluate.max_new_tokens, evaluate.batch_size],
        "prompts": profile.prompts.model_dump(mode="json"),
        "strategies": [used_keys(s) for s in profile.strategies],
        "threads": spec.threads,
    }
    weights = "".join(f"{p.name}:{p.stat().st_size}" for p in sorted(folder.glob("*.safetensors")))
    config = (folder / "config.json").read_bytes() + weights.encode("utf-8")
    return {
        "device": device.uuid or device.name,
        "driver": device.driver or "n/a",
        "budget": profile.machine.budget,
        "precision": spec.precision.value,
        "torch": installed("torch"),
        "transformers": installed("transformers"),
        "model": hashlib.sha256(config).hexdigest()[:16],
        "tokenizer": content.model["tokenizer.json"][:FINGERPRINT_DIGITS],
        "data": next(iter(content.data.values()), "")[:FINGERPRINT_DIGITS],
        **{
            f"data of {name}": next(iter(own.values()))[:FINGERPRINT_DIGITS]
            for name, own in content.own_data.items()
        },
        "settings": hashlib.sha256(json.dumps(settings).encode("utf-8")).hexdigest()[:16],
    }


def used_keys(strategy: Strategy) -> dict[str, Any]:
    """What of a strategy a fit depends on. Its own data stands beside it, wherever that lies."""
    tree = strategy.model_dump(mode="json", include=_SHAPING)
    if strategy.max_conversations is not None:
        tree["max_conversations"] = strategy.max_conversations
    if strategy.mix is not None:
        tree["mix"] = strategy.mix
    return tree


def _of_tools(folder: Path, content: Content) -> list[str]:
    """Digests of the chat templates that may write rows with tools: they shape these rows."""
    return [
        digest[:FINGERPRINT_DIGITS]
        for name, digest in sorted(content.model.items())
        if ("chat_template" in name or name == "tokenizer_config.json")
        and b"tools" in (folder / name).read_bytes()
    ]


def installed(package: str) -> str:
    """A package's version, read from its metadata without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        raise EnvironmentFault(
            f"{package} is not installed; see README for the command that fits this machine"
        ) from None
