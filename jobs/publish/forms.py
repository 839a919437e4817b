"""What the bundles of a product hold besides its table: the differences between products, in one place."""

from dataclasses import dataclass
from typing import Final

from schemas.errors import BundleError


@dataclass(frozen=True)
class Form:
    """How a product is laid out and read.

    Args:
        has_zones: Whether rows are of zones: the bundle then holds `zones.geojson`, a map and a domain.
        reading: How to read a number, in Markdown; may name `{unit}`, `{interval}`, `{cut}` and `{clipping}`.
    """

    has_zones: bool
    reading: str


_NUMBERS: Final = """\
- `value` is an estimate in {unit}; `noise_sd` is the standard deviation of the error that the noise leaves in it.
- `ci_low` to `ci_high` is the interval: {interval}. An interval may reach below zero; do not cut it
  off before adding rows up, the sum would drift upwards.
"""

_OD_TRIPS: Final = """\
- **A pair without a row lies below the cut of {cut:g} standard deviations. That is not zero**: its trips are
  in the row of a coarser pair or in the one `remainder` row, so that all rows together add up to the national
  total, but for rounding. The remainder makes sums right; what error the rows have together, it has too.
- Values are corrected for the cut, which would otherwise pick those whose noise was high.
- A `residual` row holds what finer rows leave of its pair; add them to it for the pair as a whole.
- `quality`: A, noise below 5 % of the value; B, below 15 %; C, above.
- Clipping: {clipping}."""

_CONTRIBUTION_HISTOGRAM: Final = """\
- A row counts subscribers. Multiply by `trips_a_day` for trips: `cut` over all is the share of trips that the bounds of
  the product named in `card.json` under `looks_at` cut off. Points and parts were rounded at random so that such sums
  come out right in the mean; a single row is not the number of people who travel just so much.
- Who travels more than the last point is counted there. Most who travel less than the first are not counted.
- Result: {clipping}."""

FORMS: Final = {
    "od_trips": Form(has_zones=True, reading=_NUMBERS + _OD_TRIPS),
    "contribution_histogram": Form(has_zones=False, reading=_NUMBERS + _CONTRIBUTION_HISTOGRAM),
}


def form_of(product: str) -> Form:
    """Return how the bundles of a product are laid out.

    Raises:
        BundleError: No such product is published.
    """
    if product not in FORMS:
        raise BundleError(
            f"Product {product!r} has no bundle.",
            f"one of {', '.join(FORMS)}",
            "use the version of Whimbrel that made the bundle, or a later one",
        )
    return FORMS[product]
