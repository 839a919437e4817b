"""An operator's installation in a temporary folder, and what its tables hold, read without an engine."""

import json
import sys
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import cli
from jobs.config import (
    CellsConfig,
    ColumnMapping,
    Config,
    CountryConfig,
    EngineConfig,
    PseudonymConfig,
    SourceConfig,
    StorageConfig,
)
from jobs.ingest.cells import ZoneRegister
from jobs.ingest.delivery import ingest
from jobs.pipeline import contribution_histogram, days_of, od_trips
from jobs.releases import Desk, withheld_indexes, zone_rows
from jobs.storage import Storage
from privacy.contribution_histogram import ContributionHistogramPlan
from privacy.hierarchy import ZoneTree
from privacy.ledger import ReleaseKey
from privacy.od_trips import OdTripsPlan
from privacy.places import NO_GUARD
from privacy.policy import Policy
from privacy.unit import Period, PeriodKind
from schemas.subscriber_days import NOT_AVAILABLE, QUARANTINE, SECOND_SHIFT, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS
from tests.approvals import with_keys

KEY = "ab" * 32
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 9)
WEEK = Period.parse("2026-W10")

SOURCES = {
    "whimbrel": SourceConfig(
        format="parquet",
        columns=ColumnMapping(subscriber="msisdn", time="event_at", cell="cell_id", sex="sex", age_band="age_band"),
    ),
    "world_bank": SourceConfig(
        format="csv",
        header=False,
        fields=3,
        columns=ColumnMapping(subscriber=0, time=1, cell=2),
        time_format="dd/MM/yyyy HH:mm:ss",
        time_zone="local",
    ),
}

ROAMING_SOURCES = {
    "with_countries": SourceConfig(
        format="parquet",
        columns=ColumnMapping(
            subscriber="msisdn", time="event_at", cell="cell_id", sex="sex", age_band="age_band", sim_country="sim"
        ),
    ),
    "abroad": SourceConfig(
        format="parquet", columns=ColumnMapping(subscriber="msisdn", time="event_at", visited_country="plmn")
    ),
}


def installation(root, *, cells, policy=None):
    """A configuration whose folders, key and ledger lie under `root`."""
    root.mkdir(parents=True, exist_ok=True)
    key = root / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    return Config(
        country=CountryConfig(name="Numenia", timezone="Indian/Mauritius", code="ZA"),
        storage=StorageConfig(confidential=root / "confidential", release=root / "release"),
        engine=EngineConfig(shuffle_partitions=2),
        pseudonyms=PseudonymConfig(key_file=key),
        cells=CellsConfig(path=cells),
        sources=SOURCES | ROAMING_SOURCES,
        approval=with_keys(root),
        policy=policy,
    )


def run_whimbrel(line, monkeypatch, capsys):
    """Run a command in this process: its exit code, what it printed, and what it told on standard error."""
    monkeypatch.setattr(sys, "argv", ["whimbrel", *line.split()])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    told = capsys.readouterr()
    return ended.value.code or 0, told.out, told.err


def deliver(session, config, paths, *, layout="whimbrel", first=FIRST, last=LAST, **options):
    """Ingest files as one delivery."""
    storage = Storage.of(config.storage)
    return ingest(session, config, storage, paths, source=config.sources[layout], first=first, last=last, **options)


def release_week(session, config, *, period=WEEK, revision=1, **options):
    """Release a period's trips through the door."""
    desk = Desk.of(config)
    return desk.release(desk.plan("od_trips", period, revision), lambda: nullcontext(session), **options)


def exact_totals(session, config, *, period=WEEK):
    """The totals before noise, by key of the finest level, through the real pipeline."""
    desk = Desk.of(config)
    plan, mobility = desk.plan("od_trips", period, 1), desk.policy.mobility
    places = desk.storage.current(SUBSCRIBER_DAYS, days_of(period, mobility))
    rows = zone_rows(ZoneRegister.load(desk.storage.zones), plan.zones)
    zones = desk.storage.confidential / "zones_of_a_test.parquet"
    pq.write_table(rows, zones)
    days = desk.storage.read_days(session, places)
    totals = od_trips(days, session.read.parquet(str(zones)), plan, mobility=mobility, partitions=2)
    zones_by_key = {row["key"]: row["total"] for row in totals.collect()}
    zones.unlink()
    return zones_by_key


def rows_of(folder):
    """Rows of a written table as sorted tuples; what an engine adds beside the columns is left out."""
    table = pq.read_table(folder, partitioning=None)
    return sorted(tuple(_plain(row[name]) for name in sorted(row)) for row in table.to_pylist())


def _plain(value):
    return tuple(value) if isinstance(value, list) else "" if value is None else value


def subscriber_days(storage, first=FIRST, last=LAST, *, columns=("sex", "age_band")):
    """What readers of the days see, as {(day, subscriber): (points, events, *columns)}."""
    days = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    seen = {}
    for contract, version, day in storage.current(SUBSCRIBER_DAYS, days):
        folder = storage.version(contract, version) / f"day={day}"
        for row in pq.read_table(folder, partitioning=None).to_pylist() if folder.exists() else []:
            assert (day, row["subscriber"]) not in seen, "a subscriber's day stands twice"
            assert row["local_date"] == day, "a row stands in another day's folder"
            seen[day, row["subscriber"]] = (tuple(row["points"]), row["events"], *(row[name] for name in columns))
    return seen


