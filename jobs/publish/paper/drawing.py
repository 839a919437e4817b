"""Drawings made of a few plain marks, so that page and PDF show one and the same picture."""

from dataclasses import dataclass
from typing import Literal

Place = tuple[float, float]
"""Right of the left edge and below the upper edge, in units of the drawing."""

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Area:
    """A filled shape.

    Args:
        rings: Outer rings and holes; what lies in an even number of them is not filled.
        fill: Colour, or "none".
        edge: Colour of its border, or "none".
        edge_width: Units.
        opacity: Of the filling, from 0 to 1.
        hatched: Whether it is hatched: what it shows is uncertain.
        tip: What a reader is told who points at it.
    """

    rings: tuple[tuple[Place, ...], ...]
    fill: str
    edge: str = "none"
    edge_width: float = 0.0
    opacity: float = 1.0
    hatched: bool = False
    tip: str = ""

    @property
    def path(self) -> str:
        """The rings as the `d` of an SVG path."""
        return "".join("M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in ring) + "Z" for ring in self.rings)


@dataclass(frozen=True)
class Disc:
    """A filled circle.

    Args:
        centre: Its middle.
        radius: Units.
        fill: Colour, or "none".
        edge: Colour of its border, or "none".
        opacity: Of the filling, from 0 to 1.
        tip: What a reader is told who points at it.
    """

    centre: Place
    radius: float
    fill: str
    edge: str = "none"
    opacity: float = 1.0
    tip: str = ""


@dataclass(frozen=True)
class Line:
    """A line through places.

    Args:
        places: In order.
        colour: Colour.
        width: Units.
        dashed: Whether it is dashed.
    """

    places: tuple[Place, ...]
    colour: str
    width: float
    dashed: bool = False

    @property
    def points(self) -> str:
        """The places as the `points` of an SVG polyline."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.places)


@dataclass(frozen=True)
class Label:
    """A word on a drawing.

    Args:
        place: Where its base line begins, has its middle or ends.
        text: The word.
        size: Height of its letters, in units.
        colour: Colour.
        anchor: Which part of it lies at the place.
        bold: Whether its letters are bold.
        halo: Whether it is ringed by white, to be read on a map.
    """

    place: Place
    text: str
    size: float
    colour: str
    anchor: Anchor = "start"
    bold: bool = False
    halo: bool = False


Mark = Area | Disc | Line | Label


@dataclass(frozen=True)
class Drawing:
    """Marks on a sheet, later ones above earlier ones.

    Args:
        name: Short name, unique on the page: of ids in the page.
        title: What it shows, in a few words.
        description: What it shows, for somebody who cannot see it.
        width: Units.
        height: Units.
        marks: What is drawn.
    """

    name: str
    title: str
    description: str
    width: float
    height: float
    marks: tuple[Mark, ...]

    @property
    def runs(self) -> tuple[tuple[str, Mark], ...]:
        """The marks with their kinds, in order."""
        return tuple((type(mark).__name__.lower(), mark) for mark in self.marks)
