"""The instruction on punctuation."""

from autotune.score.ifeval.instruction import Published, number


class NoComma(Published):
    """No comma."""

    id = "punctuation:no_comma"

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at one."""
        return False if "," in beginning else None

    def explain(self, answer: str) -> str:
        """How many there are."""
        return f"{number(answer.count(','), 'comma')}, none is allowed"
