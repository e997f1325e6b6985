"""Seeds of what is drawn within a step: by its place in the step, not by what was drawn before."""

import hashlib


def seed_of(what: str, *numbers: int) -> int:
    """The seed of a purpose, such as `neftune`, and of where it is used: training, step, place.

    Hashed, since a CPU's generator takes the lowest 32 bits of it only.
    """
    text = " ".join([what, *map(str, numbers)])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:7], "big")
