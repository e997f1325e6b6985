"""Sentences that lean on what stands before them, and those that greet: neither can begin anew."""

import re

_CONNECTIVE = re.compile(
    r"""\W*(?:
        however | but | and | so | or | yet | then | also | still | thus | hence | therefore
      | moreover | furthermore | additionally | besides | instead | otherwise | nevertheless
      | meanwhile | similarly | likewise | consequently | finally | overall | lastly
      | in\ (?:addition|conclusion|essence|summary|short|fact|other\ words|contrast|this|that)
      | for\ (?:example|instance|this|that) | as\ (?:a\ result|well|such|for)
      | on\ the\ other\ hand | after\ (?:that|this) | at\ the\ same\ time | of\ course
      | that['’]s\ (?:why|because|how) | this\ is\ (?:why|because|how) | to\ sum\ up
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_REFERS = re.compile(
    r"\W*(?:it|its|it['’]s|they|them|their|this|that|that['’]s|these|those|he|she|his|her|such|both"
    r"|another|the (?:other|same|second|first|next|last|latter)|there['’]?s?|here['’]?s?)\b",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:also|too|another|other|others|as well|again|instead|however)\b", re.IGNORECASE
)
_SPEAKS = re.compile(
    r"\W*(?:let['’]?s|let\ me|today|here(?:['’]s|\ is|\ are)|sure|hello|hi|hey|welcome|dear|thank"
    r"|thanks|please|i['’]m\ (?:glad|happy|sorry|so|excited)|that['’]s\ (?:a|an)\b)\b",
    re.IGNORECASE,
)
_SALUTATION = re.compile(
    r"\W*(?:dear|hello|hi|hey|greetings|good (?:day|morning|afternoon|evening)|to whom|welcome|from"
    r"|to|subject|date|sincerely|best|kind|yours|thank|thanks|re)\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"[\w .]{1,24}:\s")


def is_connected(sentence: str) -> bool:
    """Whether it begins with a connective: "However, ...", "As a result ..."."""
    return _CONNECTIVE.match(sentence) is not None


def leans(sentence: str) -> bool:
    """Whether it speaks of something that was named before, or says that it goes on."""
    found = is_connected(sentence) or _REFERS.match(sentence) or _AGAIN.search(sentence)
    return bool(found)


def leads_in(sentence: str) -> bool:
    """Whether it speaks to the reader first, and says nothing yet: "Let's ...", "Hello ..."."""
    return _SPEAKS.match(sentence) is not None


def is_salutation(line: str) -> bool:
    """Whether a first line may be that of a letter, its head or its end: "Dear ...", "To: ..."."""
    return _SALUTATION.match(line) is not None


def is_spoken(sentence: str) -> bool:
    """Whether the name of who speaks stands before it: "Student: ..."."""
    return _SPEAKER.match(sentence) is not None
