"""A sheet of A4 paper: places in millimetres from its upper corner, the marks of drawings, and lines of text.

On a sheet of a language that is written from right to left, places are counted from the right edge: the same layout
comes out mirrored. Drawings stand at mirrored places and are not mirrored themselves: east stays right on a map, and
time runs to the right on a chart, so that one picture is compared with the same in another language.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyBboxPatch, Patch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.textpath import text_to_path

from jobs.publish.paper.drawing import Anchor, Area, Disc, Drawing, Label, Line, Place
from jobs.publish.paper.locales import LRI, PDI, RLI, Direction
from jobs.publish.situation.geometry import Points

WIDTH, HEIGHT = 210.0, 297.0
"""A4 portrait, in millimetres."""

MM_PER_INCH: Final = 25.4
DOTS_PER_INCH: Final = 300
"""Of paper, where texts are measured in dots; a PDF has none."""

POINTS_PER_MM: Final = 72 / MM_PER_INCH

LEADING: Final = 1.32
"""Distance of base lines, as a share of the size of the letters."""

_VOWELS: Final = re.compile("[\u064b-\u0652]")
"""Signs above and below Arabic letters, which reports do without: they would be copied from a PDF with their letters
doubled."""

RLM: Final = "\u200f"
"""A sign without width that reads as an Arabic letter: a line that begins with it is one from right to left."""

_ISOLATES: Final = re.compile(f"[{LRI}{RLI}{PDI}]")
"""Signs around inserted texts. They are taken out: libraqm heeds them, but matplotlib 3.11 sets what follows them in a
PDF too far to the left."""

_SPACES: Final = re.compile(r"[ \t\n\r\f\v]+")
"""Where a line may break: not at a no-break space."""

Box = tuple[float, float, float, float]
"""Left, upper, right and lower end, in millimetres."""

ROUNDING: Final = 1e-6
"""Millimetres by which a text may be wider than its room: a column is as wide as its widest text."""

_STYLE: Final[Any] = {
    "path.simplify": False,
    "hatch.linewidth": 0.45,
    "pdf.fonttype": 42,  # outlines of whole letters: text stays text, to be searched and copied
    "pdf.compression": 6,
}


@dataclass(frozen=True)
class Type:
    """How a text is set.

    Args:
        size: Points.
        colour: Colour.
        bold: Whether its letters are bold.
    """

    size: float
    colour: str = "#1d2733"
    bold: bool = False

    @property
    def line(self) -> float:
        """Millimetres from one base line to the next."""
        return self.size * LEADING / POINTS_PER_MM


class Sheet:
    """One page that is drawn on; the same marks give the same bytes.

    Args:
        direction: Of its language: at which edge lines start, and from which one places are counted.
    """

    def __init__(self, direction: Direction = "ltr") -> None:
        self._is_mirrored = direction == "rtl"
        size = (WIDTH / MM_PER_INCH, HEIGHT / MM_PER_INCH)
        self._figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor="white")
        self._axes: Axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self._axes.set_axis_off()

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text on the page, in the order in which it was set."""
        return tuple(text.get_text() for text in self._axes.texts)

    @property
    def boxes(self) -> tuple[tuple[str, Box], ...]:
        """Every text with its left, upper, right and lower end, in millimetres."""
        renderer: Any = FigureCanvasAgg(self._figure).get_renderer()  # type: ignore[no-untyped-call] # without types
        to_millimetres = self._axes.transData.inverted()
        found = []
        with mpl.rc_context({"text.hinting": "no_hinting"}):  # a PDF's letters are as wide as they were drawn
            for text in self._axes.texts:
                box = to_millimetres.transform(text.get_window_extent(renderer).get_points())
                (left, lower), (right, upper) = box.tolist()
                found.append((text.get_text(), (left, upper, right, lower)))
        return tuple(found)

    def text(self, place: Place, text: str, how: Type, anchor: Anchor = "start") -> None:
        """Set one line, its base line at a place."""
        x, y = place
        if self._is_mirrored:
            self._mirrored_text((WIDTH - x, y), _VOWELS.sub("", text), how, anchor)
        else:
            self._set(
                (x, y), _ISOLATES.sub("", text), how, {"start": "left", "middle": "center", "end": "right"}[anchor]
            )

    def _mirrored_text(self, place: Place, text: str, how: Type, anchor: Anchor) -> None:
        """Set a line that starts at its right end, run by run."""
        x, y = place
        share = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        x += share * width_of(text, how)
        for run, direction in _runs(text):
            before, after = (len(run) - len(cut) for cut in (run.lstrip(" "), run.rstrip(" ")))
            core = run.strip(" ")
            x -= before * _space(how)
            if core:
                # A run that begins with a number is one of ours all the same: the mark tells its direction.
                self._set((x, y), RLM + core if direction == "rtl" else core, how, "right")
                x -= _run_width(core, how) + after * _space(how)

    def _set(self, place: Place, text: str, how: Type, across: str) -> None:
        self._axes.text(
            *place, text, fontsize=how.size, color=how.colour, weight="bold" if how.bold else "normal", ha=across,
            va="baseline", parse_math=False,
        )  # fmt: skip

    def paragraph(self, place: Place, text: str, how: Type, width: float) -> float:
        """Set a text in lines of a width, the upper edge of the first at a place; return where the last one ends."""
        x, y = place
        # Viewers round the widths of letters; a line that is measured to fit exactly may stand out by a letter.
        for line in wrapped(text, how, 0.985 * width):
            y += how.line
            self.text((x, y - 0.25 * how.line), line, how)
        return y

    def box(self, place: Place, width: float, height: float, *, fill: str, edge: str = "none") -> None:
        """Draw a rectangle with soft corners, its upper corner, where lines start, at a place."""
        style, place = "round,pad=0,rounding_size=1", self._left(place, width)
        self._axes.add_patch(FancyBboxPatch(place, width, height, style, facecolor=fill, edgecolor=edge, linewidth=0.6))

    def rule(self, place: Place, width: float, colour: str, thickness: float = 0.5) -> None:
        """Draw a line from a place to the end of its width, of a thickness in points."""
        x, y = self._left(place, width)
        self._axes.plot([x, x + width], [y, y], color=colour, linewidth=thickness, solid_capstyle="butt")

    def drawing(self, place: Place, drawing: Drawing, width: float) -> float:
        """Place a drawing with a width, its upper corner, where lines start, at a place; return its height."""
        scale, place = width / drawing.width, self._left(place, width)
        frame = Rectangle(place, width, drawing.height * scale, transform=self._axes.transData)
        _Painter(self._axes, place, scale, frame).paint(drawing)
        return drawing.height * scale

    def put_on(self, pages: PdfPages) -> None:
        """Add the page to a PDF."""
        pages.savefig(self._figure)  # type: ignore[no-untyped-call] # matplotlib leaves it without types

    def _left(self, place: Place, width: float) -> Place:
        """The upper left corner of something that starts at a place."""
        x, y = place
        return (WIDTH - x - width, y) if self._is_mirrored else place


