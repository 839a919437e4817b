"""The situation in every language."""

from collections.abc import Mapping
from typing import Final

from jobs.publish.situation.arabic import ARABIC
from jobs.publish.situation.english import ENGLISH
from jobs.publish.situation.french import FRENCH
from jobs.publish.situation.words import Words

WORDS: Final[Mapping[str, Words]] = {words.locale.language: words for words in (ENGLISH, FRENCH, ARABIC)}
"""The catalogue of each language."""
