"""The instruction on the language of an answer."""

from autotune.score.ifeval.arguments import a_language
from autotune.score.ifeval.instruction import Instruction, quote
from autotune.score.ifeval.words import detect_language


class ResponseLanguage(Instruction):
    """The answer is in a language (`ResponseLanguageChecker`).

    A text whose language is unknown passes. The published checker draws at random within
    langdetect; `language` does not. Nothing is certain early: what is still to come may be in
    another language. No edit translates.
    """

    id = "language:response_language"
    arguments = {"language": a_language}

    def check(self, answer: str) -> bool:
        """Whether it is."""
        language = self.given["language"]
        return detect_language(answer) in (language, None)

    def explain(self, answer: str) -> str:
        """The language that it is in."""
        found = detect_language(answer) or "?"
        return f"in the language {quote(found)}, must be {quote(self.given['language'])}"
