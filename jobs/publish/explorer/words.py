"""Every word of an explorer, in three languages: one catalogue each, with the same keys and the same gaps to fill."""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("en", "fr", "ar")
"""In the order in which the page offers them."""


@cache
def catalogue(language: str) -> dict[str, Any]:
    """Return the words of a language: texts, lists and tables of texts by key."""
    text = files(__package__).joinpath("words", f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, Any] = json.loads(text)
    return words


def catalogues() -> dict[str, dict[str, Any]]:
    """Return all languages."""
    return {language: catalogue(language) for language in LANGUAGES}