def pdf_of(sheets: Sequence[Sheet], title: str) -> bytes:
    """Return pages as a PDF that names neither a date nor the software's version."""
    sink = io.BytesIO()
    told = {"Title": title, "Creator": "Whimbrel", "Producer": None, "CreationDate": None}
    with mpl.rc_context(mpl.rcParamsDefault), mpl.rc_context(_STYLE), PdfPages(sink, metadata=told) as pages:
        for sheet in sheets:
            sheet.put_on(pages)
    return sink.getvalue()


@dataclass(frozen=True)
class _Painter:
    """Puts marks on the page.

    Args:
        axes: The page.
        corner: Upper left corner of the drawing.
        scale: Millimetres a unit of the drawing.
        frame: What lies outside it is not shown.
    """

    axes: Axes
    corner: Place
    scale: float
    frame: Rectangle

    def paint(self, drawing: Drawing) -> None:
        for mark in drawing.marks:
            match mark:
                case Area():
                    self._area(mark)
                case Disc():
                    self._disc(mark)
                case Line():
                    self._line(mark)
                case Label():
                    self._label(mark)

    def _points(self, units: float) -> float:
        return units * self.scale * POINTS_PER_MM

    def _place(self, places: Iterable[Place]) -> Points:
        placed: Points = np.array(self.corner) + np.array(list(places)) * self.scale
        return placed

    def _show(self, patch: Patch) -> None:
        self.axes.add_patch(patch)
        patch.set_clip_path(self.frame)

    def _area(self, mark: Area) -> None:
        if not mark.rings:
            return
        path = Path.make_compound_path(*(Path(self._place([*ring, ring[0]]), closed=True) for ring in mark.rings))
        face = "none" if mark.fill == "none" else mpl.colors.to_rgba(mark.fill, mark.opacity)
        edge, width = mark.edge, self._points(mark.edge_width)
        self._show(PathPatch(path, facecolor=face, edgecolor=edge, linewidth=width, joinstyle="round"))
        if mark.hatched:
            self._show(PathPatch(path, facecolor="none", edgecolor="#3a4450", linewidth=0, hatch="//////"))

    def _disc(self, mark: Disc) -> None:
        face = "none" if mark.fill == "none" else mpl.colors.to_rgba(mark.fill, mark.opacity)
        (centre,) = self._place([mark.centre])
        self._show(Circle(centre, mark.radius * self.scale, facecolor=face, edgecolor=mark.edge, linewidth=0.5))

    def _line(self, mark: Line) -> None:
        style: Any = (0, (4, 2.5)) if mark.dashed else "solid"
        (line,) = self.axes.plot(
            *self._place(mark.places).T, color=mark.colour, linewidth=self._points(mark.width), linestyle=style
        )
        line.set_clip_path(self.frame)

    def _label(self, mark: Label) -> None:
        across = {"start": "left", "middle": "center", "end": "right"}[mark.anchor]
        ((x, y),) = self._place([mark.place]).tolist()
        text = self.axes.text(
            x, y, _ISOLATES.sub("", mark.text), fontsize=self._points(mark.size), color=mark.colour, ha=across,
            va="baseline", weight="bold" if mark.bold else "normal", parse_math=False,
        )  # fmt: skip
        if mark.halo:
            text.set_path_effects([withStroke(linewidth=1.6, foreground="white")])


