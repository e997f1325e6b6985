"""Foreign text without secrets."""

import pytest

from autotune.sources.pypi import redact


def test_tokens_passwords_and_secret_variables_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "s3cr3t-value")
    monkeypatch.setenv("SOME_TOKEN", "1")
    text = "GET https://me:pw@host/x s3cr3t-value hf_AbCdEfGhIjKl page 1 of https://host/@x"
    assert redact(text) == "GET https://***@host/x *** *** page 1 of https://host/@x"
