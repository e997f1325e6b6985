"""A pack: the folder that is carried to a bare machine, with a large file in parts.

    pack.json            what is in it, with digests
    wheels/              packages
    model/               config and tokenizer of the model, a few MB
    prompts.jsonl        IFEval's prompts
    weights/NAME.0001 .. the demo weights in parts

Parts may arrive one by one, each call bringing what it can carry; the weights are used once all are
there. Standard library only.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.card_checks.asked import write_json

PART_BYTES = 40_000_000
"""Of a part, at most: what a chat, a mail server or a form on the web still takes."""

CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack on this machine."""

    root: Path

    @property
    def manifest(self) -> Path:
        """What is in it."""
        return self.root / "pack.json"

    @property
    def wheels(self) -> Path:
        """The folder of wheels."""
        return self.root / "wheels"

    @property
    def model(self) -> Path:
        """The folder with the model's config and tokenizer."""
        return self.root / "model"

    @property
    def prompts(self) -> Path:
        """The prompts file."""
        return self.root / "prompts.jsonl"

    @property
    def weights(self) -> Path:
        """The folder of the weights' parts."""
        return self.root / "weights"

    def described(self) -> dict[str, Any]:
        """The manifest; empty where there is none."""
        if not self.manifest.is_file():
            return {}
        found: dict[str, Any] = json.loads(self.manifest.read_text(encoding="utf-8"))
        return found

    def missing_parts(self) -> list[str]:
        """Names of the weights' parts that have not arrived, or not whole."""
        return [
            part["name"]
            for part in self.described().get("weights", {}).get("parts", [])
            if not (path := self.weights / part["name"]).is_file()
            or path.stat().st_size != part["bytes"]
        ]

    def join(self, folder: Path) -> Path | None:
        """The weights as one file in `folder`; None where parts are missing or none were packed.

        Raises:
            ValueError: a part or the whole is not what was packed.
        """
        weights = self.described().get("weights")
        if weights is None:
            return None
        target = folder / weights["name"]
        if target.is_file() and digest(target) == weights["sha256"]:
            return target
        if self.missing_parts():
            return None
        folder.mkdir(parents=True, exist_ok=True)
        work = target.with_name(f".{target.name}.tmp")
        with work.open("wb") as out:
            for part in weights["parts"]:
                path = self.weights / part["name"]
                check(path, part["sha256"])
                with path.open("rb") as source:
                    shutil.copyfileobj(source, out, CHUNK_BYTES)
        check(work, weights["sha256"])
        work.replace(target)
        return target


def split(source: Path, folder: Path, part_bytes: int = PART_BYTES) -> dict[str, Any]:
    """Cut a file into parts in `folder`; what the manifest says of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{source.name}.*"):
        old.unlink()
    parts = []
    with source.open("rb") as file:
        while data := file.read(part_bytes):
            name = f"{source.name}.{len(parts) + 1:04d}"
            (folder / name).write_bytes(data)
            sha256 = hashlib.sha256(data).hexdigest()
            parts.append({"name": name, "bytes": len(data), "sha256": sha256})
    return {"name": source.name, "sha256": digest(source), "parts": parts}


def describe(pack: Pack, **facts: Any) -> None:
    """Write the manifest."""
    write_json(pack.manifest, facts)


def check(path: Path, sha256: str) -> None:
    """Refuse a file of another content.

    Raises:
        ValueError: it is not what was packed; it is named with both digests.
    """
    found = digest(path)
    if found != sha256:
        raise ValueError(f"{path}: has sha256 {found}, must be {sha256}; bring it again")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
