"""`whimbrel evaluate` for all products but trips: exact against planted, released against exact. Nothing is charged."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.evaluation.findings import EXACT, Finding, released_at
from jobs.evaluation.noise import at_price, noise_findings
from jobs.evaluation.planted import (
    AwayIn,
    Pairs,
    Truth,
    away_findings,
    coverage_finding,
    draw_findings,
    found_findings,
    half_life_findings,
    home_findings,
    move_findings,
)
from jobs.evaluation.roaming import roaming_findings
from jobs.events import opening_in
from jobs.ingest.cells import ZoneRegister
from jobs.ingest.pseudonyms import load_key, normalised_number, pseudonymised, tagged, write_key_row
from jobs.population import Setting, months_read
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.figures import Moment, moment_of, reckoned
from jobs.releases import Desk, Progress, Session
from privacy.bounding import Bounded
from privacy.displaced import DisplacementPlan
from privacy.flat import FlatMeasurements, FlatTable, open_marginals
from privacy.ledger import Opening
from privacy.marginals import ResidentsPlan, RoamingPlan
from privacy.pairs import MovesPlan, RelocationsPlan
from privacy.plan import Plan
from schemas.errors import ConfigError, InputError

SEEN: Final = "people last seen away"
EVERYBODY: Final = "all people away"
"""Whom a number of people away counts: those whose SIM is in use, and all whose SIM was when the event struck."""

DRAWS: Final = 20
"""Draws of the noise from which errors and the coverage of intervals are told; a single number is of the first."""

Away = Callable[[Moment], Estimate]

_LINKED: Final = pa.schema([("msisdn", pa.string()), ("cell_index", pa.int64()), ("nights", pa.int64())])


def evaluate_product(
    desk: Desk,
    plan: Plan,
    budgets: Sequence[int],
    session: Session,
    *,
    truth: Truth | None = None,
    progress: Progress = lambda _: None,
) -> list[Finding]:
    """Compare exact values of a plan with the planted truth, and a release of it with its exact values.

    Args:
        desk: The installation.
        plan: What would be released.
        budgets: Losses of one release in micro-rho; none: that of the policy.
        session: Opens an engine.
        truth: The truth beside the synthetic country; none: noise alone is judged.
        progress: Told what begins.

    Raises:
        PrivacyError: The data bear no synthetic mark.
        InputError: A day that the plan needs was never delivered, or a table of the truth is missing.
    """
    desk.refuse_real_data()
    with session() as engine:
        progress(f"aggregating {plan.key.product} of the synthetic country")
        bounded = desk.bounded_for_evaluation(plan, engine)
        found = list(_against_the_truth(desk, plan, bounded, truth, engine)) if truth else []
    for micro_rho in budgets or [plan.product.micro_rho]:
        progress(f"drawing the noise of {micro_rho:,} micro-rho")
        found += noise_findings(at_price(plan, micro_rho), bounded)
    return found


def _against_the_truth(
    desk: Desk, plan: Plan, bounded: Bounded, truth: Truth, engine: SparkSession
) -> Iterator[Finding]:
    match plan:
        case ResidentsPlan():
            month, nights = plan.period.privacy_month, plan.period.n_days
            found = _found_homes(desk, plan, truth.homes(month).select(["msisdn"]), engine)
            yield from found_findings(found, nights)
            for where, told in (("nearest tower", truth), ("place", replace(truth, by_tower=False))):
                linked = found.join(told.homes(month), "msisdn", join_type="inner")
                yield from home_findings(linked, nights, plan.zones.resolutions, where)
        case MovesPlan():
            for level, resolution in enumerate(plan.zones.resolutions):
                planted = _planted_moves(plan, truth, resolution)
                yield from move_findings(_found_moves(plan, bounded, level), planted, f"level {resolution}")
        case RoamingPlan():
            yield from roaming_findings(plan, bounded, truth.folder)


def _planted_moves(plan: MovesPlan, truth: Truth, resolution: int) -> Pairs:
    if isinstance(plan, RelocationsPlan):
        return truth.relocations(plan.period.privacy_month, resolution)
    return truth.migration(resolution)


def _found_moves(plan: MovesPlan, bounded: Bounded, level: int) -> Pairs:
    """Movers by zones of a level, those who stay in one left out."""
    finest, names = len(plan.zones.levels[-1].zones), plan.zones.levels[level].zones
    above = np.zeros(finest, dtype=np.int64)
    above[plan.zones.base_to_level[-1]] = plan.zones.base_to_level[level]
    found: dict[tuple[str, str], float] = {}
    for key, total in zip(bounded.keys.tolist(), bounded.totals.tolist(), strict=True):
        before, now = names[above[key // finest]], names[above[key % finest]]
        if before != now:
            found[before, now] = found.get((before, now), 0.0) + total / plan.fixed_point
    return found


def _found_homes(desk: Desk, plan: ResidentsPlan, people: pa.Table, engine: SparkSession) -> pa.Table:
    """One row per person: `msisdn`, the home `found_h3` or null, and the `nights` on which it was seen."""
    with desk.nights_for_evaluation(plan, engine) as (nights, setting, scratch):
        key_row, asked, made = (scratch / name for name in ("key.parquet", "people.parquet", "linked"))
        write_key_row(load_key(desk.config.pseudonyms.epoch_of(plan.period.privacy_month).place), key_row)
        pq.write_table(people, asked)
        read = engine.read.parquet
        linked = _linked(read(str(asked)), read(str(key_row)), nights, plan, setting)
        linked.write.parquet(str(made))
        table = pq.read_table(made, schema=_LINKED)
    names = pa.array(ZoneRegister.load(desk.storage.zones).zones)
    return table.drop_columns(["cell_index"]).append_column("found_h3", names.take(table["cell_index"]))


def _linked(
    people: DataFrame, key_row: DataFrame, nights: DataFrame, plan: ResidentsPlan, setting: Setting
) -> DataFrame:
    named = people.select(normalised_number(F.col("msisdn")).alias("number"), "msisdn")
    who = pseudonymised(tagged(named, key_row), key_row)
    homes = setting.homes(nights, months_read(plan)).select("subscriber", "cell_index")
    seen = nights.groupBy("subscriber").agg(F.sum("nights").alias("nights"))
    return who.join(homes, "subscriber", "left").join(seen, "subscriber", "left").select(*_LINKED.names)


def evaluate_event(
    desk: Desk,
    event: str,
    budgets: Sequence[int],
    session: Session,
    *,
    truth: Truth,
    progress: Progress = lambda _: None,
) -> list[Finding]:
    """Compare people away after an event with the planted truth, for every delivered day of its schedule.

    Args:
        desk: The installation; the event is opened in its ledger.
        event: Its id.
        budgets: Losses of one release in micro-rho; none: that of the policy.
        session: Opens an engine.
        truth: The truth beside the synthetic country.
        progress: Told what begins.

    Raises:
        ConfigError: No day of it is delivered.
        PrivacyError: No such event is opened, or the data bear no synthetic mark.
    """
    desk.refuse_real_data()
    opening = opening_in(desk.ledger, event)
    plans = _delivered(desk, opening)
    planted = {SEEN: truth.away(), EVERYBODY: truth.all_away(opening.onset)}
    _require_told(plans, planted.values(), opening.event)
    with session() as engine:
        exact = [(plan, desk.bounded_for_evaluation(plan, engine)) for plan in _told(plans, progress)]
    found = {one.name: one for one in [_followed(*exact[-1], truth)]}
    noiseless = _series([_moment(plan, _tables(plan, bounded)) for plan, bounded in exact], opening.onset)
    for micro_rho in budgets or [plans[0].product.micro_rho]:
        progress(f"drawing the noise of {micro_rho:,} micro-rho")
        draws = [_drawn(exact, micro_rho, opening.onset) for _ in range(DRAWS)]
        for what, of in ((SEEN, _last_seen), (EVERYBODY, _in_all)):
            told = [_against(planted[what], noiseless, draw, of) for draw in draws]
            # What is exact is the same at every price, and stays where it stood.
            data = released_at(micro_rho)
            found |= {one.name: one for one in away_findings(told[0], opening.onset, what, data)}
            over_draws = (
                *draw_findings(told, opening.onset, what, data),
                *half_life_findings(told, opening.onset, what, data),
                coverage_finding(told, opening.onset, what, data),
            )
            found |= {one.name: one for one in over_draws}
    return list(found.values())


def _told(plans: Sequence[DisplacementPlan], progress: Progress) -> Iterator[DisplacementPlan]:
    for plan in plans:
        progress(f"aggregating {plan.key.period}")
        yield plan


def _delivered(desk: Desk, opening: Opening) -> list[DisplacementPlan]:
    """The plans of an event's periods whose days are delivered."""
    until, periods = desk.storage.delivered_until, [one.period for one in opening.schedule]
    plans = [desk.plan(opening.product, one, 1) for one in periods if until and one.last_day <= until]
    if not plans:
        raise ConfigError(f"No period of {opening.event} is delivered.", "days from the onset on", "ingest them")
    return [plan for plan in plans if isinstance(plan, DisplacementPlan)]


