"""Texts at the edges of each of IFEval's 25 rules, with the verdicts that the rules give.

What the published checkers' own tests ask about is among them, in other words.
"""

from typing import Any, NamedTuple

ENGLISH = "the weather is very nice today and we are going to the garden"
GERMAN = "Das Wetter ist heute sehr schön und wir gehen in den Garten."


class Edge(NamedTuple):
    """An instruction, texts that follow it, and texts that do not."""

    kind: str
    given: dict[str, Any]
    follow: tuple[str, ...]
    fail: tuple[str, ...]


def at_least(number: int, limit: str, relation: str = "relation", **given: Any) -> dict[str, Any]:
    return {limit: number, relation: "at least", **given}


def less_than(number: int, limit: str, relation: str = "relation", **given: Any) -> dict[str, Any]:
    return {limit: number, relation: "less than", **given}


CAPITALS = ("capital_frequency", "capital_relation")
LETTERS = ("let_frequency", "let_relation")

EDGES: tuple[Edge, ...] = (
    Edge(
        "change_case:capital_word_frequency",
        at_least(3, *CAPITALS),
        (
            "HERE are THREE LOud SHOUTED words",
            "I think I know what I do",  # one letter is a word
            "X-RAY, U.N. and B2B",  # a hyphen joins, digits do not matter
            "DON'T GO",  # NLTK makes three words of it
            "A\nB\nC",
            "STOP. GO! WAIT?",
        ),
        ("TWO ONly ARE capital", "12 34 56 --", "Ünder ÜBER ÉTÉ", "X-RAY-VISION IS"),
    ),
    Edge(
        "change_case:capital_word_frequency",
        less_than(2, *CAPITALS),
        ("no capitals at all", "Only ONE word", "Title Case For All"),
        ("TWO WORDS", "I am what I am"),
    ),
    Edge(
        "change_case:english_capital",
        {},
        (ENGLISH.upper(), ENGLISH.upper() + "!!! 123", "\n" + ENGLISH.upper() + ".\n"),
        (
            ENGLISH.title(),
            ENGLISH.upper() + " ok",
            GERMAN.upper(),
            "123 456",  # no letters, none capital
            ENGLISH.upper().replace("I", "ı"),
        ),
    ),
    Edge(
        "change_case:english_lowercase",
        {},
        (ENGLISH, ENGLISH + ".", "1. " + ENGLISH),
        ("Almost " + ENGLISH, GERMAN.lower(), "123", ENGLISH + " I"),
    ),
    Edge(
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Write a poem. "},
        (
            "Write a poem.",
            "  WRITE A POEM.\nRoses.",
            "Write a poem.Roses.",
            "\n\nwrite a poem. Hi all, please look.",
        ),
        ("Hi. Write a poem.", '"Write a poem." Roses.', "Write a  poem. Roses.", "Write a poem"),
    ),
    Edge(
        "combination:two_responses",
        {},
        (
            "One.\n******\nTwo.",
            "******\nOne.\n******\nTwo.\n******",
            "One.******Two.",
            "One.\n*******\nTwo.",  # the seventh belongs to the second
            " \n******One.******one.",
        ),
        (
            "One.\n******\n One. ",
            "One.\n******\nTwo.\n******\nThree.",
            "******\nOne.\n******\n******\nTwo.\n******",
            "One.\n*****\nTwo.",
            "******\n******",
            "One.\n******\n",
        ),
    ),
    Edge(
        "detectable_content:number_placeholders",
        {"num_placeholders": 3},
        ("[Name]\n[Phone]\n[Site]", "My [a] [b] is [c]. I [d].", "[][][]", "[a [b] [c] ] [d]"),
        ("[a] [b\n] [c]", "(a) (b) (c)", "[a][b]", "[[a]] [b]"),
    ),
    Edge("detectable_content:number_placeholders", {"num_placeholders": 0}, ("none", "[a]"), ()),
    Edge(
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        (
            "Bye.\n\nP.S. That is all.",
            "not on a new line P.S. Ha.",
            "So.\n P. S. With a space.",
            "P.S.",
            "p.s.s",
            "p.\ns.",
            "shop.s.",
            "P.P.S. Ha",  # holds one
            "Bye.\n\nP.P.S. p.s. More.",
        ),
        ("Bye.\n\nPS: That is all.", "P.S That", "P.  S. Two spaces", "P.P.S That"),
    ),
    Edge(
        "detectable_content:postscript",
        {"postscript_marker": "P.P.S"},
        ("All small.\np.p.s what then?", "P.P.S. More.\n\nAny questions?", "P. P. S", "p.\np.\ns"),
        ("P.S. One", "PPS", "P.P S", "P.P.  S"),
    ),
    Edge(
        "detectable_content:postscript",
        {"postscript_marker": "PS:"},
        ("ps: all", "Oops: no", "PS:"),
        ("P.S. That", "PS That", "PS :"),
    ),
    Edge(
        "detectable_format:constrained_response",
        {},
        (
            "\n My answer is no.\n",
            "My answer is maybe.   ",
            "I say this. My answer is yes. I am sure.",
            '"My answer is no." and My answer is yes.',
        ),
        ("My answer is no", "my answer is no.", "My answer is: no.", "My  answer is no.", "No."),
    ),
    Edge(
        "detectable_format:json_format",
        {},
        (
            '{"a": [1, 2]}',
            '```json\n{"a": 1}\n```',
            "```Json\n[]\n```",
            "```JSON\n1\n```",
            '```\n"a"\n```',
            '{"a": 1}```',  # half a fence
            "```json[]",
            "```json```\n1\n```",  # two openings, of different kinds
            "NaN",
            "-Infinity",
            "true",
            " 12 ",
            '{"a": 1, "a": 2}',
        ),
        (
            'Sure!\n```json\n{"a": 1}\n```',
            "{'a': 1}",
            '{"a": 1,}',
            "",
            "```json\n```",
            '```json\n{"a": 1}\n```\nThat is it.',
            "```jsonc\n1\n```",
            "```json```json\n1\n```",
            "```json\n```\n1\n```",
            '{"a": 1} {"b": 2}',
            '"a\nb"',
            "True",
            "01",
            "1" * 5000,
        ),
    ),
    Edge(
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        (
            "Section 1\na\nSection 2\nb",
            "as Section 1 and Section 22 in a line",
            "Section1Section2",
            "SubSection 1 Section\n2",
            "Section 1 Section 1",
            "Section 1. Section ٢",  # any script's digits
        ),
        (
            "SECTION 1\na\nSECTION 2\nb",
            "Section 1\na\nSection II\nb",
            "Section  1 Section  2",
            "Section: 1 Section: 2",
            "Sections 1 and 2",
        ),
    ),
    Edge(
        "detectable_format:multiple_sections",
        {"section_spliter": " Day ", "num_sections": 1},
        ("Day 1", "Monday? Day 1!"),
        ("day 1", "Day one", "Monday 1"),
    ),
    Edge(
        "detectable_format:multiple_sections",
        {"section_spliter": "1", "num_sections": 2},
        ("1 1 1 1", "11 1 2", "1\u00a01 12"),
        ("1 1 1", "111", "1. 1."),
    ),
    Edge(
        "detectable_format:number_bullet_lists",
        {"num_bullets": 3},
        (
            "A list (*):\n* one\n*(without a space)\n  * two\nnothing more, *, here",
            "- one\n- two\n-three",
            "* one\n\n\n* two\n\t- three",
            "---\n***\n---\n- one",  # rows of dashes count, of asterisks not
            "*a*\n* b\n- c",
            "* one\r\n* two\r\n* three",
        ),
        (
            "* one\n* two",
            "* one\n* two\n* three\n* four",
            "• one\n• two\n• three",
            "1. one\n2. two\n3. three",
            "** one\n** two\n** three",
            "a * b\nb - c\nc - d",
        ),
    ),
    Edge(
        "detectable_format:number_bullet_lists",
        {"num_bullets": 1},
        ("First\n***\nSecond\n***\nThird\n* one", "*\nb", "-"),
        ("***\n***", "*", "none"),
    ),
    Edge(
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        (
            "type:*hello* or **hello**",
            "*two parts* of *one line*",
            "**both** once **over**",
        ),
        (
            "*first\n*second*\n*third\n*fourth",
            "* * and ** ** and ****",
            "*a*",
            "**a**",
            "_a_ and _b_",
            "*a\nb* and *c\nd*",
        ),
    ),
    Edge(
        "detectable_format:title",
        {},
        (
            "<<Joy>>\nLa la.",
            "At the end?\n<<This is it>>",
            "a << b >> c",
            "<<a>>",
            "<<<a>>>",
            "<<a> b>>",
            "x << y and z >> w",
        ),
        ("<< >>\nNone.", "<<Begun here,\nended here>>", "<Joy>", "<<>>", "<<<>>>", "«Joy»"),
    ),
    Edge(
        "keywords:existence",
        {"keywords": ["romantic", "river", "Mona Lisa"]},
        (
            "A ROMANTIC boat on the Riverside, past the mona lisa",
            "unromantically driven: rivers, Mona Lisas",
        ),
        ("romance on the river, Mona Lisa", "romantic river, Mona  Lisa", "mona lisa"),
    ),
    Edge(
        "keywords:existence",
        {"keywords": ["C++", "a.b", "ſ"]},
        ("c++ and A.B, s", "S: C++ A.B"),
        ("c and a.b, s", "c++ and aXb, s", "C+++ a.b"),
    ),
    Edge("keywords:existence", {"keywords": [" sea"]}, ("the sea", "a season"), ("sea", "\nsea")),
    Edge(
        "keywords:forbidden_words",
        {"forbidden_words": ["HOUSE", "power", "a-b", "sea salt"]},
        (
            "Housed in a powerful, powerless greenhouse",
            "house_1 and power2",
            "a b, a--b, sea, salt, sea  salt",
        ),
        ("My house.", "POWER!", "(power)", "un-power", "x a-b x", "seas? sea salt", "the 'House'"),
    ),
    Edge(
        "keywords:forbidden_words",
        {"forbidden_words": ["C++", ".net", "été"]},
        ("I know C++ and .net", "C++", "étés", " .NET"),
        ("C++x", "asp.net", "L'été", "ÉTÉ"),
    ),
    Edge(
        "keywords:frequency",
        at_least(3, "frequency", keyword="  keyword "),
        ("keyword, Keyword, KEYWORD", "keywordkeywordkeywords", " *keyword\n *keyword\n *keyword"),
        ("keyword keyword", "key word key word key word"),
    ),
    Edge(
        "keywords:frequency",
        less_than(2, "frequency", keyword="aa"),
        ("aa", "aAa", "a a a", "b"),  # places do not overlap
        ("aaaa", "aa, AA"),
    ),
    Edge(
        "keywords:frequency",
        at_least(2, "frequency", keyword="(a.b)"),
        ("(a.b)(A.B)",),
        ("(a.b)(acb)", "a.b a.b"),
    ),
    Edge(
        "keywords:letter_frequency",
        at_least(4, *LETTERS, letter="T"),
        ("This is it. To take.", "tttt", "T T T T"),
        ("ttt", "ťťťť", "τττττ"),
    ),
    Edge(
        "keywords:letter_frequency",
        less_than(4, *LETTERS, letter="i"),
        ("iII", "dotless ıııı", ""),
        ("iiii", "İİİİ"),  # small letters of these are an i and a dot
    ),
    Edge(
        "language:response_language",
        {"language": "en"},
        ("The response is English", "Today we visit the Louvre", "123 !!", "..."),
        (GERMAN, "Desayunamos en McDonald's hoy", "これは日本語です"),
    ),
    Edge(
        "language:response_language",
        {"language": "es"},
        ("Desayunamos en McDonald's hoy", "123"),
        ("Today we visit the Louvre", GERMAN),
    ),
    Edge(
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "I"},
        (
            "First\n\n I am second\n\nthird",
            "First\n\ni\n\nthird",
            'First\n\n"I." said I\n\nthird',
            "First\n\n'I'm\n\nthird",
            "First\n\nI\n\nthird\n\n",
            "First\n\n'\"I\n\nthird",
        ),
        (
            "First\n\nI am second",
            "First\n\nAm I second\n\nthird",
            "First\n\nIt\n\nthird",
            "\n\nFirst\n\nI\n\nthird",  # the empty one is the first
            "First\n\n\n\nI\n\nthird",
            "First\n\n\"'I\n\nthird",  # an apostrophe is taken off before quotation marks only
            "First\n\nI\n\nthird\n\nfourth",
            "First\n\n.I\n\nthird",
            "First\n\n(I)\n\nthird",
            "First\n \nI\n \nthird",
        ),
    ),
    Edge(
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "Really"},
        ('"Really?! More than three?"', "Really", "really, so\nreally"),
        ("Rea!lly more", "Reallys", "\n\nReally", "Real ly"),
    ),
    Edge(
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "ΟΔΟΣ"},
        ("οδος", "Οδος."),
        ("ΟΔΟΣ", "οδοσ"),  # letter by letter a capital sigma is never a final one
    ),
    Edge(
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 3},
        (
            "one\n***\ntwo\n***\nthree",
            "\n   ***\none\n   ***\n  two\n   ***\n   three",
            "one\n***\ntwo\n***\nthree\n   ***",
            "one***two***three",
            "one\n****\ntwo\n***\nthree",  # the fourth belongs to a paragraph
            "***one***two***three***",
        ),
        (
            "one\n***\ntwo\n***\n***",
            "one\n***\ntwo",
            "one\n\ntwo\n\nthree",
            "one\n***\n***\ntwo\n***\nthree",
            "one\n---\ntwo\n---\nthree",
            "one\n***\ntwo\n***\nthree\n***\nfour",
            "one ****** two *** three",
        ),
    ),
    Edge("length_constraints:number_paragraphs", {"num_paragraphs": 0}, ("***",), ("a", "***a")),
    Edge(
        "length_constraints:number_sentences",
        less_than(4, "num_sentences"),
        ("Dr. Smith met Mr. Jones. It rained.", "e.g. this. A", "No stop at all\n\nand no more"),
        ("ab,c. ab,c! ab/c. a{b}c?", "One. Two. Three. Four."),
    ),
    Edge(
        "length_constraints:number_sentences",
        at_least(4, "num_sentences"),
        (
            "abcd. ab,c! ab|c. a&b c?",
            'He left. "Did he?" She asked. Yes!',
            "One! Two! Three! Four!",
        ),
        ("ab-c. ab,c! a,bc?", "Version 1.2.3.4 of it", "1. 2. 3. four"),
    ),
    Edge(
        "length_constraints:number_words",
        less_than(8, "num_words"),
        ("m0d3l l4nGu4g3 w1tH 20 W0rdS", "a-b-c d'e f", "एक दो", "- - - * * *"),
        ("a-b-c d'e f_g h i", "हिन्दी हिन्दी हिन्दी"),
    ),
    Edge(
        "length_constraints:number_words",
        at_least(3, "num_words"),
        ("don't go", "1.5 km", "日本 語 です", "a_b c d"),
        ("one two", "a_b_c d", "日本語です", ""),
    ),
    Edge(
        "punctuation:no_comma",
        {},
        ("Short. None of them here.", "one; two", "一、二，三", "‚low quote‚"),
        ("Since then, all", "1,000", ","),
    ),
    Edge(
        "startend:end_checker",
        {"end_phrase": "\n Any more questions?\n"},
        (
            "It is 7. Any more questions?\n",
            "any MORE questions?",
            '"It is 7. Any more questions?"',
            ' It is 7. Any more questions?"" ',
            "Many more questions?Any more questions?",
        ),
        (
            "Any more questions? No.",
            "It is 7. Any more questions",
            "It is 7. Any more questions?'",
            '"It is 7. Any more questions? "',
            "It is 7. Any more questions?*",
        ),
    ),
    Edge(
        "startend:end_checker",
        {"end_phrase": 'the "end"'},
        (),
        ('This is the "end"', 'This is the "end'),  # its own last mark is taken off
    ),
    Edge(
        "startend:quotation",
        {},
        ('"All of it."', '\n "All"\n', '""', '"a" and "b"', '"\n"'),
        ('"Some." But not all.', '"', "“All of it.”", "'All'", '"All".', '*"All"*'),
    ),
)
