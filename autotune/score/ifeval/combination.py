"""Instructions that combine: the request repeated first, and two responses."""

from autotune.score.ifeval.arguments import a_text
from autotune.score.ifeval.instruction import Published, number
from autotune.score.ifeval.length import has_content


class RepeatPrompt(Published):
    """The answer begins with the request, word for word."""

    id = "combination:repeat_prompt"
    arguments = {"prompt_to_repeat": a_text}

    def decide_early(self, beginning: str) -> bool | None:
        """Certain once it is repeated, or once it is not."""
        asked = str(self.given["prompt_to_repeat"]).strip().lower()
        folded = asked.replace("ς", "σ")
        begun = beginning.lstrip()[: len(asked)].lower()  # never shorter in small letters
        if "σ" not in folded and begun.startswith(asked):
            return True
        common = min(len(begun), len(folded))
        same = begun.replace("ς", "σ")[:common] == folded[:common]
        return None if same else False

    def explain(self, answer: str) -> str:
        """That it does not."""
        return "does not begin with the request, word for word"


class TwoResponses(Published):
    """Two different responses, divided by `******`."""

    id = "combination:two_responses"

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at an empty part, a third response, or two that are the same."""
        *finished, last = beginning.split("******")
        if any(not part.strip() for part in finished[1:]):
            return False
        answers = [part.strip() for part in finished if part.strip()]
        if len(answers) + has_content(last) > 2:
            return False
        return False if len(answers) == 2 and answers[0] == answers[1] else None

    def explain(self, answer: str) -> str:
        """How many there are."""
        parts = [part.strip() for part in answer.split("******") if part.strip()]
        if len(parts) == 2:
            return "two responses that are the same, or a part of nothing between two ******"
        return f"{number(len(parts), 'response')}, exactly 2 divided by ****** are required"
