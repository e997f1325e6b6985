"""Instructions on how an answer starts and ends."""

import re
from random import Random

from autotune.score.ifeval.arguments import a_text
from autotune.score.ifeval.instruction import Instruction, Stage, quote
from autotune.score.ifeval.own_words import in_case_of

LATE = 0.7
"""From this share of an answer on, a phrase is its ending with something behind it."""

_QUOTES = re.compile("[“”„«»]|``|''")


class EndChecker(Instruction):
    """The answer ends with a phrase, in capitals or not; nothing is certain before its end.

    White space around both and then double quotation marks around the answer do not count
    (`EndChecker`).
    """

    id = "startend:end_checker"
    arguments = {"end_phrase": a_text}
    amended_at = Stage.END

    def check(self, answer: str) -> bool:
        """Whether it does."""
        phrase = str(self.given["end_phrase"]).strip().lower()
        return answer.strip().strip('"').lower().endswith(phrase)

    def explain(self, answer: str) -> str:
        """The phrase."""
        return f"does not end with {quote(self.given['end_phrase'])}"

    def edit(self, answer: str, draw: Random) -> str | None:
        """What follows the phrase goes, else it is put at the end."""
        phrase = str(self.given["end_phrase"]).strip()
        text = answer.rstrip()
        found = text.lower().rfind(phrase.lower())
        if found >= LATE * len(text):
            return text[: found + len(phrase)]
        bare = phrase.rstrip(".!?")
        if bare and text.lower().rstrip(".!?").endswith(bare.lower()):
            return text.rstrip(".!?")[: -len(bare)] + phrase
        return f"{text}\n\n{in_case_of(text, phrase)}"


class Quotation(Instruction):
    """The whole answer stands in double quotation marks, straight ones (`QuotationChecker`).

    White space around them does not count; one mark alone is not two.
    """

    id = "startend:quotation"
    amended_at = Stage.WRAP

    def check(self, answer: str) -> bool:
        """Whether it does."""
        text = answer.strip()
        return len(text) >= 2 and text.startswith('"') and text.endswith('"')

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at another first character."""
        return None if beginning.lstrip()[:1] in ('"', "") else False

    def explain(self, answer: str) -> str:
        """That it does not."""
        return "not wrapped in double quotation marks as a whole"

    def edit(self, answer: str, draw: Random) -> str | None:
        """It is put in them; those within become single ones."""
        inner = _QUOTES.sub("'", answer.strip().replace('"', "'"))
        return f'"{inner}"'
