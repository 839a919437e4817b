"""`whimbrel.toml`: one validated description of a country, its files and its engine."""

import math
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from jobs.key_epochs import PseudonymConfig
from jobs.layouts import ColumnMapping as ColumnMapping  # noqa: PLC0414  part of this configuration
from jobs.layouts import SourceConfig as SourceConfig  # noqa: PLC0414  part of this configuration
from jobs.quality.thresholds import QualityConfig
from privacy.zoning import MOST_ADMIN_LEVELS
from schemas.countries import countries
from schemas.errors import ConfigError

_BYTES_A_PARTITION: Final = 4_000_000
_FEWEST_PARTITIONS: Final = 4

_NOT_FOR_DEPLOYMENTS = frozenset(
    {"spark.sql.session.timeZone", "spark.speculation", "spark.sql.shuffle.partitions", "spark.master"}
)
"""Spark settings that decide results or retries, or that have a key of their own."""


class _Section(BaseModel):
    """A table of the file; a key it does not know is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CountryConfig(_Section):
    """What the whole installation shares.

    Args:
        name: Name shown in bundles.
        timezone: IANA zone that decides local days.
        base_resolution: H3 resolution at which cells are mapped and trips are seen.
        code: ISO 3166-1 alpha-2 code: a SIM of this country is domestic.
    """

    name: str
    timezone: str
    code: str | None = None
    base_resolution: Annotated[int, Field(ge=4, le=9)] = 6

    @field_validator("timezone")
    @classmethod
    def _is_an_iana_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is not an IANA time zone such as 'Africa/Maputo'") from error
        return name

    @field_validator("code")
    @classmethod
    def _is_a_country(cls, code: str | None) -> str | None:
        if code is not None and code not in countries():
            raise ValueError(f"{code!r} is not an ISO 3166-1 alpha-2 code such as 'MZ'")
        return code


class StorageConfig(_Section):
    """The two storage roots, one on each side of the confidentiality line, and the ledger.

    Args:
        confidential: Folder of everything that depends on subscribers.
        release: Folder of published bundles.
        ledger: SQLAlchemy address; default: `ledger.sqlite` in the confidential folder.
    """

    confidential: Path = Path("confidential")
    release: Path = Path("release")
    ledger: str | None = None

    @property
    def ledger_url(self) -> str:
        """Address of the ledger's database."""
        return self.ledger or f"sqlite:///{self.confidential / 'ledger.sqlite'}"


class EngineConfig(_Section):
    """Which engine runs the jobs.

    Args:
        name: `sail` (embedded, no Java) or `spark` (classic).
        master: Spark master; only `spark` reads it.
        memory: Driver memory of Spark on one machine.
        shuffle_partitions: Most partitions of an exchange, where much is read; about one per 4 million events. An
            ingest exchanges six small ones for each (ADR 28).
        settings: Spark settings of the deployment's own, which win over ours. Those on which results rest are refused.
    """

    name: Literal["sail", "spark"] = "sail"
    master: str = "local[*]"
    memory: str = "3g"
    shuffle_partitions: Annotated[int, Field(ge=1)] = 32
    settings: dict[str, str] = Field(default_factory=dict)

    def partitions_for(self, n_bytes: int, *, each: int = _BYTES_A_PARTITION) -> int:
        """Partitions of an exchange of what is read from files of this size together.

        Each costs a task, and one piece of every task before it, however little it holds: a day has fewer than a month.

        Args:
            n_bytes: Size of the files.
            each: What a partition holds of it, where there are few.
        """
        return min(self.shuffle_partitions, max(_FEWEST_PARTITIONS, math.ceil(n_bytes / each)))

    @field_validator("settings")
    @classmethod
    def _leaves_what_results_rest_on(cls, settings: dict[str, str]) -> dict[str, str]:
        if ours := sorted(_NOT_FOR_DEPLOYMENTS & settings.keys()):
            raise ValueError(f"{', '.join(ours)} cannot be set: results, or a retried task's files, rest on it")
        return settings


