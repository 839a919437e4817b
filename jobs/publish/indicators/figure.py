"""One indicator of one place and period: a number with its interval, or the reason why there is none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from jobs.publish.indicators.definitions import Definition
from jobs.publish.marks import MARKS
from jobs.publish.plain_csv import Cell, csv_of
from privacy.intervals import Z_95

COLUMNS: Final = (
    "indicator", "product", "zone", "part", "level", "period", "value", "sd", "ci_low", "ci_high", "unit",
    "unplaced_share", "definition_id", "not_available_because", *MARKS,
)  # fmt: skip
"""Columns of the table, in order."""


@dataclass(frozen=True)
class Told:
    """A number with its 95 % interval.

    Args:
        value: The number.
        sd: Standard deviation of its error, to the first order.
        ci_low: Lower end of the interval.
        ci_high: Upper end; the two need not lie equally far from the value.
    """

    value: float
    sd: float
    ci_low: float
    ci_high: float

    @classmethod
    def normal(cls, value: float, sd: float) -> "Told":
        """Return a number whose error is normal."""
        return cls(value, sd, value - Z_95 * sd, value + Z_95 * sd)


Number = Told | str
"""A number with its interval; or why there is none."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table of indicators.

    Args:
        definition: What it is.
        product: Product that it is about.
        period: What it describes.
        zone: Zone; empty: the country.
        part: What of it, such as a class of distance; empty: all.
        level: Level of zones; nothing where it has none.
        value: The number; nothing where there is none.
        sd: Standard deviation of its error.
        ci_low: Lower end of the 95 % interval.
        ci_high: Upper end.
        unplaced: Share of the release's moves that no row places.
        reason: Why there is no number.
        unit: Unit, where the definition leaves it to the product.
    """

    definition: Definition
    product: str
    period: str
    zone: str = ""
    part: str = ""
    level: int | None = None
    value: float | None = None
    sd: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    unplaced: float | None = None
    reason: str = ""
    unit: str = ""

    def told(self, number: Number, *, below: float = 0.0) -> "Figure":
        """Return the figure with its number, or with the reason why it has none.

        Args:
            number: The number; or the reason.
            below: How far the value may be too high besides: that is added to the interval at its lower end.
        """
        if isinstance(number, str):
            return replace(self, reason=number)
        low = number.ci_low - below
        return replace(self, value=number.value, sd=number.sd, ci_low=low, ci_high=number.ci_high)

    @property
    def cells(self) -> dict[str, Cell]:
        """The figure as a row of the table."""
        told: dict[str, Cell] = {
            "indicator": self.definition.name,
            "unit": self.unit or self.definition.unit,
            "definition_id": self.definition.id,
            "unplaced_share": self.unplaced,
            "not_available_because": self.reason or None,
        }
        names = ("product", "zone", "part", "level", "period", "value", "sd", "ci_low", "ci_high")
        return {**told, **{name: getattr(self, name) for name in names}}


def figures_csv(figures: Iterable[Figure], marks: Mapping[str, Cell]) -> bytes:
    """Return figures as CSV, with the marks of the bundles that they follow from."""
    return csv_of(COLUMNS, ({**figure.cells, **marks} for figure in figures))
