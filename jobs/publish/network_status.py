"""The network's state as a published table: rows of an outage feed, or, where there is none, what released counts say.

Counts of phones cannot tell a tower that is down from people who are gone, and do not pretend to.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import hypot
from typing import Final

from jobs.publish.situation.estimate import Estimate, median_of
from schemas.network import FEW_PHONES, NETWORK_STATUS, PHONES

_SURE_SDS: Final = 2.0
"""Standard deviations by which an earlier median has to exceed zero before anything is compared with it."""


@dataclass(frozen=True)
class ZoneDay:
    """One released number of active subscribers.

    Args:
        date: Local day.
        zone: Zone.
        resolution: Its H3 resolution.
        seen: Subscribers seen there.
    """

    date: date
    zone: str
    resolution: int
    seen: Estimate


def zone_days(rows: Iterable[Mapping[str, object]]) -> tuple[ZoneDay, ...]:
    """Read rows of the published table `active_subscribers`; the country's own row has no zone and is left out."""
    return tuple(
        ZoneDay(
            date.fromisoformat(str(row["period"])),
            str(row["zone"]),
            int(str(row["resolution"])),
            Estimate(float(str(row["value"])), float(str(row["noise_sd"]))),
        )
        for row in rows
        if row["zone"]
    )


def status_of_phones(released: Iterable[ZoneDay]) -> tuple[dict[str, object], ...]:
    """Return a row per day and zone that has an earlier released day of its weekday: contract `network_status`.

    The ratio is that of the day's number to the median of those earlier days. A zone whose median cannot be told from
    zero has no row. The interval is of noise only, of the first order (delta method).
    """
    by_zone: dict[tuple[str, int], list[ZoneDay]] = defaultdict(list)
    for one in released:
        by_zone[one.zone, one.date.weekday()].append(one)
    found = (row for of_zone in by_zone.values() for row in _of_weekday(sorted(of_zone, key=lambda one: one.date)))
    return tuple(sorted(found, key=lambda row: (str(row["date"]), str(row["zone"]))))


def _of_weekday(days: Sequence[ZoneDay]) -> Iterator[dict[str, object]]:
    for number, today in enumerate(days[1:], start=1):
        usual = median_of([day.seen for day in days[:number]])
        if usual.value > _SURE_SDS * usual.sd:
            yield _row(today, usual)


def _row(today: ZoneDay, usual: Estimate) -> dict[str, object]:
    value = today.seen.value / usual.value
    ratio = Estimate(value, hypot(today.seen.sd, value * usual.sd) / usual.value)
    return {
        "date": today.date.isoformat(),
        "zone": today.zone,
        "resolution": today.resolution,
        "basis": PHONES,
        "label": FEW_PHONES if ratio.ci_high < 1 else "",
        "ratio": round(ratio.value, 4),
        "ratio_low": round(ratio.ci_low, 4),
        "ratio_high": round(ratio.ci_high, 4),
    }


def status_csv(rows: Iterable[Mapping[str, object]]) -> bytes:
    """Return rows of the contract `network_status` as CSV; what a row does not say is empty."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, NETWORK_STATUS.names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()