def _require_told(plans: Sequence[DisplacementPlan], planted: Iterable[Mapping[date, float]], event: str) -> None:
    """Refuse an event that is not the flood whose people away the truth tells, day by day."""
    days = {day for plan in plans for day in plan.period.days}
    if any(not days <= set(told.keys()) for told in planted):
        raise InputError(
            f"The planted truth does not tell who was away on every day of {event}.",
            "the flood that the country's events.toml registers",
            "evaluate that event; of any other, compare `whimbrel displacement` with its own usual week",
        )


def _followed(plan: DisplacementPlan, bounded: Bounded, truth: Truth) -> Finding:
    share = float(bounded.totals.sum()) / plan.fixed_point / truth.followed()
    return Finding("residents followed over residents planted", "the area", EXACT, share)


def _drawn(exact: Sequence[tuple[DisplacementPlan, Bounded]], micro_rho: int, onset: date) -> list[Moment]:
    """What one draw of every release of an event would show."""
    priced = [(at_price(plan, micro_rho), bounded) for plan, bounded in exact]
    sealed = [(plan, FlatMeasurements.from_bytes(plan.draw(bounded)).tables) for plan, bounded in priced]
    return _series([_moment(plan, [tables[n] for n in _of_the_area(plan)]) for plan, tables in sealed], onset)


