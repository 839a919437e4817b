"""The monthly report in every language."""

from collections.abc import Mapping
from typing import Final

from jobs.publish.monthly.arabic import ARABIC
from jobs.publish.monthly.english import ENGLISH
from jobs.publish.monthly.french import FRENCH
from jobs.publish.monthly.words import Words

WORDS: Final[Mapping[str, Words]] = {words.locale.language: words for words in (ENGLISH, FRENCH, ARABIC)}
"""The catalogue of each language."""
