"""The base of every value that crosses a border: a file, a pipe, a profile.

Boundary values are frozen and strict: an unknown key, a string where a number belongs, `nan` or
`inf` is refused. They are read with `model_validate_json`, where strictness still lets JSON lists
become tuples and JSON strings become enum members.
"""

from typing import Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Boundary(BaseModel):
    """A frozen, strict pydantic model; JSON in, the same JSON out."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )

    @classmethod
    def from_parts(cls, *parts: object, **own: Any) -> Self:
        """One with the fields `own`, and every other field as the first part that has it.

        So a value that passes from one model to the next is not named on its way. What no part has
        keeps its default.

        Example:
            `StepDone.from_parts(result, step=3, total_steps=9, memory_bytes=peak)`

        Raises:
            ValidationError: a field that has no default is in none of them, or breaks its rule.
        """
        for name in cls.model_fields:
            holder = next((part for part in parts if hasattr(part, name)), None)
            if holder is not None:
                own.setdefault(name, getattr(holder, name))
        return cls(**own)


def lowered(value: object) -> object:
    """A text in lower case; anything else as it is."""
    return value.lower() if isinstance(value, str) else value


ANY_CASE = BeforeValidator(lowered)
"""For values of which there are only a few: `AUTO`, `Cuda` and `ALL` are what they say."""
