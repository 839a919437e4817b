"""Every word of an explorer, in three languages: one catalogue each, with the same keys and the same gaps to fill."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("en", "fr", "ar")
"""In the order in which the page offers them."""


PARTS: Final = ("shared", "graded")
"""Pages that say some things in other words: of a part that was shared, and of one without rows of a worse grade."""


@cache
def catalogue(language: str) -> dict[str, Any]:
    """Return the words of a language: texts, lists and tables of texts by key."""
    return _read(language)


def catalogues(parts: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
    """Return all languages; of pages of shared parts, with the words that these have instead."""
    found = {language: catalogue(language) for language in LANGUAGES}
    for part in parts:
        found = {language: _instead(words, _read("parts")[part][language]) for language, words in found.items()}
    return found


def _instead(words: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Words with others in their place; of a list, the first ones are replaced."""
    return {**words, **{key: _replaced(words[key], other) for key, other in others.items()}}


def _replaced(old: Any, new: Any) -> Any:  # noqa: ANN401 - a text, a list or a table of texts
    if isinstance(new, dict):
        return _instead(old, new)
    return [*new, *old[len(new) :]] if isinstance(new, list) else new


@cache
def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(files(__package__).joinpath("words", f"{name}.json").read_text(encoding="utf-8"))
    return read
