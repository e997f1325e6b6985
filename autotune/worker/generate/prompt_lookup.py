"""Guesses at the next tokens of a sequence: what followed its last tokens earlier in it.

Small models repeat the prompt and themselves. A guess costs little: the model reads several tokens
in one pass nearly as fast as one, and only those are kept that it predicts itself. This is prompt
lookup decoding (github.com/apoorvumang/prompt-lookup-decoding).
"""

MATCH_TOKENS = 4
"""Tokens that must stand there again. With 2 and 3, more is guessed and more of it wrong; figures
in docs/LOG.md."""


class PromptLookup:
    """The tokens of one sequence, prompt and answer, and guesses at the next ones."""

    def __init__(self, ids: list[int]) -> None:
        """Begin with the prompt's tokens."""
        self.ids: list[int] = []
        self._follows: dict[tuple[int, ...], int] = {}
        self._length = 2
        for token in ids:
            self.add(token)

    def add(self, token: int) -> None:
        """One more token, now certain."""
        if len(self.ids) >= MATCH_TOKENS:
            self._follows[tuple(self.ids[-MATCH_TOKENS:])] = len(self.ids)
        self.ids.append(token)

    def guess(self, most: int) -> list[int]:
        """At most so many tokens that may come next; none where the last tokens are new."""
        found = self._follows.get(tuple(self.ids[-MATCH_TOKENS:]))
        if found is None:
            return []
        length = min(most, self._length)
        # A short loop repeats within the guess itself.
        period = len(self.ids) - found
        return [self.ids[found + at % period] for at in range(length)]

    def judge(self, guessed: int, right: int) -> None:
        """How much of a guess was right decides how much is guessed next time."""
        if guessed:
            self._length = 2 * guessed if right == guessed else max(1, right)
