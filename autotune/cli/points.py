"""`--enqueue FILE`: points to try, read from a file."""

import json
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput
from autotune.config.study import point_faults


def read_points(path: Path) -> list[dict[str, Any]]:
    """The points in a file: a JSON list of objects, or an object a line.

    Raises:
        BadInput: it cannot be read, is neither, or a point has what no strategy can have.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(
            f"--enqueue {path}: cannot be read ({error.strerror or error}); give a file of points"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"--enqueue {path}: not UTF-8 at byte {error.start}") from error
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = _lines(path, text)
    points = found if isinstance(found, list) else [found]
    if not points or not all(isinstance(point, dict) for point in points):
        raise _refused(path, "holds no points")
    if faults := point_faults(points):
        raise BadInput(f"--enqueue {path}: {'; '.join(faults)}")
    return points


def _lines(path: Path, text: str) -> list[Any]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise _refused(path, f"line {number} is no JSON ({error})") from error
    return found


def _refused(path: Path, what: str) -> BadInput:
    return BadInput(
        f'--enqueue {path}: {what}; must be objects such as {{"learning_rate": 3e-4}}, in a list or'
        " one a line"
    )
