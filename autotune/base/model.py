"""The base of every value that crosses a border: a file, a pipe, a profile.

Boundary values are frozen and strict: an unknown key, a string where a number belongs, `nan` or
`inf` is refused. They are read with `model_validate_json`, where strictness still lets JSON lists
become tuples and JSON strings become enum members.
"""

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Boundary(BaseModel):
    """A frozen, strict pydantic model; JSON in, the same JSON out."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


def lowered(value: object) -> object:
    """A text in lower case; anything else as it is."""
    return value.lower() if isinstance(value, str) else value


ANY_CASE = BeforeValidator(lowered)
"""For values of which there are only a few: `AUTO`, `Cuda` and `ALL` are what they say."""
