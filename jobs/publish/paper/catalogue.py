"""Catalogues of words: every language has one of each kind, and all of a kind have the same entries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar

from jobs.publish.paper.locales import Counted
from schemas.errors import ConfigError

LANGUAGES: Final = ("en", "fr", "ar")
"""Languages that papers are written in, the first unless another is asked for."""

EVERY: Final = "all"
"""What stands for all of them where languages are asked for."""

Catalogue = TypeVar("Catalogue")


def each_text(catalogue: Catalogue, change: Callable[[str], str]) -> Catalogue:
    """Return a catalogue, a dataclass of texts, with every text changed, also those within tuples and mappings."""
    if not is_dataclass(catalogue):
        raise TypeError("a catalogue is a dataclass")
    texts = {field.name: _changed(getattr(catalogue, field.name), change) for field in fields(catalogue)}
    changed: Any = replace(catalogue, **texts)  # type: ignore[type-var] # an instance, as was seen above
    return changed  # type: ignore[no-any-return]


def _changed(text: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 # what a catalogue holds
    match text:
        case str():
            return change(text)
        case Counted():
            return Counted(_changed(text.forms, change))
        case Mapping():
            return {key: _changed(one, change) for key, one in text.items()}
        case tuple():
            return tuple(_changed(one, change) for one in text)
        case _:
            return text


def languages_of(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the languages asked for, each once and in a fixed order.

    Raises:
        ConfigError: One of them is none of ours, or there is none.
    """
    if strange := sorted(set(asked) - {*LANGUAGES, EVERY}):
        raise ConfigError(
            f"No paper is written in {strange[0]!r}.",
            f"one or several of {', '.join(LANGUAGES)}, or {EVERY}",
            "name one of these languages",
        )
    return LANGUAGES if EVERY in asked else tuple(one for one in LANGUAGES if one in asked) or LANGUAGES[:1]


def file_name(stem: str, language: str, form: str) -> str:
    """Return the name of a file in a language: plain in English, else with the language before the ending."""
    return f"{stem}.{form}" if language == LANGUAGES[0] else f"{stem}.{language}.{form}"
