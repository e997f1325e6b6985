"""Words and endings that an instruction may ask for, whatever the topic."""

_ODD_WORDS = """
    window neighbor garden teacher morning pocket letter mountain radio blanket village ticket
    bakery weather puzzle holiday captain lantern doctor pencil secret journey island cousin
"""
ODD_WORDS: tuple[str, ...] = tuple(_ODD_WORDS.split())
"""Keywords that have nothing to do with the topic."""

_FIRST_WORDS = """
    weekends teachers children rain books curious today friends patience finally remember listen
    everyone imagine questions history some stories
"""
FIRST_WORDS: tuple[str, ...] = tuple(_FIRST_WORDS.split())
"""Words that a paragraph may have to start with."""

_COMMON_WORDS = """
    very really important thing nice always never great amazing beautiful best people world
    interesting because however perfect just
"""
COMMON_WORDS: tuple[str, ...] = tuple(_COMMON_WORDS.split())
"""Words that are easy to use by habit, to be forbidden."""

ENDINGS: tuple[str, ...] = (
    "Thank you for reading.",
    "That is all for now.",
    "Let me know if you want more.",
    "I hope this helps.",
    "Now it is your turn.",
    "Have a wonderful day.",
    "What would you like to know next?",
    "Please ask me again at any time.",
    "And that is the whole story.",
    "See you soon.",
    "Would you like to hear more?",
    "Keep on learning.",
    "Take good care.",
    "Try it and see.",
)
"""Phrases that an answer may have to end with."""

UNANSWERABLE: tuple[str, ...] = (
    "Would every child like to learn about {topic}?",
    "Will I enjoy a book about {topic}?",
    "Will the next film that I watch be about {topic}?",
    "Does my neighbor know a lot about {topic}?",
)
"""Questions about a topic that can only be answered with "maybe"."""
