"""`whimbrel.toml`: one validated description of a country, its files and its engine."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from privacy.zoning import MOST_ADMIN_LEVELS
from schemas.errors import ConfigError

_TIME_TOKENS = ("yyyy", "MM", "dd", "HH", "mm", "ss")


class _Section(BaseModel):
    """A table of the file; a key it does not know is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CountryConfig(_Section):
    """What the whole installation shares.

    Args:
        name: Name shown in bundles.
        timezone: IANA zone that decides local days.
        base_resolution: H3 resolution at which cells are mapped and trips are seen.
    """

    name: str
    timezone: str
    base_resolution: Annotated[int, Field(ge=4, le=9)] = 6

    @field_validator("timezone")
    @classmethod
    def _is_an_iana_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is not an IANA time zone such as 'Africa/Maputo'") from error
        return name


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
        shuffle_partitions: Partitions of an exchange; about one per 4 million events.
    """

    name: Literal["sail", "spark"] = "sail"
    master: str = "local[*]"
    memory: str = "3g"
    shuffle_partitions: Annotated[int, Field(ge=1)] = 32


class PseudonymConfig(_Section):
    """Where the secret key of this epoch is: in a file, or in an environment variable (hexadecimal, 32 bytes)."""

    key_file: Path | None = None
    key_variable: str | None = None

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.key_file is None) == (self.key_variable is None):
            raise ValueError("give exactly one of key_file and key_variable")
        return self


class ColumnMapping(_Section):
    """Where each field stands: a name, or a position from 0 in a file without header."""

    subscriber: str | int
    time: str | int
    cell: str | int
    sex: str | int | None = None
    age_band: str | int | None = None

    @property
    def given(self) -> dict[str, str | int]:
        """Our name of each field that the source holds, with where it stands."""
        return {name: place for name, place in self if place is not None}


class SourceConfig(_Section):
    """One layout of event files.

    Args:
        format: `parquet` or `csv` (plain or gzip).
        columns: Where the fields stand.
        separator: Of CSV.
        header: Whether a CSV file opens with its column names.
        fields: Fields in a row of a CSV file without header; a row with another number is malformed.
        time_format: `iso`, or a mask of yyyy MM dd HH mm ss of fixed width, such as `dd/MM/yyyy HH:mm:ss`.
        time_zone: `utc` or `local`: what the written times mean.
    """

    format: Literal["parquet", "csv"]
    columns: ColumnMapping
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    header: bool = True
    fields: int | None = None
    time_format: str = "iso"
    time_zone: Literal["utc", "local"] = "utc"

    @field_validator("time_format")
    @classmethod
    def _is_readable(cls, mask: str) -> str:
        if mask != "iso" and (missing := [token for token in _TIME_TOKENS if mask.count(token) != 1]):
            raise ValueError(f"the mask {mask!r} lacks {', '.join(missing)} (or repeats it)")
        return mask

    @model_validator(mode="after")
    def _places_fit_the_format(self) -> Self:
        by_position = self.format == "csv" and not self.header
        wanted = int if by_position else str
        if wrong := [name for name, place in self.columns.given.items() if not isinstance(place, wanted)]:
            kind = "positions (0, 1, 2)" if by_position else "column names"
            raise ValueError(f"columns.{', columns.'.join(wrong)}: this layout needs {kind}")
        return self


class CellsConfig(_Section):
    """The cell table: CSV with `cell_id, latitude, longitude, valid_from, valid_to`."""

    path: Path


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


class Config(_Section):
    """The whole of `whimbrel.toml`."""

    country: CountryConfig
    storage: StorageConfig = StorageConfig()
    engine: EngineConfig = EngineConfig()
    pseudonyms: PseudonymConfig
    cells: CellsConfig
    sources: Annotated[dict[str, SourceConfig], Field(min_length=1)]
    ingest: IngestConfig = IngestConfig()
    approval: ApprovalConfig | None = None
    policy: Path | None = None
    places: Path | None = None
    events: Path | None = None
    network: NetworkConfig | None = None
    boundaries: BoundariesConfig | None = None

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
        return config.anchored(path.resolve().parent)

    def anchored(self, folder: Path) -> "Config":
        """Return the configuration with its relative paths made absolute under a folder."""
        key_file = self.pseudonyms.key_file and folder / self.pseudonyms.key_file
        storage = self.storage.model_copy(
            update={
                "confidential": folder / self.storage.confidential,
                "release": folder / self.storage.release,
            }
        )
        return self.model_copy(
            update={
                "storage": storage,
                "pseudonyms": self.pseudonyms.model_copy(update={"key_file": key_file}),
                "cells": CellsConfig(path=folder / self.cells.path),
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


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in mistake["loc"]) or "file"
    return f"[{place}] {mistake['msg'].removeprefix('Value error, ')}"
