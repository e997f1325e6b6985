"""What is said before the libraries are loaded that a command works with."""


def first_line(text: str, *, as_json: bool) -> None:
    """Say at once what a command does. Loading takes a second, and a slow disk makes it several.

    `text` has letters that every terminal shows. With `as_json` nothing is said: the work itself
    tells a person then, on standard error.
    """
    if not as_json:
        print(text, flush=True)
