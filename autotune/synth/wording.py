"""How a request words each instruction: full sentences, and phrases that go inside a sentence."""

from autotune.synth.kinds import Ask

SENTENCES: dict[Ask, tuple[str, ...]] = {
    Ask.EXISTENCE: (
        "Include the {words} somewhere in the text.",
        "Please use the {words}.",
        "Make sure the {words} can be found in your reply.",
        "Your text has to mention the {words}.",
        "Work in the {words}.",
    ),
    Ask.FORBIDDEN: (
        "Do not use the {words}.",
        "Leave out the {words}.",
        "Avoid the {words} in your answer.",
        "The {words} must not appear.",
        "Please write it without the {words}.",
    ),
    Ask.NO_COMMA: (
        "Do not use any commas.",
        "Please write without commas.",
        "No commas are allowed.",
        "Your reply should be free of commas.",
        "I do not want to see a single comma.",
    ),
    Ask.POSTSCRIPT: (
        "Add a postscript that begins with {marker} at the end.",
        "Finish with a postscript starting with {marker}",
        "At the end, include a note that starts with {marker}",
        "Close with a {marker} line.",
    ),
    Ask.PLACEHOLDERS: (
        "Use at least {n} placeholders in square brackets, for example [name].",
        "Leave at least {n} blanks in square brackets, like [date], for me to fill in.",
        "It needs {n} or more placeholders such as [place].",
        "Put in no fewer than {n} placeholders, each in square brackets like [time].",
    ),
    Ask.BULLETS: (
        'Use exactly {n} bullet points, each starting with "* ".',
        "Write exactly {n} bullet points in markdown, like this:\n* First point\n* Second point",
        "Give exactly {n} points as a markdown list with * at the start of each line.",
        "I want {n} bullet points, no more and no less. Start each one with an asterisk (*).",
    ),
    Ask.HIGHLIGHTS: (
        "Highlight at least {n} parts with asterisks, like *this*.",
        "Mark {n} or more important phrases in markdown, as in *important phrase*.",
        "At least {n} phrases should be highlighted like *this one*.",
        "Use *asterisks* to highlight no fewer than {n} passages.",
    ),
    Ask.SECTIONS: (
        "Divide it into {n} sections and mark them {splitter} 1, {splitter} 2 and so on.",
        "Your text should have {n} parts, each headed {splitter} X, where X is its number.",
        "Use {n} sections. Start each one with {splitter} and its number.",
    ),
    Ask.JSON: (
        "Give the whole answer as JSON.",
        "Reply with a JSON object and nothing else.",
        "Format your entire output as valid JSON.",
        "I need the result in JSON format only.",
    ),
    Ask.TITLE: (
        "Give it a title between double angular brackets: <<my title>>.",
        "Put a title at the top, wrapped like <<this>>.",
        "It should have a title inside << and >>.",
        "Add a title between double angular brackets, e.g. <<title>>.",
    ),
    Ask.TWO_RESPONSES: (
        "Give me two different versions and separate them with ******.",
        "Write two different answers, with six asterisks (******) between them.",
        "I want exactly two versions. Put ****** between the two.",
    ),
    Ask.REPEAT: (
        "First repeat the request above exactly as it is, then answer it.",
        "Before you answer, copy the text above word for word. Say nothing before the copy.",
        "Start your reply with my request above, unchanged, and then give the answer.",
    ),
    Ask.ENDING: (
        'End with exactly these words: "{phrase}"',
        'The very last sentence must be "{phrase}" with nothing after it.',
        'Finish your reply with the phrase "{phrase}" and stop there.',
        'Your last words should be "{phrase}"',
    ),
    Ask.QUOTATION: (
        "Put the whole reply in double quotation marks.",
        'Wrap everything you write in double quotes (").',
        "Your entire answer should stand between double quotation marks.",
        "Start and end your answer with a double quotation mark.",
    ),
    Ask.UPPERCASE: (
        "Write in English and use capital letters only.",
        "USE ONLY CAPITAL LETTERS IN YOUR REPLY.",
        "Every letter should be a capital letter.",
        "The whole answer has to be in uppercase.",
    ),
    Ask.LOWERCASE: (
        "Write in English and use lowercase letters only.",
        "Do not use a single capital letter.",
        "Everything should be in lowercase.",
        "use only small letters please, no capitals at all.",
        "All letters must be lowercase.",
    ),
    Ask.CONSTRAINED: (
        'Answer with one of these: "My answer is yes.", "My answer is no.", "My answer is maybe."',
        "Choose one of these replies: My answer is yes. / My answer is no. / My answer is maybe.",
        "Your reply must contain one of these sentences:\nMy answer is yes.\nMy answer is no.\n"
        "My answer is maybe.",
    ),
    Ask.LANGUAGE: (
        "Use only {language}.",
        "Write everything in {language} and in no other language.",
        "The whole answer should be in {language}.",
    ),
    Ask.PARAGRAPHS: (
        "Write exactly {n} paragraphs and put *** between them.",
        "There should be {n} paragraphs, divided by three asterisks: ***",
        "Use {n} paragraphs separated by the divider ***.",
    ),
    Ask.NTH_PARAGRAPH: (
        'Write {n} paragraphs with a blank line between them. Begin paragraph {nth} with "{word}".',
        "Use exactly {n} paragraphs, separated by blank lines, and start paragraph {nth} with"
        ' the word "{word}".',
        "There should be {n} paragraphs, each followed by an empty line, and the first word of"
        ' paragraph {nth} must be "{word}".',
    ),
}
"""Instructions whose wording does not depend on a relation."""

