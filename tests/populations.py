"""Small random populations that live somewhere, and the totals that the real job makes of them."""

import dataclasses
import random
from datetime import datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import h3
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.ingest.cells import ZoneRegister
from jobs.mobility.nights import nights
from jobs.pipeline import days_read
from jobs.population import Setting, months_read, subscribers
from jobs.releases import withheld_indexes, zone_rows
from privacy.hierarchy import ZoneTree
from privacy.ledger import ReleaseKey
from privacy.marginals import (
    ActiveSubscribersPlan,
    ChurnPlan,
    PresencePlan,
    ResidentsPlan,
    RoamingCountries,
    RoamingPlan,
)
from privacy.pairs import HomeVisitsPlan, MigrationPlan, RelocationsPlan
from privacy.places import NO_GUARD
from privacy.policy import ChargeRule, Policy
from privacy.unit import Period, PrivacyMonth
from schemas.countries import countries
from schemas.nights import NIGHTS
from schemas.subscriber_days import NOT_AVAILABLE, SUBSCRIBER_DAYS
from tests.installations import days_table
from tests.properties.walks import CELLS, DAY_S

PLANS = {
    "presence": PresencePlan,
    "roaming": RoamingPlan,
    "active_subscribers": ActiveSubscribersPlan,
    "residents": ResidentsPlan,
    "home_visits": HomeVisitsPlan,
    "relocations": RelocationsPlan,
    "churn": ChurnPlan,
    "migration": MigrationPlan,
}

MONTHS = tuple(PrivacyMonth.parse("2026-01").next(n) for n in range(4))
"""What a population lives through: the two windows of a migration over two months each."""

PERIODS = {
    "presence": "2026-W15",
    "roaming": "2026-W15",
    "active_subscribers": "2026-04-08",
    "residents": "2026-04",
    "home_visits": "2026-W15",
    "relocations": "2026-04",
    "churn": "2026-04",
    "migration": "2026-04",
}
"""A period of each product in the last of these months."""


def policy_of_few_nights():
    """The shipped policy, but a home after three nights, and a migration between windows of two months."""
    policy = Policy.load()
    short = (ChargeRule(months_back=(0, len(MONTHS) - 1), factor=2),)
    products = tuple(
        dataclasses.replace(product, charged=short) if product.product == "migration" else product
        for product in policy.products
    )
    residence = dataclasses.replace(policy.residence, min_nights=3)
    return dataclasses.replace(policy, products=products, residence=residence)


POLICY = policy_of_few_nights()


def plan_of(product, *, cells=CELLS, policy=POLICY, guard=NO_GUARD):
    """The plan of a product over a domain of H3 cells, for its period in `PERIODS`."""
    period = Period.parse(PERIODS[product])
    priced = policy.product(product, period.kind)
    return PLANS[product](
        key=ReleaseKey(product, str(period)),
        period=period,
        product=priced,
        policy_sha256=policy.sha256,
        zones=ZoneTree(tuple(sorted(cells)), priced.resolutions, guard),
        country="Numenia",
        definition="Subscribers.",
        definition_parameters={},
        synthetic=True,
        **({"strata": policy.strata} if product == "residents" else {}),
        **({"countries": RoamingCountries.of(policy.strata, HOME)} if product in {"presence", "roaming"} else {}),
    )


def population(seed, *, people=6, months=MONTHS):
    """Days of people who mostly sleep at home and sometimes move, and the stratum of each: two dictionaries.

    The first is {(subscriber, day): [(second, cell index), ...]}; the second has the same keys.
    """
    chance = random.Random(seed)
    days, strata = {}, {}
    for who in range(1, people + 1):
        home = chance.randrange(len(CELLS))
        for month in months:
            home = chance.randrange(len(CELLS)) if chance.random() < 0.3 else home
            for day in chance.sample(month.days, k=chance.choice((0, 4, 9))):
                days[who, day] = [
                    (chance.choice(_SECONDS), home if chance.random() < 0.7 else chance.randrange(len(CELLS)))
                    for _ in range(chance.randrange(1, 6))
                ]
                strata[who, day] = (chance.choice(_SEXES), chance.choice(_AGES), NOT_AVAILABLE)
    week = Period.parse(PERIODS["presence"]).days  # a few days of walking in the week that is released
    for _ in range(2 * people):
        where = chance.sample(range(len(CELLS)), k=chance.randrange(1, len(CELLS)))
        key = (chance.randrange(1, people + 1), chance.choice(week))
        days[key] = [(chance.randrange(DAY_S), cell) for cell in where]
    return _roaming(random.Random(f"roaming {seed}"), days, strata)


