"""Who roams: visitors with SIMs from abroad, and SIMs of the country abroad; deliveries apart, and the truth of both.

They stand beside an ordinary country and change no byte of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from jobs.synth.country import UTC_OFFSET_S, Country
from jobs.synth.events import machine_count
from jobs.synth.geography import PLANE, size_of
from jobs.synth.itineraries import DAY_S
from jobs.synth.people import numbers
from jobs.synth.plane import nearest
from jobs.synth.randomness import Floats, Ints, as_ints, draw_by_weight, stream
from jobs.synth.truth import write_table

INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"
"""Folders of the deliveries."""

HOME_MCC: Final = "617"
"""Mobile country code of the country's own SIMs: that of Mauritius, in whose time zone it lies."""

_FROM: Final = {"208": 0.28, "234": 0.18, "404": 0.15, "655": 0.15, "262": 0.12, "460": 0.06, "206": 0.06}
"""Visitors by the mobile country code of their SIM: FR, GB, IN, ZA, DE, CN and BE, which the policy does not list."""

_TO: Final = {"404": 0.3, "655": 0.25, "208": 0.25, "424": 0.2}
"""Residents abroad by the code of the network: IN, ZA, FR and AE, which the policy does not list."""

_VISITS_A_WEEK: Final = 0.03
_JOURNEYS_A_WEEK: Final = 0.015
"""Stays that begin in a week, as a share of the country's people."""

_ARRIVALS: Final = (0.6, 0.6, 0.7, 0.9, 1.6, 1.8, 0.8)
"""Relative arrivals on a weekday, Monday first: stays begin with the weekend."""

_MORE_NIGHTS: Final = 3.5
"""Mean nights of a stay beyond the first."""

_LONGEST: Final = 21
"""Days before the period from which a stay may last into it."""

_COAST_KM: Final = 10.0
_BY_THE_SEA: Final = 4.0
"""How much more a town attracts within so many km of the sea, on the map of a full country."""

_EVENTS_HERE, _EVENTS_ABROAD = 8.0, 3.0
"""Mean events a day of a visitor, and of a resident abroad: a network abroad bills calls, not data sessions."""

_OUT: Final = 0.4
"""Share of a visitor's daytime events away from the dwelling."""

_WAKES_S, _BACK_S = 7 * 3_600, 18 * 3_600
"""Seconds of the day from which a visitor has events, and from which on it is at its dwelling."""

_SCHEMAS: Final = {
    INBOUND: pa.schema(
        [("msisdn", pa.string()), ("event_at", pa.timestamp("us", tz="UTC"))]
        + [(name, pa.string()) for name in ("cell_id", "imsi")]
    ),
    OUTBOUND: pa.schema([("msisdn", pa.string()), ("event_at", pa.timestamp("us", tz="UTC")), ("plmn", pa.string())]),
}


@dataclass(frozen=True)
class Roamers:
    """One entry a SIM in every column; each makes one stay.

    Args:
        visitors: Numbers of visitors' SIMs.
        origin: Their mobile country codes.
        base: Place of their dwelling.
        first: Day on which they arrive, counted from the period's first; may lie before it.
        last: Day on which they are here last.
        travellers: Numbers of the country's SIMs abroad.
        visited: Mobile country codes of the networks abroad.
        gone: Day on which they are abroad first.
        back: Day on which they are abroad last.
    """

    visitors: tuple[str, ...]
    origin: Ints
    base: Ints
    first: Ints
    last: Ints
    travellers: tuple[str, ...]
    visited: Ints
    gone: Ints
    back: Ints


def build_roamers(country: Country, first_day: date, days: int) -> Roamers:
    """Return who roams in a period; the same for the same arguments."""
    rng = stream(country.seed, "visitors")
    first, last = _spells(rng, _VISITS_A_WEEK * country.subscribers, first_day, days)
    origin, n_visitors = _codes(rng, _FROM, len(first)), len(first)
    base = _dwellings(rng, country, n_visitors)
    rng = stream(country.seed, "travellers")
    gone, back = _spells(rng, _JOURNEYS_A_WEEK * country.subscribers, first_day, days)
    return Roamers(
        visitors=tuple(f"99{code}{n:07d}" for n, code in enumerate(origin.tolist())),
        origin=origin,
        base=base,
        first=first,
        last=last,
        travellers=tuple(numbers(country.subscribers + machine_count(country.subscribers), len(gone))),
        visited=_codes(rng, _TO, len(gone)),
        gone=gone,
        back=back,
    )


def _spells(rng: np.random.Generator, a_week: float, first_day: date, days: int) -> tuple[Ints, Ints]:
    """Return first and last day of the stays of a period, those that began before it included."""
    offsets = np.arange(-_LONGEST, days)
    weekday = [(first_day + timedelta(days=int(offset))).weekday() for offset in offsets]
    count = rng.poisson(np.array(_ARRIVALS)[weekday] * a_week / sum(_ARRIVALS))
    first = np.repeat(offsets, count)
    last = first + 1 + np.minimum(rng.poisson(_MORE_NIGHTS, len(first)), _LONGEST)
    return first[last >= 0], last[last >= 0]


def _codes(rng: np.random.Generator, shares: dict[str, float], count: int) -> Ints:
    return np.array([int(code) for code in shares])[draw_by_weight(rng, np.array([*shares.values()]), count)]