def parts(storage):
    """Rows of all visible parts by day and subscriber."""
    rows = [
        row
        for delivery, record in storage.deliveries().items()
        for day in record.days
        for row in rows_of(storage.version(SUBSCRIBER_DAY_PARTS, delivery) / f"day={day}")
    ]
    return sorted(rows)


def quarantine(storage):
    """Rows of the quarantine of all visible deliveries."""
    return sorted(
        row
        for delivery, record in storage.deliveries().items()
        if record.quarantined
        for row in rows_of(storage.version(QUARANTINE, delivery))
    )


def planted(country, layout):
    """Rows planted in a layout's files, and those of them to be refused, by reason."""
    expected = json.loads((country.folder / "truth/expected_quarantine.json").read_text())
    files = [found for name, found in expected.items() if name.startswith(layout)]
    reasons = {reason: sum(file["quarantined"][reason] for file in files) for reason in files[0]["quarantined"]}
    return sum(file["rows"] for file in files), {reason: n for reason, n in reasons.items() if n}


def files_of(country, layout):
    """Files of a layout, a day each, in order."""
    return sorted(path for path in (country.folder / layout).iterdir())


def plan_over(cells, *, period=WEEK, policy=None, guard=NO_GUARD):
    """The plan of a period's trips over a domain of H3 cells, under the shipped policy unless told."""
    policy = policy or Policy.load()
    product = policy.product("od_trips", period.kind)
    return OdTripsPlan(
        key=ReleaseKey("od_trips", str(period)),
        period=period,
        product=product,
        policy_sha256=policy.sha256,
        zones=ZoneTree(tuple(sorted(cells)), tuple(level.resolution for level in product.levels), guard),
        country="Numenia",
        definition="Trips.",
        definition_parameters={},
        synthetic=True,
    )


def histogram_over(cells, *, month="2026-03", policy=None):
    """The plan of a month's contribution histogram over a domain of H3 cells, under the shipped policy unless told."""
    policy, period = policy or Policy.load(), Period.parse(month)
    weekly = policy.product("od_trips", PeriodKind.WEEK)
    return ContributionHistogramPlan(
        key=ReleaseKey("contribution_histogram", month),
        period=period,
        product=policy.product("contribution_histogram", period.kind),
        policy_sha256=policy.sha256,
        zones=ZoneTree(tuple(sorted(cells)), tuple(level.resolution for level in weekly.levels)),
        country="Numenia",
        definition="Subscribers.",
        definition_parameters={},
        synthetic=True,
        measured=weekly,
    )


def totals_of_days(session, days, plan, *, mobility=None):
    """The totals before noise of subscriber days in memory, {(subscriber, day): [(second, cell index), ...]}.

    Cells are indexed in the order of the plan's zones. As in a release, only the days that the period looks at are
    read.
    """
    mobility = mobility or Policy.load().mobility
    read = {(who, day): points for (who, day), points in days.items() if day in days_of(plan.period, mobility)}
    with TemporaryDirectory() as folder:
        days_file, zones_file = Path(folder) / "days.parquet", Path(folder) / "zones.parquet"
        pq.write_table(days_table(read), days_file)
        pq.write_table(zone_rows(ZoneRegister(plan.zones.base_cells), plan.zones), zones_file)
        aggregate = contribution_histogram if isinstance(plan, ContributionHistogramPlan) else od_trips
        totals = aggregate(
            session.read.schema(SUBSCRIBER_DAYS.schema).parquet(str(days_file)),
            session.read.parquet(str(zones_file)),
            plan,
            mobility=mobility,
            partitions=2,
            unseen=withheld_indexes(ZoneRegister(plan.zones.base_cells), plan.zones),
        )
        return {row["key"]: row["total"] for row in totals.collect()}


def days_table(days, strata=None):
    """Subscriber days as the contract wants them.

    Args:
        days: {(subscriber, day): [(second, cell index), ...]}; a cell below zero is a country abroad, less its numeric
            code.
        strata: (sex, age band, country of the SIM), or the first two, of those (subscriber, day) known.
    """
    rows = [
        {
            "subscriber": who,
            "local_date": day,
            "points": sorted(second << SECOND_SHIFT | cell for second, cell in points if cell >= 0),
            "abroad": sorted(second << SECOND_SHIFT | -cell for second, cell in points if cell < 0),
            "events": len(points),
            **dict.fromkeys(STRATA, NOT_AVAILABLE),
            **dict(zip(STRATA, (strata or {}).get((who, day), ()), strict=False)),
        }
        for (who, day), points in days.items()
    ]
    return pa.Table.from_pylist(rows, schema=SUBSCRIBER_DAYS.arrow_schema)


STRATA = ("sex", "age_band", "sim_country")
