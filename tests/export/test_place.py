"""An export is a folder that is whole or not there, and takes the place of nothing else."""

import os
import stat
from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.export.place import Made, whole_export

MADE = Made(to="gguf", weights={"model.safetensors": "ab"})


def written(out: Path, made: Made = MADE, text: str = "one") -> None:
    with whole_export(out, made) as work:
        (work / "file").write_text(text, encoding="utf-8")
        (work / "file").chmod(0o600)


def test_an_export_is_readable_by_others_and_replaced_by_the_same_one(tmp_path: Path) -> None:
    written(tmp_path / "deep" / "out")
    written(tmp_path / "deep" / "out", text="two")
    assert (tmp_path / "deep" / "out" / "file").read_text(encoding="utf-8") == "two"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]
    if os.name == "posix":
        mask = os.umask(0)
        os.umask(mask)
        mode = stat.S_IMODE((tmp_path / "deep" / "out" / "file").stat().st_mode)
        assert mode == 0o666 & ~mask


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("file", "is a file"),
        ("folder", "holds other files"),
        ("form", "holds an export --to trl"),
        ("model", "holds an export of another model"),
        ("trained", "model/weights is not as the export wrote it, and would be lost"),
        ("changed", "file is not as the export wrote it"),
    ],
)
def test_an_export_takes_the_place_of_nothing_else(tmp_path: Path, there: str, words: str) -> None:
    out = tmp_path / "out"
    match there:
        case "file":
            out.write_text("mine", encoding="utf-8")
        case "folder":
            out.mkdir()
            (out / "mine").touch()
        case "form":
            written(out, Made(to="trl", weights=MADE.weights))
        case "model":
            written(out, Made(to="gguf", weights={"model.safetensors": "cd"}))
        case "trained":
            written(out)
            (out / "model").mkdir()
            (out / "model" / "weights").touch()
        case "changed":
            written(out)
            (out / "file").write_text("epochs = 5", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=words):
        written(out)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_export_that_breaks_off_leaves_nothing_and_the_old_one_as_it_was(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt), whole_export(out, MADE) as work:
        (work / "half").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    written(out)
    with pytest.raises(EnvironmentFault, match="No space left"), whole_export(out, MADE) as work:
        raise OSError(28, "No space left on device")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (out / "file").read_text(encoding="utf-8") == "one"