class CellColumns(_Section):
    """What the columns of a cell table are called that has other names than ours.

    Args:
        cell_id: The cell's name, as in the events.
        latitude: In degrees, WGS 84.
        longitude: In degrees, WGS 84.
        valid_from: First day at this place, empty: always; left out: every cell always stood where it stands.
        valid_to: Its end, as `valid_to_is` says; empty or left out: it still stands there.
        renamed_from: The name that it had before, under which events may still come.
    """

    cell_id: str
    latitude: str
    longitude: str
    valid_from: str | None = None
    valid_to: str | None = None
    renamed_from: str | None = None


class CellsConfig(_Section):
    """The cell table: CSV or Parquet with `cell_id, latitude, longitude, valid_from, valid_to`.

    Args:
        path: The file, or a folder of Parquet files; or, for events with coordinates, the GeoJSON of a public area,
            whose base cells are then the zones (ADR 17).
        area_resolution: H3 resolution of an area's base cells; that of the country.
        columns: Where the columns have other names; then it is the whole mapping.
        valid_to_is: What stands in `valid_to`: the `first_day_gone`, or the `last_day` (FlowKit, multimno).
        unplaced: `refuse` a table with cells without coordinates, or at 0, 0; or `leave_out` those cells.
        bbox: West, south, east, north, in degrees: no cell stands outside.
    """

    path: Path
    columns: CellColumns | None = None
    valid_to_is: Literal["first_day_gone", "last_day"] = "first_day_gone"
    unplaced: Literal["refuse", "leave_out"] = "refuse"
    bbox: tuple[float, float, float, float] | None = None
    area_resolution: Annotated[int, Field(ge=4, le=9)] = 6

    @field_validator("bbox")
    @classmethod
    def _is_a_box(cls, box: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if box is not None and not (-180 <= box[0] < box[2] <= 180 and -90 <= box[1] < box[3] <= 90):
            raise ValueError(f"{list(box)} is no box: give west, south, east, north in degrees")
        return box


class BoundariesConfig(_Section):
    """Administrative boundaries in the layout of COD-AB, as GeoJSON.

    Args:
        path: One file a level, coarse to fine; or one of the finest level, with the p-codes of all levels.
        levels: Admin levels, coarse to fine: 1 is the first below the country.
        snap_km: A tower outside all units belongs to the nearest one within so many kilometres.
    """

    path: Path | tuple[Path, ...]
    levels: Annotated[tuple[Annotated[int, Field(ge=1, le=MOST_ADMIN_LEVELS)], ...], Field(min_length=1)]
    snap_km: Annotated[float, Field(ge=0, le=100)] = 5.0

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, coarse to fine."""
        return (self.path,) if isinstance(self.path, Path) else self.path

    @model_validator(mode="after")
    def _has_files_of_its_levels(self) -> Self:
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError("levels do not go from coarse to fine")
        if len(self.paths) not in {1, len(self.levels)}:
            raise ValueError("give one file a level, or one in all")
        return self


class IngestConfig(_Section):
    """Limits of what a delivery may hold.

    Args:
        late_days: Days before a delivery's first day for which it may still bring rows; days close after them.
        exclusions: File with the numbers of subscribers who object, one a line, mode 600.
    """

    late_days: Annotated[int, Field(ge=0, le=31)] = 7
    exclusions: Path | None = None


class RetentionConfig(_Section):
    """How long confidential tables are kept; what is not named is kept for good.

    Args:
        quarantine_days: Days after a delivery's last day for which its quarantine is kept.
        parts_days: Days after a local day for which what its readers do not see is kept. Until then late rows and
            corrected files are accepted.
        subscriber_days: Days after a local day for which its subscriber days are kept.
        nights_months: Privacy months before the present one whose nights are kept.
        quality_days: Days after a local day for which its quality records are kept.
        leftovers_days: Days after which what was counted for a release is taken for a leftover.
    """

    quarantine_days: Annotated[int, Field(ge=1)] | None = None
    parts_days: Annotated[int, Field(ge=1)] | None = None
    subscriber_days: Annotated[int, Field(ge=1)] | None = None
    nights_months: Annotated[int, Field(ge=1)] | None = None
    quality_days: Annotated[int, Field(ge=1)] | None = None
    leftovers_days: Annotated[int, Field(ge=1)] = 2

    @model_validator(mode="after")
    def _quarantine_goes_first(self) -> Self:
        given = [days for days in (self.quarantine_days, self.parts_days, self.subscriber_days) if days is not None]
        if given != sorted(given):
            raise ValueError("quarantine_days, parts_days, subscriber_days: a later one is shorter than an earlier one")
        return self


class ApprovalConfig(_Section):
    """Whose signatures let a release leave, and the key with which the release gate signs bundles.

    Args:
        trust: The list of trusted keys; reviewed data.
        publisher_key: Private key of the release gate, mode 600.
        publisher_passphrase: Environment variable that holds its passphrase, where it has one.
    """

    trust: Path = Path("trust.toml")
    publisher_key: Path
    publisher_passphrase: str | None = None


class NetworkConfig(_Section):
    """What the operator knows of its own network; nothing of it depends on subscribers.

    Args:
        outages: CSV with `cell_id, down_from, down_to` in local time.
    """

    outages: Path


_Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]*$")
]
"""One line of text."""


class PurposeConfig(_Section):
    """What for and on what ground releases are made: recorded in the ledger before a run, and stated in every bundle.

    Args:
        purpose: What for.
        legal_basis: On what ground.
        controller: Who answers for it.
        contact: Whom to ask.
        reviewed_on: Day of the last review of all this.
    """

    purpose: _Line
    legal_basis: _Line
    controller: _Line
    contact: _Line
    reviewed_on: date


class SharingConfig(_Section):
    """What is handed to whom besides what is published.

    Args:
        agreements: Folder of sharing agreements, one TOML file each; reviewed data.
        shared: Folder of shared bundles, one folder an agreement. Outside of `release`: it is not for everybody.
        errata: Folder of signed errata: what was withdrawn is not shared any more. Named, it has to be there.
    """

    agreements: Path = Path("agreements")
    shared: Path = Path("shared")
    errata: Path = Path("errata")

    def anchored(self, folder: Path) -> "SharingConfig":
        """Return the section with its paths made absolute under a folder, and what the file names still known."""
        paths = {"agreements": self.agreements, "shared": self.shared, "errata": self.errata}
        return self.model_construct(self.model_fields_set, **{name: folder / path for name, path in paths.items()})

    @property
    def names_errata(self) -> bool:
        """Whether the file names the folder of errata."""
        return "errata" in self.model_fields_set


class Config(_Section):
    """The whole of `whimbrel.toml`."""

    country: CountryConfig
    storage: StorageConfig = StorageConfig()
    engine: EngineConfig = EngineConfig()
    pseudonyms: PseudonymConfig
    cells: CellsConfig
    sources: Annotated[dict[str, SourceConfig], Field(min_length=1)]
    ingest: IngestConfig = IngestConfig()
    retention: RetentionConfig | None = None
    approval: ApprovalConfig | None = None
    policy: Path | None = None
    places: Path | None = None
    events: Path | None = None
    network: NetworkConfig | None = None
    quality: QualityConfig = QualityConfig()
    boundaries: BoundariesConfig | None = None
    purpose: PurposeConfig | None = None
    sharing: SharingConfig = SharingConfig()

    @model_validator(mode="after")
    def _knows_its_country_where_others_are_told_from_it(self) -> Self:
        mapped = {field for source in self.sources.values() for field in source.columns.given}
        if self.country.code is None and mapped & {"sim_country", "visited_country"}:
            raise ValueError("sources map sim_country or visited_country: [country] code has to tell what is domestic")
        return self

    @model_validator(mode="after")
    def _has_one_base_resolution(self) -> Self:
        if self.cells.path.suffix == ".geojson" and self.cells.area_resolution != self.country.base_resolution:
            raise ValueError("[cells] area_resolution is not [country] base_resolution")
        return self

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Read and validate a file; relative paths in it start from its own folder.

        Raises:
            ConfigError: The file is missing, not TOML, or a key in it is wrong; the key is named.
        """
        try:
            config = cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise ConfigError(
                f"There is no configuration at {path}.",
                "a whimbrel.toml",
                "name it with --config, or start from the README's",
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not TOML: {error}.", "a TOML file", "correct the line named") from error
        except ValidationError as error:
            raise ConfigError(f"{path}: {_first_mistake(error)}.", "", "correct the key named") from error
        anchored = config.anchored(path.resolve().parent)
        _keep_apart(anchored.sharing.shared, anchored.storage.release)
        return anchored

    def anchored(self, folder: Path) -> "Config":
        """Return the configuration with its relative paths made absolute under a folder."""
        storage = self.storage.model_copy(
            update={
                "confidential": folder / self.storage.confidential,
                "release": folder / self.storage.release,
            }
        )
        return self.model_copy(
            update={
                "storage": storage,
                "pseudonyms": self.pseudonyms.anchored(folder),
                "cells": self.cells.model_copy(update={"path": folder / self.cells.path}),
                "sharing": self.sharing.anchored(folder),
                "ingest": self.ingest.model_copy(
                    update={"exclusions": self.ingest.exclusions and folder / self.ingest.exclusions}
                ),
                "approval": self.approval
                and self.approval.model_copy(
                    update={
                        "trust": folder / self.approval.trust,
                        "publisher_key": folder / self.approval.publisher_key,
                    }
                ),
                "policy": self.policy and folder / self.policy,
                "places": self.places and folder / self.places,
                "events": self.events and folder / self.events,
                "network": self.network and NetworkConfig(outages=folder / self.network.outages),
                "boundaries": self.boundaries
                and self.boundaries.model_copy(update={"path": tuple(folder / path for path in self.boundaries.paths)}),
            }
        )

    def with_engine(self, name: Literal["sail", "spark"]) -> "Config":
        """Return the configuration with another engine."""
        return self.model_copy(update={"engine": self.engine.model_copy(update={"name": name})})

    def source(self, name: str | None) -> SourceConfig:
        """Return the mapping of a name; without a name, the only one there is.

        Raises:
            ConfigError: No such mapping, or several and none named.
        """
        if name is None and len(self.sources) == 1:
            return next(iter(self.sources.values()))
        if name not in self.sources:
            found = f"There is no source {name!r}." if name else "Several sources are configured and none was named."
            raise ConfigError(found, f"one of {', '.join(sorted(self.sources))}", "name one with --source")
        return self.sources[name]

    def name_of(self, source: SourceConfig) -> str | None:
        """Return the name under which a mapping stands here; nothing where it does not."""
        return next((name for name, mapping in self.sources.items() if mapping == source), None)

    @property
    def required_sources(self) -> tuple[str, ...]:
        """Names of the mappings without which no day counts as delivered."""
        return tuple(sorted(name for name, mapping in self.sources.items() if mapping.required))


def _keep_apart(shared: Path, release: Path) -> None:
    """Refuse one within the other, wherever links and `..` lead: an agreement may be called as the release zone is."""
    ours, zone = shared.resolve(), release.resolve()
    if ours.is_relative_to(zone) or zone.is_relative_to(ours):
        raise ConfigError(
            f"[sharing] shared, {ours}, and [storage] release, {zone}, lie one in the other.",
            "two folders side by side: what is for one would be for all",
            "choose another folder for shared",
        )


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in mistake["loc"]) or "file"
    return f"[{place}] {mistake['msg'].removeprefix('Value error, ')}"