def _dwellings(rng: np.random.Generator, country: Country, count: int) -> Ints:
    """Return places to stay: by attraction, those of towns by the sea the more so."""
    geography, places = country.geography, country.places
    km = nearest(geography.coast, geography.towns, 1)[1][:, 0] / size_of(country.subscribers)
    pull: Floats = np.where(km < _COAST_KM, _BY_THE_SEA, 1.0)
    n = places.n_neighbourhoods
    return draw_by_weight(rng, places.attraction[:n] * pull[places.town[:n]], count)


def write_roamers(folder: Path, country: Country, first_day: date, days: int) -> Iterator[tuple[str, int]]:
    """Write deliveries and truth of who roams; yield each delivered file with its number of rows."""
    roamers = build_roamers(country, first_day, days)
    write_table(folder / "truth/visitors.parquet", visitors(country, roamers, first_day))
    write_table(folder / "truth/travellers.parquet", travellers(roamers, first_day))
    for day in range(days):
        name = f"{(first_day + timedelta(days=day)).isoformat()}.parquet"
        for kind, rows in ((INBOUND, _inbound(country, roamers, day)), (OUTBOUND, _outbound(country, roamers, day))):
            columns = {**rows, "event_at": _instants(rows["event_at"], first_day, day)}
            table = pa.table(columns, schema=_SCHEMAS[kind]).sort_by(
                [("event_at", "ascending"), ("msisdn", "ascending")]
            )
            write_table(folder / kind / name, table)
            yield f"{kind}/{name}", table.num_rows


def visitors(country: Country, roamers: Roamers, first_day: date) -> pa.Table:
    """Who visits: number, mobile country code of the SIM, zone of the dwelling and of its nearest site, and the days.

    Grain: one row per visitor.
    """
    places, network = country.places, country.network
    sites = np.array(PLANE.zones(network.sites))
    return pa.table(
        {
            "msisdn": pa.array(roamers.visitors, pa.string()),
            "mcc": pa.array(roamers.origin.astype(str), pa.string()),
            "h3": pa.array(np.array(places.zone_names)[places.zone[roamers.base]], pa.string()),
            "tower_h3": pa.array(sites[network.near_sites[roamers.base, 0]], pa.string()),
            "first_day": _days(first_day, roamers.first),
            "last_day": _days(first_day, roamers.last),
        }
    )


def travellers(roamers: Roamers, first_day: date) -> pa.Table:
    """Who is abroad: number, mobile country code of the network, and the days.

    Grain: one row per SIM of the country.
    """
    return pa.table(
        {
            "msisdn": pa.array(roamers.travellers, pa.string()),
            "mcc": pa.array(roamers.visited.astype(str), pa.string()),
            "first_day": _days(first_day, roamers.gone),
            "last_day": _days(first_day, roamers.back),
        }
    )


def _days(first_day: date, offset: Ints) -> pa.Array:
    epoch = (first_day - date(1970, 1, 1)).days
    return pa.array((epoch + offset).astype(np.int32), pa.int32()).cast(pa.date32())


def _inbound(country: Country, roamers: Roamers, day: int) -> dict[str, object]:
    """A day's events of visitors: by day some of them out and about, in the evening at the dwelling."""
    rng = stream(country.seed, "visitors' events", day)
    who, second = _events(rng, np.flatnonzero((roamers.first <= day) & (day <= roamers.last)), _EVENTS_HERE)
    base = roamers.base[who]
    is_out = (second < _BACK_S) & (rng.random(len(who)) < _OUT)
    place = np.where(is_out, country.gravity.draw(rng, country.places.zone[base]), base)
    cells = np.array(country.network.cell_ids)[country.network.serve(rng, place, day)]
    numbers_of, codes = np.array(roamers.visitors), roamers.origin[who]
    imsis = [f"{code}01{n:010d}" for code, n in zip(codes.tolist(), who.tolist(), strict=True)]
    return {"msisdn": numbers_of[who], "event_at": second, "cell_id": cells, "imsi": imsis}


def _outbound(country: Country, roamers: Roamers, day: int) -> dict[str, object]:
    """A day's events of the country's SIMs abroad, as roaming partners bring them."""
    rng = stream(country.seed, "travellers' events", day)
    who, second = _events(rng, np.flatnonzero((roamers.gone <= day) & (day <= roamers.back)), _EVENTS_ABROAD)
    networks = [f"{code}10" for code in roamers.visited[who].tolist()]
    return {"msisdn": np.array(roamers.travellers)[who], "event_at": second, "plmn": networks}


def _events(rng: np.random.Generator, there: Ints, a_day: float) -> tuple[Ints, Ints]:
    """Return who of those there has events, one entry an event, and the local second of each."""
    who = np.repeat(there, rng.poisson(a_day, len(there)))
    return who, as_ints(rng.integers(_WAKES_S, DAY_S, len(who)))


def _instants(second: object, first_day: date, day: int) -> pa.Array:
    epoch_s = ((first_day - date(1970, 1, 1)).days + day) * DAY_S - UTC_OFFSET_S
    return pa.array((np.asarray(second) + epoch_s) * 1_000_000).cast(pa.timestamp("us", tz="UTC"))
