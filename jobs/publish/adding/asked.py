"""What is asked of `whimbrel sum`, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from privacy.intervals import Z_95

NO_ROW: Final = "no row: below the cut, which is not zero"

WHOLE: Final = "country"
"""Name of a sum over everything."""


@dataclass(frozen=True)
class Asked:
    """What to add up.

    Args:
        zones: Zones to add up together; none: see `level`.
        level: Level of zones to add finer rows up to; none: everything.
        where: Labels that rows must have, by column.
        over: Columns of labels that are added up too.
        column: Column of zones, of a product that has two.
    """

    zones: tuple[str, ...] = ()
    level: int | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    over: tuple[str, ...] = ()
    column: str | None = None


@dataclass(frozen=True)
class RowSum:
    """One sum of released rows.

    Args:
        labels: What it is a sum of, by column.
        value: The sum.
        sd: Standard deviation of its error; of pairs an upper bound.
        rows: Number of rows added.
        may_also_hold: Sum of the coarser rows that may or may not belong, in part; nothing of flat tables.
        may_also_sd: Its standard deviation.
        may_also_rows: How many those are; the national remainder is not among them.
    """

    labels: Mapping[str, str | int]
    value: float
    sd: float
    rows: int
    may_also_hold: float | None = None
    may_also_sd: float | None = None
    may_also_rows: int | None = None

    @property
    def cells(self) -> dict[str, str | float | int | None]:
        """The sum as a row of a table; without a row to add it has a reason and no number, for absence is not zero."""
        low, high = self.value - Z_95 * self.sd, self.value + Z_95 * self.sd
        numbers = {"value": self.value, "noise_sd": self.sd, "ci_low": low, "ci_high": high}
        return {
            **self.labels,
            **(numbers if self.rows else dict.fromkeys(numbers)),
            "rows": self.rows,
            "may_also_hold": self.may_also_hold,
            "may_also_hold_sd": self.may_also_sd,
            "may_also_hold_rows": self.may_also_rows,
            "not_available_because": None if self.rows else NO_ROW,
        }


@dataclass(frozen=True)
class Sums:
    """The answer.

    Args:
        sums: The sums.
        notes: What a reader has to know of them.
    """

    sums: tuple[RowSum, ...]
    notes: tuple[str, ...]