def _tables(plan: DisplacementPlan, bounded: Bounded) -> tuple[FlatTable, ...]:
    """The tables of the whole area, without noise."""
    made = []
    for table in (plan.product.tables[n] for n in _of_the_area(plan)):
        axes, totals = plan.exact(table, bounded)
        made.append(FlatTable(axes, plan.constants(table), totals, 0.0))
    return tuple(made)


def _of_the_area(plan: DisplacementPlan) -> list[int]:
    """Which tables are of the area as a whole."""
    return [n for n, table in enumerate(plan.product.tables) if not {"home", "location"} & set(table.by)]


def _moment(plan: DisplacementPlan, tables: Sequence[FlatTable]) -> Moment:
    sealed = FlatMeasurements(plan.zones, tuple(tables), plan.fixed_point, plan.card)
    return moment_of(open_marginals(sealed.to_bytes()).table.to_pandas(), plan.period)


def _series(moments: Sequence[Moment], onset: date) -> list[Moment]:
    """The releases of an event with all people away, as a reader of all of them has it."""
    before = [moment for moment in moments if moment.period.last_day < onset]
    after = [moment for moment in moments if moment.period.last_day >= onset]
    told, usual = reckoned(after, before[-1] if before else None)
    return [*before[:-1], *([usual] if usual else []), *told]


def _against(planted: Mapping[date, float], exact: Sequence[Moment], drawn: Sequence[Moment], of: Away) -> list[AwayIn]:
    return [
        AwayIn(
            one.period,
            sum(float(planted[day]) for day in one.period.days) / one.period.n_days,
            of(one).value,
            of(released),
        )
        for one, released in zip(exact, drawn, strict=True)
    ]


def _last_seen(moment: Moment) -> Estimate:
    return moment.away


def _in_all(moment: Moment) -> Estimate:
    return moment.people_away
