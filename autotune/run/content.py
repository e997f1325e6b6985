"""What a run works with, by content: data, prompts, model and tokenizer may not change under it.

The sha256 of every file stands in the record from the first start. Paths may change, and do when a
project moves; sizes and times prove nothing (a copy, a check-out, an edit within a second), so the
files are read at every start: 270 MB took 1.1 s of a processor without instructions for it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.manifest import OPTIMIZER
from autotune.protocol.events import Content
from autotune.run.folder import RunDir
from autotune.sources.digest import sha256_of, sha256_of_text

_MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "chat_template*",
    "additional_chat_templates/*",
)
"""What transformers reads of a model folder; a README or a training log may change."""

FINGERPRINT_DIGITS = 16
"""Hexadecimal digits of a digest that a fit's fingerprint keeps."""

REMEDY = "put it back or start a new run with another --run-dir"


def content_of(
    data: Path | None,
    prompts: Path,
    scored: str,
    model: Path,
    own_data: Mapping[str, Path] | None = None,
) -> Content:
    """The digests of these files. `scored` is the text of the prompts that score.

    `own_data` are the files of strategies with data of their own, by strategy; each file is read
    once.

    Raises:
        BadInput: one of them cannot be read.
    """
    files = {path: _digest("data", path) for path in {*(own_data or {}).values()} - {data}}
    if data is not None:
        files[data] = _digest("data", data)
    return Content(
        data={data.name: files[data]} if data is not None else {},
        prompts={prompts.name: _digest("prompts", prompts)},
        scored=sha256_of_text(scored),
        model=model_digests(model),
        own_data={
            strategy: {path.name: files[path]} for strategy, path in (own_data or {}).items()
        },
    )


def model_digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file that is read of a model's folder, by its name there.

    Raises:
        BadInput: one of them cannot be read.
    """
    return {
        path.relative_to(folder).as_posix(): _digest("model", path) for path in _model_files(folder)
    }


def _model_files(folder: Path) -> Iterator[Path]:
    found = {path for pattern in _MODEL_FILES for path in folder.glob(pattern) if path.is_file()}
    return iter(sorted(path for path in found if path.name != OPTIMIZER))


def _digest(what: str, path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise BadInput(f"{what} {path}: cannot be read ({error.strerror or error})") from error


def recorded_content(rundir: RunDir) -> Content | None:
    """What a run works with, as far as its record says."""
    found = (record.event for record in rundir.record.of_kind("content"))
    began: Content | None = None
    for event in found:
        if isinstance(event, Content):
            began = began.with_data_of(event) if began is not None else event
    return began


def is_recorded(began: Content | None, now: Content | None) -> bool:
    """Whether all that a run works with now is on record."""
    return now is None or (began is not None and now.own_data.keys() <= began.own_data.keys())


def same_content(part: str, began: Content, path: Path, strategy: str | None = None) -> bool:
    """Whether what is at a path now is the `data`, `prompts` or `model` that a run began with.

    With `strategy` it is that strategy's own data.
    """
    if part == "model":
        return path.is_dir() and model_digests(path) == began.model
    before: dict[str, str] = getattr(began, part)
    if strategy is not None:
        before = began.own_data.get(strategy, before)
    return path.is_file() and list(before.values()) == [_digest(part, path)]


def demand_same(began: Content, now: Content, model: str) -> None:
    """Refuse to go on with other content than a run began with. `model` is what it is called.

    Raises:
        BadInput: something has changed; the file is named.
    """
    for part, before, after in (
        ("data", began.data, now.data),
        ("prompts", began.prompts, now.prompts),
        *(
            (f"data of strategy {name}:", began.own_data[name], now.own_data[name])
            for name in sorted(began.own_data.keys() & now.own_data.keys())
        ),
    ):
        if sorted(before.values()) != sorted(after.values()):
            raise BadInput(_changed_file(part, before, after))
    for name in sorted({*began.model, *now.model}):
        old, new = began.model.get(name), now.model.get(name)
        if old != new:
            what = "is new" if old is None else "is gone" if new is None else "has changed"
            raise BadInput(f"model {model}: {name} {what}{_since(old, new)}; {REMEDY}")


def _changed_file(part: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The line about a part that is one file, or none (an evaluation has no data)."""
    old_name, old = next(iter(before.items()), ("", None))
    new_name, new = next(iter(after.items()), (old_name, None))
    if new_name == old_name:
        return f"{part} {new_name} has changed{_since(old, new)}; {REMEDY}"
    was = f"the {old_name} that" if old_name else f"the {part} that"
    return f"{part} {new_name} is not {was} this run began with{_digests(old, new)}; {REMEDY}"


def _since(old: str | None, new: str | None) -> str:
    return f" since this run began{_digests(old, new)}"


def _digests(old: str | None, new: str | None) -> str:
    return f" (sha256 {old[:8]}.. -> {new[:8]}..)" if old and new else ""


def demand_fingerprint(fingerprint: Mapping[str, str], now: Content) -> None:
    """The same for a run of an older version, by what its fit was found with.

    Raises:
        BadInput: data or tokenizer have changed.
    """
    for part, after in (("data", now.data), ("tokenizer", _tokenizer(now))):
        new = next(iter(after.values()), "")
        old = fingerprint.get(part, "")
        if old and new and old != new[:FINGERPRINT_DIGITS]:
            raise BadInput(f"{part} {next(iter(after))} has changed{_since(old, new)}; {REMEDY}")


def _tokenizer(content: Content) -> dict[str, str]:
    return {name: each for name, each in content.model.items() if name == "tokenizer.json"}