def wrapped(text: str, how: Type, width: float) -> list[str]:
    """Return the lines of a text that is set in a width, in millimetres; a longer word stands alone.

    An inserted text that runs over several lines is one in each of them.
    """
    lines: list[str] = []
    for word in filter(None, _SPACES.split(text)):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, how) <= width:
            lines[-1] = longer
        elif lines and lines[-1].count(LRI) > lines[-1].count(PDI):
            lines[-1:] = [lines[-1] + PDI, LRI + word]
        else:
            lines.append(word)
    return lines


def _runs(line: str) -> list[tuple[str, Direction]]:
    """The runs of a line from right to left, in the order in which they are read: inserted texts are apart."""
    runs = enumerate(re.split(f"[{LRI}{PDI}]", line.replace(RLI, "")))
    return [(run, "ltr" if number % 2 else "rtl") for number, run in runs if run]


def fitted(text: str, how: Type, width: float) -> str:
    """Return a text, cut short where it is wider than a width in millimetres."""
    if width_of(text, how) <= width + ROUNDING:
        return text
    most = bisect_right(range(len(text)), width, key=lambda kept: width_of(f"{text[:kept]}…", how)) - 1
    return f"{text[: max(0, most)].rstrip()}…"


def shrunk(text: str, how: Type, width: float, least: float = 0.5) -> Type:
    """Return a type that is small enough for a text to take one line of a width in millimetres, down to a share."""
    share = min(1.0, max(least, width / max(width_of(text, how), 1e-6)))
    return Type(how.size * share, how.colour, how.bold)


def width_of(text: str, how: Type) -> float:
    """Return the width of a line, in millimetres."""
    if not _ISOLATES.search(text):
        return _width(text, how.size, how.bold)
    return sum(_run_width(run.strip(" "), how) + _spaces(run) * _space(how) for run, _ in _runs(text))


def _run_width(run: str, how: Type) -> float:
    return _width(run, how.size, how.bold)


def _spaces(run: str) -> int:
    return len(run) - len(run.strip(" "))


def _space(how: Type) -> float:
    return _width("n n", how.size, how.bold) - _width("nn", how.size, how.bold)


@lru_cache(maxsize=4096)
def _width(text: str, size: float, bold: bool) -> float:
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / POINTS_PER_MM


def columns(widths: Sequence[float], gap: float) -> list[tuple[float, float]]:
    """Return left and right edge of columns of some widths, with a gap after each, in millimetres."""
    ends = list(accumulate(width + gap for width in widths))
    return [(end - gap - width, end - gap) for width, end in zip(widths, ends, strict=True)]