AT_LEAST: dict[Ask, tuple[str, ...]] = {
    Ask.FREQUENCY: (
        'Use the word "{word}" at least {n} times.',
        'The word "{word}" should show up {n} or more times.',
        'Mention "{word}" no fewer than {n} times.',
    ),
    Ask.LETTER: (
        'The letter "{letter}" should occur at least {n} times.',
        "Use the letter {letter} {n} or more times.",
        "Make sure that the letter {letter} comes up at least {n} times.",
    ),
    Ask.SENTENCES: (
        "Write at least {n} sentences.",
        "It should have {n} or more sentences.",
        "Use no fewer than {n} sentences.",
    ),
    Ask.WORDS: (
        "Write at least {n} words.",
        "It should be {n} words or longer.",
        "Use no fewer than {n} words.",
        "The text needs {n} or more words.",
    ),
    Ask.CAPITAL_WORDS: (
        "Write at least {n} words in all capital letters.",
        "Stress {n} or more words by writing them fully in capitals.",
        "Put at least {n} words in ALL CAPS.",
    ),
}
"""Wording of a lower bound."""

LESS_THAN: dict[Ask, tuple[str, ...]] = {
    Ask.FREQUENCY: (
        'Use the word "{word}" fewer than {n} times.',
        'The word "{word}" should show up less than {n} times.',
        'Mention "{word}" at most {below} times.',
    ),
    Ask.LETTER: (
        'The letter "{letter}" should occur fewer than {n} times.',
        "Use the letter {letter} less than {n} times.",
        "The letter {letter} may come up at most {below} times.",
    ),
    Ask.SENTENCES: (
        "Write fewer than {n} sentences.",
        "Keep it under {n} sentences.",
        "Use at most {below} sentences.",
    ),
    Ask.WORDS: (
        "Write fewer than {n} words.",
        "Keep it under {n} words.",
        "Use less than {n} words.",
        "Stay below {n} words.",
    ),
    Ask.CAPITAL_WORDS: (
        "Write some words in all capital letters, but fewer than {n}.",
        "A few words may be fully in capitals, but keep them under {n}.",
    ),
}
"""Wording of an upper bound; `{below}` is the bound less one."""

NONE_AT_ALL: dict[Ask, tuple[str, ...]] = {
    Ask.LETTER: ("Do not use the letter {letter} at all.", 'The letter "{letter}" must not occur.'),
}
"""Wording of an upper bound of one, which allows none."""

SYMBOLS: dict[str, tuple[str, ...]] = {
    "#": ("Add at least {n} hashtags.", "Include {n} or more hashtags that start with #."),
    "!": ("Use at least {n} exclamation marks.", "Put in {n} or more exclamation marks (!)."),
}
"""Wording of letter_frequency for marks that are not letters."""

INSIDE: dict[Ask, tuple[str, ...]] = {
    Ask.NO_COMMA: (" without using any commas", " without commas"),
    Ask.LOWERCASE: (" in all lowercase letters", " using only lowercase letters"),
    Ask.UPPERCASE: (" in all capital letters", " using only capital letters"),
    Ask.TITLE: (" with a title in double angular brackets like <<title>>",),
    Ask.LANGUAGE: (" in {language}",),
    Ask.BULLETS: (" in exactly {n} bullet points (use * for each)",),
    Ask.QUOTATION: (" and wrap all of it in double quotation marks",),
    Ask.POSTSCRIPT: (" with a {marker} at the end",),
}
"""Phrases that go before the full stop of a request."""

INSIDE_AT_LEAST: dict[Ask, tuple[str, ...]] = {
    Ask.WORDS: (" with at least {n} words", " in {n} or more words"),
    Ask.SENTENCES: (" with at least {n} sentences", " in {n} or more sentences"),
    Ask.FREQUENCY: (' and use the word "{word}" at least {n} times',),
}
"""Phrases of a lower bound that go before the full stop of a request."""

INSIDE_LESS_THAN: dict[Ask, tuple[str, ...]] = {
    Ask.WORDS: (" in fewer than {n} words", " in under {n} words"),
    Ask.SENTENCES: (" in fewer than {n} sentences", " in less than {n} sentences"),
}
"""Phrases of an upper bound that go before the full stop of a request."""
