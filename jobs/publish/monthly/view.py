"""What a monthly report says, ready to be set: every text worded, every picture drawn, nothing left to decide."""

from dataclasses import dataclass

from jobs.publish.monthly.words import Words
from jobs.publish.paper.drawing import Drawing
from jobs.publish.paper.view import KeyFigure, MapView, Table


@dataclass(frozen=True)
class Note:
    """A few sentences under a heading.

    Args:
        title: The heading.
        texts: Sentences.
    """

    title: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A chart with what has to be known to read it.

    Args:
        title: What it shows.
        more: How to read it, or why there is none.
        drawing: The chart; missing where nothing was released.
    """

    title: str
    more: str
    drawing: Drawing | None


@dataclass(frozen=True)
class Report:
    """The report.

    Args:
        words: Its language.
        title: Of the document.
        country: What the country is called.
        on: The month, in words.
        marks: What the whole report is: synthetic, restricted.
        kind: What is counted, and over which days.
        key_figures: The large numbers.
        maps: Where people live, and the largest flows.
        flows: The largest flows.
        pyramid: Residents by sex and age.
        charts: Active subscribers by day, presence by time of day.
        balances: Relocations in, out and net.
        visits: Visits by zone of home.
        key: The numbered zones: what each is called or where it lies, and its code.
        notes: Churn, what is below the cut, data quality, what is missing.
        parameters: Definitions and privacy parameters.
        counted: What each product counts, for the sheet.
        blind: How to read the numbers.
        citation: How to cite, what is protected, what was checked.
        sources: A line a bundle.
        digests: The same in short, for the sheet.
    """

    words: Words
    title: str
    country: str
    on: str
    marks: tuple[str, ...]
    kind: str
    key_figures: tuple[KeyFigure, ...]
    maps: tuple[MapView, ...]
    flows: Table
    pyramid: Picture
    charts: tuple[Picture, ...]
    balances: Table
    visits: Table
    key: tuple[str, ...]
    notes: tuple[Note, ...]
    parameters: Table
    counted: tuple[str, ...]
    blind: tuple[str, ...]
    citation: tuple[str, ...]
    sources: tuple[str, ...]
    digests: tuple[str, ...]