def _roaming(chance, days, strata):
    """The same people with the country of each day's SIM, and some of a day abroad, or all of it."""
    abroad = {
        key: [(chance.choice(_SECONDS), -chance.choice(_VISITED)) for _ in range(chance.randrange(1, 3))]
        for key in chance.sample(sorted(days), k=len(days) // 5)
    }
    stays = {key: points if key not in abroad or chance.random() < 0.95 else [] for key, points in days.items()}
    held = {key: (*strata.get(key, (NOT_AVAILABLE,) * 2)[:2], chance.choice(_SIMS)) for key in days}
    return {key: points + abroad.get(key, []) for key, points in stays.items()}, held


_SECONDS = (0, 25_199, 25_200, 43_200, 68_399, 68_400, 86_399)  # about the hours at which a night ends and begins
_SEXES = ("female", "male", NOT_AVAILABLE, "f")  # the last is no public value
_AGES = ("0-14", "65+", NOT_AVAILABLE)
HOME = "ZA"
_SIMS = (HOME, NOT_AVAILABLE, "FR", "IN", "BE")  # the last is on no list
_VISITED = (710, 250, 56)  # the country itself, France, Belgium


def totals_of(session, days, plan, *, strata=None, policy=POLICY):
    """The totals before noise of a population in memory, by finest key, through the stages of a release."""
    register = ZoneRegister(plan.zones.base_cells)
    unseen = withheld_indexes(register, plan.zones)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "zones.parquet"
        pq.write_table(zone_rows(register, plan.zones), file)
        read = read_days(session, Path(folder) / "days.parquet", days, days_read(plan, policy), strata)
        spent = session.createDataFrame([], NIGHTS.schema)
        for month in months_read(plan):
            of_month = read_days(session, Path(folder) / f"{month}.parquet", days, month.days, strata)
            spent = spent.unionAll(nights_stage(of_month, month, policy, unseen))
        setting = Setting(session.read.parquet(str(file)), policy, partitions=2, unseen=unseen)
        return {row["key"]: row["total"] for row in subscribers(read, spent, plan, setting).collect()}


def frame_of(session, plan, folder, *, policy=POLICY):
    """The totals of a plan as an engine would work them out of stored days and nights, of which there is one each."""
    register, day = ZoneRegister(plan.zones.base_cells), plan.period.first_day
    pq.write_table(zone_rows(register, plan.zones), folder / "zones.parquet")
    read = read_days(session, folder / "days.parquet", {(1, day): [(0, 0)]}, [day])
    month = str(plan.period.privacy_month)
    row = dict(zip(NIGHTS.names, (1, month, 0, 1, 1, NOT_AVAILABLE, NOT_AVAILABLE), strict=True))
    pq.write_table(pa.Table.from_pylist([row], schema=NIGHTS.arrow_schema), folder / "nights.parquet")
    spent = session.read.schema(NIGHTS.schema).parquet(str(folder / "nights.parquet"))
    setting = Setting(session.read.parquet(str(folder / "zones.parquet")), policy, partitions=2)
    return subscribers(read, spent, plan, setting)


def nights_stage(days, month, policy=POLICY, unseen=()):
    """The nights of a month, under the limits of a policy."""
    return nights(days, month, residence=policy.residence, mobility=policy.mobility, partitions=2, unseen=unseen)


def read_days(session, file, days, wanted, strata=None):
    """Subscriber days of some days, written to a file and read by an engine."""
    chosen = {key: points for key, points in days.items() if key[1] in wanted}
    pq.write_table(days_table(chosen, strata), file)
    return session.read.schema(SUBSCRIBER_DAYS.schema).parquet(str(file))


def events_file(days, strata, file):
    """Write the records of a population as an operator of `tests.installations` delivers them."""
    rows = [
        {
            "msisdn": f"2305{who:07d}",
            "event_at": datetime.combine(day, time()) + timedelta(seconds=second) - UTC_OFFSET,
            "cell_id": f"c{cell}",
            **dict(zip(("sex", "age_band"), strata.get((who, day), (None, None)), strict=False)),
            "sim": SIMS_AS_WRITTEN.get(strata.get((who, day), (None, None, None))[2]),
        }
        for (who, day), points in sorted(days.items())
        for second, cell in points
        if cell >= 0
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=EVENTS), file)
    return file


def abroad_file(days, file):
    """Write the records that roaming partners bring: where a cell would stand, the code of the network."""
    codes = {country.numeric: country.mobile_codes[0] for country in countries().values() if country.mobile_codes}
    rows = [
        {
            "msisdn": f"2305{who:07d}",
            "event_at": datetime.combine(day, time()) + timedelta(seconds=second) - UTC_OFFSET,
            "plmn": f"{codes[-cell]}01",
        }
        for (who, day), points in sorted(days.items())
        for second, cell in points
        if cell < 0
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=EVENTS_ABROAD), file)
    return file


SIMS_AS_WRITTEN = {"ZA": "za ", "FR": "208011234567890", "IN": "IND", "BE": "206-20"}
"""A country as operators write it: a code in small letters, an IMSI, a code of three letters, a network's code."""


def cells_file(file):
    """Write a cell table with one tower in each of the cells, in their order."""
    towers = (f"c{n},{','.join(map(str, h3.cell_to_latlng(cell)))},2025-01-01," for n, cell in enumerate(CELLS))
    file.write_text("cell_id,latitude,longitude,valid_from,valid_to\n" + "\n".join(towers) + "\n")
    return file


UTC_OFFSET = timedelta(hours=4)  # of the installation's time zone, Indian/Mauritius
EVENTS = pa.schema(
    [("msisdn", pa.string()), ("event_at", pa.timestamp("us", tz="UTC"))]
    + [(name, pa.string()) for name in ("cell_id", "sex", "age_band", "sim")]
)
EVENTS_ABROAD = pa.schema([("msisdn", pa.string()), ("event_at", pa.timestamp("us", tz="UTC")), ("plmn", pa.string())])
