"""What is exported: the rows of one verified bundle, and its zones where it has any."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import shapely
from shapely.geometry import shape

from jobs.publish.card import Card
from jobs.publish.forms import form_of
from jobs.publish.sharing.notice import SharingNote
from jobs.publish.verify import Contents, verified
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.approval import Trust
from privacy.signing import PublicKey
from privacy.unit import Period
from privacy.zoning import Zoning
from schemas.contract import Contract
from schemas.errors import BundleError

CRS: Final = "OGC:CRS84"
"""Longitude and latitude, WGS 84: the only projection of RFC 7946."""

_WGS_84: Final = ("crs84", "epsg:4326", "epsg::4326")
"""How the old `crs` member of GeoJSON names it."""

_INTEGERS: Final = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
"""As floats, whole numbers with a missing one among them would be written with a decimal point."""


@dataclass(frozen=True)
class Source:
    """One bundle, verified.

    Args:
        card: Its card.
        contract: Contract of its table.
        rows: The table as it was published.
        zones: By zone: `name`, `level`, `lng` and `lat` of a point inside, `geometry`; nothing where none are drawn.
        sha256: Digest of its `SHA256SUMS`, and so of every file of it.
        by_areas: How its zones were turned into other areas; empty where they were not.
        sharing: With whom it was shared; none of a published bundle.
    """

    card: Card
    contract: Contract
    rows: pd.DataFrame
    zones: gpd.GeoDataFrame | None
    sha256: str
    by_areas: str = ""
    sharing: SharingNote | None = None

    @cached_property
    def period(self) -> Period:
        """What its rows are about."""
        return Period.parse(self.card.period)

    @property
    def bundle(self) -> str:
        """Name of the bundle."""
        return self.sharing.slug if self.sharing else self.card.slug

    @property
    def slug(self) -> str:
        """Name of the folder of its exports."""
        return f"{self.bundle}_areas" if self.by_areas else self.bundle

    @property
    def stem(self) -> str:
        """Beginning of the name of each of its files: the bundle's; synthetic data says so."""
        return f"{self.slug}_synthetic" if self.card.synthetic else self.slug

    @property
    def title(self) -> str:
        """Its title; synthetic data says so first."""
        return f"SYNTHETIC DATA: {self.card.title}" if self.card.synthetic else self.card.title

    @property
    def places(self) -> tuple[str, ...]:
        """Columns that hold zones, in the order of the contract: where from stands before where to."""
        return tuple(name for name in self.contract.key if name in LEVEL_COLUMNS)

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of the key that break rows down and hold no zone."""
        return tuple(name for name in self.contract.key if name != "period" and name not in LEVEL_COLUMNS)

    @property
    def has_flows(self) -> bool:
        """Whether its rows are movements from a zone to a zone, of which small ones are absent."""
        return form_of(self.card.product).has_map


def read_source(path: Path, *, key: PublicKey | None = None, trust: Trust | None = None) -> Source:
    """Verify a bundle's folder or zip and read it.

    Args:
        path: The folder or the zip.
        key: The publisher's key, known from elsewhere.
        trust: The operator's list of trusted keys, known from elsewhere.

    Raises:
        BundleError: It is damaged, contradicts itself, is newer than this version, or its zones cannot be drawn.
    """
    report, contents = verified(path, key=key, trust=trust, package=False)
    rows = contents.table.to_pandas(types_mapper=_INTEGERS.get)
    return Source(contents.card, contents.contract, rows, _zones(contents), report.sha256, sharing=contents.sharing)


def _zones(contents: Contents) -> gpd.GeoDataFrame | None:
    if contents.zones is None:
        return None
    _check_projection(contents.zones.get("crs"))
    features = contents.zones["features"]
    properties = pd.DataFrame([_described(feature["properties"], contents.card.zoning) for feature in features])
    drawn = gpd.GeoSeries([_polygons(feature) for feature in features], crs=CRS)
    inside = _points_inside(drawn)
    columns = properties.assign(lng=inside.x.to_numpy(), lat=inside.y.to_numpy())
    return gpd.GeoDataFrame(columns, geometry=drawn).set_index("zone").sort_values(["level", "zone"])


def _described(properties: dict[str, Any], zoning: Zoning) -> dict[str, Any]:
    if zoning is Zoning.H3:
        return {"zone": properties["zone"], "name": "", "level": properties["resolution"]}
    return {"zone": properties["zone"], "name": str(properties["name"]), "level": properties["level"]}


def _polygons(feature: dict[str, Any]) -> shapely.MultiPolygon:
    zone = str(feature["properties"]["zone"])
    try:
        drawn = shape(feature["geometry"])
    except (shapely.errors.ShapelyError, ValueError, TypeError, IndexError) as error:
        raise _undrawable(f"the rings of {zone} are none: {error}") from error
    if not isinstance(drawn, shapely.MultiPolygon) or drawn.is_empty:
        raise _undrawable(f"{zone} has no area")
    if not drawn.is_valid:
        raise _undrawable(f"the rings of {zone} cross or touch: {shapely.is_valid_reason(drawn)}")
    return drawn


def _points_inside(drawn: gpd.GeoSeries) -> gpd.GeoSeries:
    """The centroid where it lies inside; elsewhere, as of a zone cut at 180 degrees, another point inside."""
    centroids = gpd.GeoSeries(shapely.centroid(drawn.to_numpy()), crs=CRS)
    return centroids.where(drawn.contains(centroids), drawn.representative_point())


def _check_projection(crs: object) -> None:
    """Refuse another projection than WGS 84: whoever wrote the member meant it."""
    if crs is None:
        return
    name = crs.get("properties", {}).get("name", "") if isinstance(crs, dict) else ""
    if not str(name).lower().endswith(_WGS_84):
        raise BundleError(
            f"zones.geojson is said to be in the projection {str(name)[:60]!r}.",
            "longitude and latitude, WGS 84, as RFC 7946 has it",
            "do not use the bundle; ask its publisher",
        )


def _undrawable(found: str) -> BundleError:
    return BundleError(
        f"zones.geojson cannot be drawn: {found}.",
        "valid polygons (OGC Simple Features)",
        "ask the bundle's publisher to correct the boundaries; its CSV and Parquet hold the table without them",
    )
