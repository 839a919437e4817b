"""Making a release: the shell around the pipeline and the door."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TypedDict

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.approvals import approval_config, clear, kept, opening_statement
from jobs.config import Config
from jobs.events import event_cells, home_resolutions
from jobs.exact_totals import ExactTotals
from jobs.ingest.cells import ZoneRegister, read_cells
from jobs.ingest.key_register import KeyRegister
from jobs.inputs import Inputs, NightsBuilder
from jobs.key_epochs import require_one_epoch
from jobs.mobility.dark import reach_by_night
from jobs.mobility.displacement import days_for
from jobs.mobility.network import read_outages
from jobs.pipeline import contribution_histogram, days_of, days_read, displacement, keyed_trips, od_trips
from jobs.plans import Planner
from jobs.population import Setting, months_read, subscribers
from jobs.publish.bundle import Bundle, publish, published_heads
from jobs.storage import Place, Storage
from privacy.approval import Trust, as_recorded, opening_signers
from privacy.bounding import Bounded
from privacy.budget import refuse_overrun, simulate
from privacy.contribution_histogram import ContributionHistogramPlan
from privacy.displaced import DisplacementPlan
from privacy.hierarchy import ZoneTree
from privacy.ledger import Ledger, Opening, ReleaseKey
from privacy.od_trips import OdTripsPlan
from privacy.places import NO_PLACES, SensitivePlaces
from privacy.plan import Plan
from privacy.policy import Policy
from privacy.release import Release, release, reserve, sealed_release
from privacy.sensitivity import SensitivityClass
from privacy.unit import Period, PrivacyMonth
from privacy.vault import Vault
from schemas.errors import InputError, PrivacyError
from schemas.subscriber_days import SUBSCRIBER_DAYS

Progress = Callable[[str], None]
Session = Callable[[], AbstractContextManager[SparkSession]]
"""Opens an engine; asked only where something has to be aggregated."""

Step = Literal["reserve", "aggregate", "seal"]
"""The steps of a release, in order; each may be killed at any line and done again."""


class _Door(TypedDict):
    """What the door asks of an installation for every plan."""

    ledger: Ledger
    vault: Vault
    policy: Policy
    known_heads: frozenset[str]


_CONTRIBUTIONS = pa.schema([(name, pa.int64()) for name in ("subscriber", "key", "trips")])


@dataclass(frozen=True)
class Desk:
    """Everything that a release needs besides an engine.

    Args:
        config: The installation.
        storage: Its two roots.
        policy: What may be released.
        ledger: Where it is charged.
    """

    config: Config
    storage: Storage
    policy: Policy
    ledger: Ledger

    @classmethod
    def of(cls, config: Config) -> "Desk":
        """Open storage, policy and ledger of an installation."""
        storage = Storage.of(config.storage)
        return cls(config, storage, Policy.load(config.policy), Ledger.open(config.storage.ledger_url))

    @property
    def vault(self) -> Vault:
        """Where what was drawn is kept."""
        return Vault(self.storage.vault)

    def plan(self, product: str, period: Period, revision: int) -> Plan:
        """Say all that decides a release but the data.

        Raises:
            PrivacyError: The policy does not release this product for periods of this kind.
        """
        return self._planner.plan(ReleaseKey(product, str(period), revision))

    def od_plan(self, period: Period, revision: int = 1) -> OdTripsPlan:
        """Say all that decides a release of trips but the data."""
        return self._planner.od_trips(ReleaseKey("od_trips", str(period), revision))

    @property
    def _planner(self) -> Planner:
        return Planner(self.config, self.storage, self.policy, self.ledger, self.vault, self.places)

    @property
    def zones(self) -> tuple[str, ...]:
        """H3 names of the country's cells, in the order of their indexes."""
        return ZoneRegister.load(self.storage.zones).zones

    @property
    def places(self) -> SensitivePlaces:
        """What is done about sensitive places."""
        return SensitivePlaces.load(self.config.places) if self.config.places else NO_PLACES

    def release(self, plan: Plan, session: Session, progress: Progress = lambda _: None) -> Release:
        """Give the release of a plan: as it was sealed, or a new one, charged and sealed.

        Nothing is charged before every day of the period is there, and the exact totals are gone once it is sealed.

        Args:
            plan: What to release.
            session: Opens an engine.
            progress: Told what begins.
        """
        with self.storage.alone():
            made = self._known(plan) or self._new_release(plan, session, progress)
            self._exact(plan).remove()
            return made

    def do(self, step: Step, plan: Plan, session: Session, progress: Progress = lambda _: None) -> None:
        """Do one step of a release; its exceptions are those of the step."""
        match step:
            case "reserve":
                progress(f"reserving {plan.key}")
                self.reserve(plan)
            case "aggregate":
                self.aggregate(plan, session, progress)
            case "seal":
                progress(f"drawing noise and sealing {plan.key}")
                self.seal(plan)

    def reserve(self, plan: Plan) -> None:
        """Charge a release, the first of its three steps; again, or once it is sealed: nothing is charged.

        Raises:
            InputError: A day that it needs was never delivered.
            BudgetExceededError: It would overrun a pool.
            SpecificationChangedError: It was reserved under another specification.
        """
        with self.storage.alone():
            if not self._known(plan):
                refuse_overrun(simulate(self.policy, plan.period.privacy_month))
                self._inputs(plan)
                reserve(plan, **self._door)

    def aggregate(self, plan: Plan, session: Session, progress: Progress = lambda _: None) -> None:
        """Write the exact totals of a reserved release, the second step; where they stand already, nothing is done.

        They stay in the confidential root until the release is sealed.

        Raises:
            PrivacyError: The release was not reserved.
            SpecificationChangedError: It was reserved under another specification.
            InputError: A day that it needs was never delivered.
        """
        with self.storage.alone():
            if self._known(plan):
                self._exact(plan).remove()
                return
            self._require_reserved(plan)
            inputs = self._inputs(plan)
            if not self._exact(plan).are_of(plan, inputs):
                progress("aggregating")
                with session() as engine:
                    self._aggregate(plan, inputs, engine)

    def seal(self, plan: Plan) -> Release:
        """Draw the noise of a reserved and aggregated release once and seal it, the third step; again: as sealed.

        Raises:
            PrivacyError: It was not reserved; or its totals are missing, or were made for another plan or of other
                inputs.
            SpecificationChangedError: It was reserved under another specification.
            SealLostError: What was drawn is gone.
        """
        with self.storage.alone():
            made = self._known(plan) or self._drawn(plan)
            self._exact(plan).remove()
            return made

    def was_sealed_under(self, plan: Plan, made: Release) -> bool:
        """Tell whether a release was sealed under the plan of today: the same policy, zones and definition."""
        return plan.has_the_terms_of(made.card)

    def sealed(self, key: ReleaseKey) -> Release:
        """Give a sealed release as it was sealed.

        Raises:
            PrivacyError: The release is not sealed.
        """
        made = sealed_release(key, ledger=self.ledger, vault=self.vault)
        if made is None:
            raise PrivacyError(
                f"{key} is not sealed.", "a sealed release", f"run `whimbrel release {key.product} {key.period}` first"
            )
        return made

    def open_event(self, opening: Opening, hazard: str) -> None:
        """Open a pool for an event that two people signed for; again: nothing changes.

        Raises:
            ApprovalError: A signature is missing, or does not count.
            BudgetExceededError: The schedule would overrun a pool.
        """
        self.require_one_key_for(opening)
        trust = Trust.load(approval_config(self.config).trust)
        statement = opening_statement(opening, hazard)
        signed = opening_signers(kept(self.storage.approvals), statement, trust, datetime.now(UTC))
        self.ledger.open_event(
            opening,
            approvals=[as_recorded(one) for one in signed],
            caps=self.policy.caps,
            known_heads=published_heads(self.storage.release),
            artefacts=self.vault.kept(),
        )

    def require_one_key_for(self, opening: Opening) -> None:
        """Refuse to open an event whose schedule, with its baseline, outlives a key epoch: it could not be released.

        Raises:
            PrivacyError: It does.
        """
        months = {PrivacyMonth.parse(charge.privacy_month) for charge in opening.charges}
        self._require_one_key(f"The schedule after {opening.event}", months)

    def publish(self, key: ReleaseKey) -> Bundle:
        """Write the bundle of an approved release and record it; again: the same bytes, nothing recorded twice.

        What left under an earlier version of Whimbrel stays as it left.

        Raises:
            ConfigError: The installation has no keys to approve or to publish with.
            ApprovalError: No valid approval is there: the message names what is missing and the command.
            PrivacyError: The release is not sealed, is internal, or a sensitive place delays it.
        """
        made = self.sealed(key)
        _require_may_leave(made, datetime.now(UTC).date())
        clearance = clear(key, approval_config(self.config), self.storage.approvals, self.ledger, datetime.now(UTC))
        bundle = publish(made, clearance, self.storage.release, self.ledger.published(key))
        self.ledger.publish(key, bundle_sha256=bundle.sha256)
        return bundle

    def require_published(self, bundle: str) -> None:
        """Refuse the name of a bundle that never left.

        Raises:
            ConfigError: It is no name of a release's bundle.
            PrivacyError: The ledger knows of none by this name.
        """
        if not self.ledger.published(ReleaseKey.of_slug(bundle)):
            raise PrivacyError(
                f"No bundle {bundle} was published.",
                "a bundle that left, as the ledger has it",
                "correct the name, which is that of its folder in the release zone",
            )

    def _new_release(self, plan: Plan, session: Session, progress: Progress) -> Release:
        refuse_overrun(simulate(self.policy, plan.period.privacy_month))
        inputs = self._inputs(plan)

        def exact() -> tuple[Bounded, str]:
            progress("aggregating")
            with session() as engine:
                self._aggregate(plan, inputs, engine)
            progress("drawing noise and sealing")
            return self._before_noise(plan, inputs)

        return release(plan, exact=exact, **self._door)

    def _drawn(self, plan: Plan) -> Release:
        self._require_reserved(plan)
        inputs = self._inputs(plan)
        return release(plan, exact=lambda: self._before_noise(plan, inputs), **self._door)

    def _before_noise(self, plan: Plan, inputs: Inputs) -> tuple[Bounded, str]:
        """The totals to be drawn on and the digest of their inputs; call it alone, right before the draw."""
        self.vault.sweep(self.ledger.artefacts())  # alone: nobody else is between drawing and sealing
        return self._exact(plan).bounded(plan, inputs), inputs.sha256

    def _known(self, plan: Plan) -> Release | None:
        return sealed_release(plan.key, ledger=self.ledger, vault=self.vault)

    def _require_reserved(self, plan: Plan) -> None:
        if self.ledger.reserved(plan.key) is None:
            raise PrivacyError(
                f"{plan.key} is not reserved.",
                "a charge in the ledger before anything is counted",
                f"run `whimbrel release {plan.key.product} {plan.key.period} --step reserve` first",
            )
        reserve(plan, **self._door)  # charges nothing again, and refuses another specification

    def _exact(self, plan: Plan) -> ExactTotals:
        return ExactTotals(self.storage.exact(plan.key.slug))

    @property
    def _door(self) -> _Door:
        return {
            "ledger": self.ledger,
            "vault": self.vault,
            "policy": self.policy,
            "known_heads": published_heads(self.storage.release),
        }

    def exact_for_evaluation(self, plan: OdTripsPlan, engine: SparkSession) -> pa.Table:
        """Give the bounded totals before noise, mean trips a day: of the synthetic country only.

        Raises:
            PrivacyError: The data bear no synthetic mark.
        """
        bounded, zones = self.bounded_for_evaluation(plan, engine), np.array(plan.zones.levels[-1].zones)
        return pa.table(
            {
                "origin_h3": zones[bounded.keys // len(zones)],
                "destination_h3": zones[bounded.keys % len(zones)],
                "trips": bounded.totals / plan.fixed_point,
            }
        )

    def contributions_for_evaluation(self, plan: OdTripsPlan, engine: SparkSession) -> pa.Table:
        """Give what each subscriber did, before any bound: of the synthetic country only.

        Returns:
            `subscriber, key, trips`: trips over the period by pair of the finest level.

        Raises:
            PrivacyError: The data bear no synthetic mark.
            InputError: A day of the period was never delivered.
        """
        with self._alone_with_synthetic_data(), self.storage.scratch() as scratch:
            places = self.storage.current(SUBSCRIBER_DAYS, days_of(plan.period, self.policy.mobility))
            zones, made = scratch / "zones.parquet", scratch / "contributions"
            pq.write_table(zone_rows(ZoneRegister.load(self.storage.zones), plan.zones), zones)
            trips = keyed_trips(
                self.storage.read_days(engine, places),
                engine.read.parquet(str(zones)),
                plan,
                mobility=self.policy.mobility,
                partitions=self._partitions(places, {}),
                unseen=withheld_indexes(ZoneRegister.load(self.storage.zones), plan.zones),
            )
            by_pair = trips.groupBy("subscriber", F.col(plan.bounds[-1].key).alias("key"))
            by_pair.agg(F.sum("amount").alias("trips")).write.parquet(str(made))
            made.mkdir(exist_ok=True)  # an engine may write no folder at all for a period without trips
            return pq.read_table(made, schema=_CONTRIBUTIONS)

    def bounded_for_evaluation(self, plan: Plan, engine: SparkSession) -> Bounded:
        """Give the bounded totals of a plan before noise: of the synthetic country only.

        Raises:
            PrivacyError: The data bear no synthetic mark.
            InputError: A day that it needs was never delivered.
        """
        with self._alone_with_synthetic_data():
            inputs = self._inputs(plan)
            self._aggregate(plan, inputs, engine)
            bounded = self._exact(plan).bounded(plan, inputs)
            self._exact(plan).remove()
            return bounded

    @contextmanager
    def nights_for_evaluation(self, plan: Plan, engine: SparkSession) -> Iterator[tuple[DataFrame, Setting, Path]]:
        """Give the nights that a plan reads, and a confidential folder that is gone afterwards.

        Raises:
            PrivacyError: The data bear no synthetic mark.
            InputError: Too many days of a month were never delivered.
        """
        with self._alone_with_synthetic_data(), self.storage.scratch() as scratch:
            zones, register = scratch / "zones.parquet", ZoneRegister.load(self.storage.zones)
            pq.write_table(zone_rows(register, plan.zones), zones)
            placed, unseen = engine.read.parquet(str(zones)), withheld_indexes(register, plan.zones)
            inputs = self._inputs(plan)
            nights = self._nights.read(engine, inputs.months)
            yield nights, Setting(placed, self.policy, self._partitions((), inputs.versions), unseen), scratch

    def refuse_real_data(self) -> None:
        """Refuse where a delivery bears no synthetic mark, or where there is none at all.

        Raises:
            PrivacyError: It is so.
        """
        if not self.storage.is_synthetic:
            raise PrivacyError(
                "Exact values were asked for.", "data of the synthetic country", "evaluate on `whimbrel synth` instead"
            )

    @contextmanager
    def _alone_with_synthetic_data(self) -> Iterator[None]:
        """Keep deliveries waiting, so that none of real data comes between the look at the marks and the read."""
        with self.storage.alone():
            self.refuse_real_data()
            yield

    def build_nights(self, month: PrivacyMonth, session: Session, progress: Progress = lambda _: None) -> bool:
        """Build the nights of a privacy month, unless they stand as its days have them; tell whether it did.

        Raises:
            InputError: Too many days of the month were never delivered.
        """
        with self.storage.alone():
            wanted = self._nights.of(month)
            if missing := not self._nights.are_built(wanted):
                progress(f"finding the nights of {month}")
                with session() as engine:
                    self._nights.build(engine, wanted)
            self._nights.clear(wanted)
            return missing

    def awaits_nights(self, month: PrivacyMonth) -> bool:
        """Tell whether the nights of a month can be found and do not stand as its days have them."""
        try:
            return not self._nights.are_built(self._nights.of(month))
        except InputError:
            return False

    @property
    def _nights(self) -> NightsBuilder:
        return NightsBuilder(self.storage, self.policy, self.places, self.config.engine)

    def _inputs(self, plan: Plan) -> Inputs:
        """Say what a release reads, before anything is charged.

        Raises:
            InputError: A day that it needs was never delivered, or too many of a month; or the outage feed is broken.
            PrivacyError: It would read a month that it does not charge.
        """
        days, months = days_read(plan, self.policy), months_read(plan)
        read = {PrivacyMonth.of(day) for day in days} | set(months)
        _require_charged(plan, read)
        self._require_one_key(str(plan.key), read)
        self.storage.require_merged([*days, *(day for month in months for day in month.days)])
        found = self.storage.current(SUBSCRIBER_DAYS, days)
        return Inputs(self._zone_rows(plan), tuple(found), tuple(self._nights.of(month) for month in months))

    def _require_one_key(self, what: str, months: Collection[PrivacyMonth]) -> None:
        """Refuse to follow subscribers from one key epoch into another.

        Raises:
            PrivacyError: It would.
        """
        require_one_epoch(what, months, self.config.pseudonyms)
        KeyRegister.load(self.storage.keys).require_one_key(what, months)

    def _aggregate(self, plan: Plan, inputs: Inputs, engine: SparkSession) -> None:
        """Write the exact totals of a plan, in place of what an interrupted run left."""
        with self.storage.scratch() as scratch:
            file = scratch / "zones.parquet"
            pq.write_table(inputs.cells, file)
            totals = self._totals(plan, inputs, engine, engine.read.parquet(str(file)))
            self._exact(plan).write(totals, plan, inputs)

    def _totals(self, plan: Plan, inputs: Inputs, engine: SparkSession, zones: DataFrame) -> DataFrame:
        """Aggregate what was read in the way of the plan's product."""
        mobility, unseen = self.policy.mobility, withheld_indexes(ZoneRegister.load(self.storage.zones), plan.zones)
        days, nights = self.storage.read_days(engine, inputs.days), self._nights.read(engine, inputs.months)
        partitions = self._partitions(inputs.days, inputs.versions)
        match plan:
            case OdTripsPlan():
                return od_trips(days, zones, plan, mobility=mobility, partitions=partitions, unseen=unseen)
            case ContributionHistogramPlan():
                return contribution_histogram(
                    days, zones, plan, mobility=mobility, partitions=partitions, unseen=unseen
                )
            case DisplacementPlan():
                return displacement(nights, days, zones, plan, policy=self.policy, partitions=partitions, unseen=unseen)
        return subscribers(days, nights, plan, Setting(zones, self.policy, partitions, unseen))

    def _partitions(self, days: Sequence[Place], nights: Mapping[PrivacyMonth, str]) -> int:
        """Partitions of an exchange of these days and nights."""
        n_bytes = self.storage.bytes_of_days(days) + self.storage.bytes_of_nights(nights)
        return self.config.engine.partitions_for(n_bytes)

    def _zone_rows(self, plan: Plan) -> pa.Table:
        """Rows of the cell indexes of a plan's domain."""
        register = ZoneRegister.load(self.storage.zones)
        if not isinstance(plan, DisplacementPlan):
            return zone_rows(register, plan.zones)
        homes = ZoneTree(plan.zones.base_cells, home_resolutions(self.policy, plan.product))
        names = register.zones[: len(plan.zones.base_cells)]
        return self._with_reach(event_cells(zone_rows(register, homes), names, plan), names, plan)

    def _with_reach(self, cells: pa.Table, names: Sequence[str], plan: DisplacementPlan) -> pa.Table:
        """Add how far a home reaches in each night that a release looks at, where the operator has an outage feed."""
        if self.config.network is None:
            return cells
        network, away = read_cells(self.config.cells), self.policy.away
        reach = reach_by_night(
            names,
            days_for(plan.period, nights=away.carry_forward_nights),
            network,
            read_outages(self.config.network.outages, network),
            residence=self.policy.residence,
            near_km=away.min_away_km,
        )
        return cells.append_column("reach_km", pa.array(list(reach), pa.list_(pa.float64())))


def _require_charged(plan: Plan, read: set[PrivacyMonth]) -> None:
    """Refuse a plan that reads a month for free, whatever its policy says: nothing else ties reads to charges."""
    charged = {charge.privacy_month for charge in plan.charges}
    if free := sorted(str(month) for month in read if str(month) not in charged):
        raise PrivacyError(
            f"{plan.key} would read {', '.join(free)} and charge {', '.join(sorted(charged))}.",
            "a charge to every privacy month that is read",
            "correct `charged` of the product in the policy",
        )


def _require_may_leave(made: Release, today: date) -> None:
    """Refuse what is internal, and what a sensitive place delays; a day is that of UTC, wherever the machine is."""
    sensitivity, not_before = made.card.get("sensitivity"), made.card.get("not_before")
    if isinstance(sensitivity, Mapping) and sensitivity["class"] == SensitivityClass.INTERNAL:
        raise PrivacyError(
            f"{made.key} is of class {SensitivityClass.INTERNAL}.",
            "a release that may leave the operator",
            "have the product's `sensitivity` in the policy reviewed; another class is another revision",
        )
    if isinstance(not_before, str) and today < date.fromisoformat(not_before):
        raise PrivacyError(
            f"{made.key} may not leave before {not_before}.",
            "a release that no sensitive place delays any more",
            "publish it then; it stays sealed, and nothing is charged again",
        )


def zone_rows(register: ZoneRegister, tree: ZoneTree) -> pa.Table:
    """One row per cell index of the domain: its centre, and its zone at each level as `zone_<level>`."""
    zones = register.zones[: len(tree.base_cells)]
    position = np.searchsorted(np.array(tree.base_cells), np.array(zones))
    centres = np.array([h3.cell_to_latlng(zone) for zone in zones])
    levels = {f"zone_{n}": of_base[position] for n, of_base in enumerate(tree.base_to_level)}
    columns = {"cell_index": np.arange(len(zones)), "latitude": centres[:, 0], "longitude": centres[:, 1]}
    return pa.table({**columns, **levels})


def withheld_indexes(register: ZoneRegister, tree: ZoneTree) -> list[int]:
    """Return the cell indexes of withheld places."""
    withheld = set(tree.guard.withheld)
    return [index for index, zone in enumerate(register.zones) if zone in withheld]
