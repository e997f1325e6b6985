"""Instructions on placeholders and postscripts."""

from autotune.score.ifeval.arguments import Argument, a_count, a_text
from autotune.score.ifeval.instruction import Counted, Instruction, quote
from autotune.score.ifeval.linear import count_placeholders, has_postscript


class NumberPlaceholders(Counted):
    """Enough placeholders in brackets. The published pattern takes quadratic time."""

    id = "detectable_content:number_placeholders"
    arguments = {"num_placeholders": a_count}
    noun = "[placeholder]"

    @property
    def relation(self) -> Argument:
        """No upper limit can be asked for."""
        return "at least"

    @property
    def limit(self) -> Argument:
        """The number of placeholders."""
        return self.given["num_placeholders"]

    def count(self, text: str) -> int:
        """The placeholders."""
        return count_placeholders(text)


class Postscript(Instruction):
    """A postscript that begins with a marker. The published pattern takes quadratic time."""

    id = "detectable_content:postscript"
    arguments = {"postscript_marker": a_text}

    def check(self, answer: str) -> bool:
        """Whether it is there."""
        return has_postscript(answer, str(self.given["postscript_marker"]))

    def decide_early(self, beginning: str) -> bool | None:
        """Once it is there, it stays. Which sigma a capital becomes depends on what follows."""
        if set(str(self.given["postscript_marker"]).lower()) & set("σς"):
            return None
        return True if self.check(beginning) else None

    def explain(self, answer: str) -> str:
        """That it is not there."""
        return f"no postscript that begins with {quote(self.given['postscript_marker'])}"
