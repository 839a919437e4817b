"""Making a release: the shell around the pipeline and the door."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import cast

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from jobs.config import Config
from jobs.ingest.cells import ZoneRegister
from jobs.pipeline import days_of, od_trips
from jobs.publish.bundle import Bundle, publish, published_heads
from jobs.storage import Place, Storage
from privacy.bounding import Bounded
from privacy.canonical import canonical_json, sha256_hex
from privacy.hierarchy import ZoneTree
from privacy.ledger import Ledger, ReleaseKey
from privacy.policy import MobilityPolicy, Policy
from privacy.release import Plan, Release, release, sealed_release
from privacy.unit import Period
from privacy.vault import Vault
from schemas.errors import PrivacyError
from schemas.exact import EXACT_TOTALS
from schemas.subscriber_days import SUBSCRIBER_DAYS

Progress = Callable[[str], None]
Session = Callable[[], AbstractContextManager[SparkSession]]
"""Opens an engine; asked only where something has to be aggregated."""


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
        entry = self.policy.product(product, period.kind)
        if not entry.releases:
            raise PrivacyError(
                f"{product} by {period.kind} is not released yet.",
                ", ".join(f"{p.product} by {p.kind}" for p in self.policy.products if p.releases),
                "choose one of these",
            )
        mobility = self.policy.mobility
        key = ReleaseKey(product, str(period), revision)
        return Plan(
            key=key,
            period=period,
            product=entry,
            policy_sha256=self.policy.sha256,
            zones=ZoneTree(self._domain(key), tuple(level.resolution for level in entry.levels)),
            country=self.config.country.name,
            definition=_definition(mobility, self.config.country.base_resolution),
            definition_parameters={
                **asdict(mobility),
                "base_resolution": self.config.country.base_resolution,
            },
            synthetic=self.storage.is_synthetic,
        )

    def _domain(self, key: ReleaseKey) -> tuple[str, ...]:
        """The zones of a release: those of its reservation, so that a tower built since cannot strand it."""
        zones = ZoneRegister.load(self.storage.zones).zones
        reserved = self.ledger.reserved(key)
        return tuple(sorted(zones[: cast(int, reserved["zones"])] if reserved else zones))

    def release(self, plan: Plan, session: Session, progress: Progress = lambda _: None) -> Release:
        """Give the release of a plan: as it was sealed, or a new one, charged and sealed.

        Nothing is charged before every day of the period is there, and the exact totals are gone once it is sealed.

        Args:
            plan: What to release.
            session: Opens an engine.
            progress: Told what begins.
        """
        with self.storage.alone():
            known = sealed_release(plan.key, ledger=self.ledger, vault=self.vault)
            made = known or self._new_release(plan, session, progress)
            shutil.rmtree(self.storage.exact(plan.key.slug), ignore_errors=True)
            return made

    def was_sealed_under(self, plan: Plan, made: Release) -> bool:
        """Tell whether a release was sealed under the plan of today: the same policy, zones and definition."""
        return canonical_json(plan.card) == canonical_json({name: made.card[name] for name in plan.card})

    def publish(self, key: ReleaseKey) -> Bundle:
        """Write the bundle of a sealed release and record it; again: the same bytes, nothing recorded twice.

        Raises:
            PrivacyError: The release is not sealed.
        """
        made = sealed_release(key, ledger=self.ledger, vault=self.vault)
        if made is None:
            raise PrivacyError(
                f"{key} is not sealed.", "a sealed release", f"run `whimbrel release {key.product} {key.period}` first"
            )
        bundle = publish(made, self.storage.release)
        self.ledger.publish(key, bundle_sha256=bundle.sha256)
        return bundle

    def _new_release(self, plan: Plan, session: Session, progress: Progress) -> Release:
        places = self.storage.current(SUBSCRIBER_DAYS, days_of(plan.period, self.policy.mobility))

        def exact() -> tuple[Bounded, str]:
            progress("aggregating trips")
            with session() as engine:
                self._aggregate(plan, places, engine)
            progress("drawing noise and sealing")
            self.vault.keep_only(self.ledger.artefacts())
            return self._bounded(plan), _digest_of(places)

        return release(
            plan,
            ledger=self.ledger,
            vault=self.vault,
            policy=self.policy,
            exact=exact,
            known_heads=published_heads(self.storage.release),
        )

    def exact_for_evaluation(self, plan: Plan, engine: SparkSession) -> pa.Table:
        """Give the bounded totals before noise, mean trips a day: of the synthetic country only.

        Raises:
            PrivacyError: The data bear no synthetic mark.
        """
        if not self.storage.is_synthetic:
            raise PrivacyError(
                "Exact totals were asked for.", "data of the synthetic country", "evaluate on `whimbrel synth` instead"
            )
        with self.storage.alone():
            places = self.storage.current(SUBSCRIBER_DAYS, days_of(plan.period, self.policy.mobility))
            self._aggregate(plan, places, engine)
            bounded = self._bounded(plan)
            shutil.rmtree(self.storage.exact(plan.key.slug))
        zones = np.array(plan.zones.levels[-1].zones)
        return pa.table(
            {
                "origin_h3": zones[bounded.keys // len(zones)],
                "destination_h3": zones[bounded.keys % len(zones)],
                "trips": bounded.totals / plan.fixed_point,
            }
        )

    def _aggregate(self, plan: Plan, places: Sequence[Place], engine: SparkSession) -> None:
        """Write the exact totals of a plan, in place of what an interrupted run left."""
        folder = self.storage.exact(plan.key.slug)
        shutil.rmtree(folder, ignore_errors=True)
        with self.storage.scratch() as scratch:
            file = scratch / "zones.parquet"
            pq.write_table(zone_rows(ZoneRegister.load(self.storage.zones), plan.zones), file)
            totals = od_trips(
                self.storage.read_days(engine, places),
                engine.read.parquet(str(file)),
                plan,
                mobility=self.policy.mobility,
                partitions=self.config.engine.shuffle_partitions,
            )
            EXACT_TOTALS.conform(totals).write.parquet(str(folder))
        # An engine may write no folder at all for a period without trips, which must not show.
        folder.mkdir(parents=True, exist_ok=True)

    def _bounded(self, plan: Plan) -> Bounded:
        """Read the exact totals back, in the order of their keys."""
        table = pq.read_table(self.storage.exact(plan.key.slug), schema=EXACT_TOTALS.arrow_schema).sort_by("key")
        return Bounded(table["key"].to_numpy(), table["total"].to_numpy(), plan.bounds)


def zone_rows(register: ZoneRegister, tree: ZoneTree) -> pa.Table:
    """One row per cell index of the domain: its centre, and its zone at each level as `zone_<level>`."""
    zones = register.zones[: len(tree.base_cells)]
    position = np.searchsorted(np.array(tree.base_cells), np.array(zones))
    centres = np.array([h3.cell_to_latlng(zone) for zone in zones])
    levels = {f"zone_{n}": of_base[position] for n, of_base in enumerate(tree.base_to_level)}
    columns = {"cell_index": np.arange(len(zones)), "latitude": centres[:, 0], "longitude": centres[:, 1]}
    return pa.table({**columns, **levels})


def _digest_of(places: Sequence[Place]) -> str:
    """Digest of the versions that were read; depends on the data, so it is recorded inside only."""
    return sha256_hex(canonical_json([[contract.name, version, str(day)] for contract, version, day in places]))


def _definition(mobility: MobilityPolicy, resolution: int) -> str:
    return (
        f"A trip joins two consecutive records of one subscriber in different H3 cells of resolution {resolution}, at "
        f"most {mobility.max_gap_h:g} h apart, and not faster than {mobility.max_speed_m_s:g} m/s over more than "
        f"{mobility.min_speed_distance_km:g} km. It counts on the day it arrives. Values are means a day over the "
        "period, each subscriber's trips being scaled down to the contribution bounds."
    )
