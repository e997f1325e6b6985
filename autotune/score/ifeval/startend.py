"""Instructions on how an answer starts and ends."""

from autotune.score.ifeval.arguments import a_text
from autotune.score.ifeval.instruction import Published, quote


class EndChecker(Published):
    """The answer ends with a phrase; nothing is certain before its end."""

    id = "startend:end_checker"
    arguments = {"end_phrase": a_text}

    def explain(self, answer: str) -> str:
        """The phrase."""
        return f"does not end with {quote(self.given['end_phrase'])}"


class Quotation(Published):
    """The whole answer stands in double quotation marks."""

    id = "startend:quotation"

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at another first character."""
        return None if beginning.lstrip()[:1] in ('"', "") else False

    def explain(self, answer: str) -> str:
        """That it does not."""
        return "not wrapped in double quotation marks as a whole"
