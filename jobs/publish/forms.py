"""What the bundles of a product hold besides its table: the differences between products, in one place."""

from dataclasses import dataclass
from typing import Final

from schemas.errors import BundleError


@dataclass(frozen=True)
class Form:
    """How a product is laid out and read.

    Args:
        has_zones: Whether rows are of zones: the bundle then holds `zones.geojson` and a domain.
        has_map: Whether rows are flows between zones: the bundle then holds a map of the largest.
        reading: How to read a number, in Markdown; may name `{unit}`, `{interval}`, `{absent}` and `{clipping}`.
    """

    has_zones: bool
    has_map: bool
    reading: str


_NUMBERS: Final = """\
- `value` is an estimate in {unit}; `noise_sd` is the standard deviation of the error that the noise leaves in it.
- `ci_low` to `ci_high` is the interval: {interval}. An interval may reach below zero; do not cut it
  off before adding rows up, the sum would drift upwards.
"""


def _pairs(held: str) -> str:
    """How to read rows of pairs of zones, given what a pair holds."""
    return f"""\
- **{{absent}} That is not zero**: {held}
  in the row of a coarser pair or in the one `remainder` row, so that all rows together add up to the national
  total, but for rounding. The remainder makes sums right; what error the rows have together, it has too.
- Values are corrected for the cut, which would otherwise pick those whose noise was high.
- A `residual` row holds what finer rows leave of its pair; add them to it for the pair as a whole.
- `quality`: A, noise below 5 % of the value; B, below 15 %; C, above.
- Clipping: {{clipping}}."""


_FLAT: Final = """\
- **Every key has a row, also where nobody was**: no row was chosen by its value. A value below zero is noise about a
  small number; leave it as it is before adding up.
- Each breakdown is a measurement of its own, with noise of its own: rows of one resolution add up to the whole within
  their noise, not to the unit, and rows of two breakdowns are never added to each other. For a sum of m rows of one
  breakdown the standard deviation is the root of m times theirs; where a coarser row says the same, it is surer.
- `quality`: A, noise below 5 % of the value; B, below 15 %; C, above.
- Clipping: {clipping}."""

_HOME_VISITS: Final = """
- A row from one zone to the same zone counts cells of that zone other than the home."""

_MOVES: Final = """
- Only who had a home before and has one now, in another zone of the finest resolution, is counted: who appeared or fell
  silent is not. A row from one zone to the same zone counts moves inside it.
- Subscribers are not people, and a SIM card that changes hands moves. Divide by `residents` of the origin for a
  rate."""

_CHURN: Final = """
- `appeared`: a home in this month and none in the month before; `fell_silent`: the other way round. **Neither says that
  somebody came or left**: SIM cards are bought, lost and passed on, and who is seldom seen at night has no home. Who
  moved with the same SIM card is in `relocations`, and not here.
- Divide `appeared` by `residents` of the month, and `fell_silent` by those of the month before, for a rate."""

_PRESENCE: Final = """
- A subscriber is, in each 4-hour bin of each day in which it was seen, in the zone of its last event. Who was not seen
  in a bin is in none: values follow the use of telephones as well as the number of people. Compare bins with care.
- `sim_country` is the country that the SIM card is from, neither nationality nor residence. Where it says `all`, SIM
  cards of all countries are counted together."""

_ROAMING: Final = """
- Rows with a `sim_country`: visitors, by the country that the SIM card is from. Rows with a `visited_country`: the
  country's own SIM cards abroad. A SIM card tells neither nationality nor residence: cross-border workers, residents
  with a foreign card and visitors who buy one here are on the other side of the line.
- A day counts once, where its last record is. Seven times a week's value estimates visitor-days; nights spent differ by
  the day of departure. Visitors of one operator are not all visitors: which network a phone roams on is a matter of
  contracts, so relate values to border statistics."""

_ACTIVE: Final = """
- A control total: use it to judge whether a day is complete, and to relate other products to who could be seen."""

_RESIDENTS: Final = """
- Sex and age band are those that the SIM card is registered to, where the operator holds them: never imputed.
- Subscribers are not people: relate values to a census before you call them population."""

_DISPLACEMENT: Final = """
- **A phone-based estimate of people away from home, not a count of displaced persons**, and of subscribers, not
  people. Some are away on any day: compare with the release of the week before the event.
- Rows with `transition` other than `all`: residents of the area or of a zone of it, by status of the day before and of
  the day. Away: the sum of `newly_away`, `still_away` and `reappeared_away`. It is the stock of the day before, plus
  `newly_away` and `reappeared_away`, less `returned` and `lost`: exactly so before noise, and within intervals after.
- Rows with a `sight` other than `all`: residents of the area by what that night itself showed, with `dark_` before it
  where all towers of the home were down. All people away, the unseen included: (`seen_away` + `dark_seen_away`) / s,
  with s = (`seen_away` + `seen_home`) / (`seen_away` + `seen_home` + `not_seen`). It takes whom the night did not show
  to be away as often as those it showed.
- Rows with a `location`: those away, by where they were last seen at night, from anywhere in the area or from one
  `home`.
- `silent` is not away: towers that are down look the same. See the network status beside this release."""

_CONTRIBUTION_HISTOGRAM: Final = """\
- A row counts subscribers. Multiply by `trips_a_day` for trips: `cut` over all is the share of trips that the bounds of
  the product named in `card.json` under `looks_at` cut off. Points and parts were rounded at random so that such sums
  come out right in the mean; a single row is not the number of people who travel just so much.
- Who travels more than the last point is counted there. Most who travel less than the first are not counted.
- Result: {clipping}."""

FORMS: Final = {
    "od_trips": Form(has_zones=True, has_map=True, reading=_NUMBERS + _pairs("its trips are")),
    "home_visits": Form(has_zones=True, has_map=True, reading=_NUMBERS + _pairs("its visits are") + _HOME_VISITS),
    "relocations": Form(has_zones=True, has_map=True, reading=_NUMBERS + _pairs("its moves are") + _MOVES),
    "migration": Form(has_zones=True, has_map=True, reading=_NUMBERS + _pairs("its moves are") + _MOVES),
    "presence": Form(has_zones=True, has_map=False, reading=_NUMBERS + _FLAT + _PRESENCE),
    "roaming": Form(has_zones=True, has_map=False, reading=_NUMBERS + _FLAT + _ROAMING),
    "active_subscribers": Form(has_zones=True, has_map=False, reading=_NUMBERS + _FLAT + _ACTIVE),
    "residents": Form(has_zones=True, has_map=False, reading=_NUMBERS + _FLAT + _RESIDENTS),
    "churn": Form(has_zones=True, has_map=False, reading=_NUMBERS + _FLAT + _CHURN),
    "displacement": Form(has_zones=True, has_map=False, reading=_NUMBERS + _FLAT + _DISPLACEMENT),
    "contribution_histogram": Form(has_zones=False, has_map=False, reading=_NUMBERS + _CONTRIBUTION_HISTOGRAM),
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
