"""What the page says, ready to be set: every text worded, every picture drawn, nothing left to decide."""

from dataclasses import dataclass
from datetime import date

from jobs.publish.paper.drawing import Drawing
from jobs.publish.paper.view import KeyFigure, MapView, Table
from jobs.publish.situation.words import Words


@dataclass(frozen=True)
class Event:
    """What is public of an event.

    Args:
        name: What it is called.
        hazard: One word; empty where it was not said.
        onset: Its first day.
    """

    name: str
    hazard: str
    onset: date


@dataclass(frozen=True)
class Provenance:
    """Where the figures come from.

    Args:
        sources: A line a bundle.
        privacy: What is protected, and at what cost, in one sentence.
        checked: What was checked, in one sentence.
        synthetic: Whether nobody lives in these figures.
        restricted: Whether they may not be handed on.
        provisional: Whether late records were still to come when the latest period was released.
        delivered_until: Last day that was delivered when the latest period was released; unknown where not said.
        min_away_km: Distance from home from which on a subscriber is away; missing where the card does not say.
    """

    sources: tuple[str, ...]
    privacy: str
    checked: str
    synthetic: bool
    restricted: bool
    provisional: bool = False
    delivered_until: date | None = None
    min_away_km: float | None = None


@dataclass(frozen=True)
class NetworkView:
    """The state of the network in words.

    Args:
        title: Of the section.
        texts: Sentences.
    """

    title: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Situation:
    """The page.

    Args:
        words: Its language.
        title: Of the document.
        event: What the event is called.
        on: Day or week of the latest figures, in words.
        marks: What the whole page is: synthetic, restricted.
        headline: The one sentence.
        changes: Sentences on what is usual and on what changed.
        age: How old the data are, and that they are provisional.
        key_figures: The large numbers.
        maps: Where the away are, where they left, and how the network is, where that was given.
        network: The state of the network.
        flows: From where to where.
        charts: Day by day.
        course: What became of the excess since its peak; empty where there is nothing to say.
        origins: By place of origin.
        blind: What this cannot see.
        sources: Where the figures come from.
    """

    words: Words
    title: str
    event: str
    on: str
    marks: tuple[str, ...]
    headline: str
    changes: tuple[str, ...]
    age: str
    key_figures: tuple[KeyFigure, ...]
    maps: tuple[MapView, ...]
    network: NetworkView
    flows: Table
    charts: tuple[Drawing, ...]
    course: str
    origins: Table
    blind: tuple[str, ...]
    sources: tuple[str, ...]
