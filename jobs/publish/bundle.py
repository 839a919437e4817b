"""The release bundle: one folder, and its zip, that explains itself.

Everything in it is a function of the `Release`: publishing twice, or on two machines with the locked
environment, gives the same bytes, so a retry after a crash finds the bundle as it left it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from jobs.publish.archive import read_bundle_files, zip_bytes
from jobs.publish.card import read_card
from jobs.publish.datapackage import PACKAGE_NAME, package_of
from jobs.publish.jsontext import json_bytes
from jobs.publish.od_map import od_map_png
from jobs.publish.readme import README_NAME, readme_text
from jobs.publish.sums import SUMS_NAME, check_sums, sums_bytes
from jobs.publish.tables import csv_bytes, parquet_bytes, public_contract, published_table
from jobs.publish.zones import zones_geojson, zones_in
from privacy.canonical import canonical_json
from privacy.durable import flush_names, write_flushed
from privacy.release import Release
from schemas.errors import BundleError, PrivacyError

CARD_NAME: Final = "card.json"
ZONES_NAME: Final = "zones.geojson"
MAP_NAME: Final = "map.png"


@dataclass(frozen=True)
class Bundle:
    """A published bundle.

    Args:
        folder: Its folder.
        archive: The zip of the folder, beside it.
        sha256: Digest of its `SHA256SUMS`, and so of every file: what the ledger records.
    """

    folder: Path
    archive: Path
    sha256: str


def publish(release: Release, root: Path) -> Bundle:
    """Write the bundle of a release, or find it as it stands, and say what the ledger needs to know.

    Args:
        release: The only type that leaves: it comes out of `privacy.release` and nowhere else.
        root: Folder of published bundles.

    Raises:
        BundleError: Another bundle already stands under this name, or it was damaged.
        PrivacyError: Something else than a release was handed over.
    """
    folder = write_bundle(release, root)
    sums = (folder / SUMS_NAME).read_bytes()
    return Bundle(folder, _archive_of(folder), hashlib.sha256(sums).hexdigest())


def write_bundle(release: Release, root: Path) -> Path:
    """Write `<root>/<slug>/` and `<slug>.zip` whole or not at all; return the folder.

    A bundle that stands already is compared and left untouched.

    Raises:
        BundleError: It stands and differs.
        PrivacyError: Something else than a release was handed over.
    """
    _require_release(release)
    files = bundle_files(release)
    folder = root / read_card(files[CARD_NAME]).slug
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root, prefix=f".{folder.name}-") as workshop:
        _settle(_folder_in(Path(workshop), files), folder, files)
        _settle_archive(Path(workshop) / "zip", _archive_of(folder), files)
    flush_names(root)
    return folder


def bundle_files(release: Release) -> dict[str, bytes]:
    """Return every file of a bundle by name: a pure function of the release."""
    card = read_card(canonical_json(release.card))
    contract = public_contract(card.product)
    table = published_table(release.table, contract)
    zones = zones_geojson(release.base_cells, zones_in(table))
    data = {
        f"{contract.name}.csv": csv_bytes(table),
        f"{contract.name}.parquet": parquet_bytes(table),
        ZONES_NAME: json_bytes(zones, indent=None),
    }
    words = {
        CARD_NAME: json_bytes(json.loads(canonical_json(release.card))),
        README_NAME: readme_text(card, contract).encode(),
        PACKAGE_NAME: json_bytes(package_of(card, contract)),
        MAP_NAME: od_map_png(release),
    }
    files = data | words
    return files | {SUMS_NAME: sums_bytes(files)}


def published_heads(root: Path) -> Iterator[str]:
    """Yield the ledger heads that the bundles under `root` carry: `Ledger.reserve` must know them all.

    Raises:
        BundleError: A bundle has no readable card.
    """
    for path in sorted(root.glob(f"[!.]*/{CARD_NAME}")):
        yield read_card(path.read_bytes()).ledger_head


def _require_release(release: object) -> None:
    # pyarrow ships no types, so the type checker alone would let a bare table through.
    if not isinstance(release, Release):
        raise PrivacyError(
            f"A {type(release).__name__} was handed to publication.",
            "a Release, which privacy.release alone makes",
            "release the table first: whimbrel release PRODUCT PERIOD",
        )


def _archive_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def _folder_in(workshop: Path, files: Mapping[str, bytes]) -> Path:
    folder = workshop / "bundle"
    folder.mkdir()
    for name, content in files.items():
        write_flushed(folder / name, content)
    flush_names(folder)
    return folder


def _settle(made: Path, folder: Path, files: Mapping[str, bytes]) -> None:
    if folder.exists():
        _require_same(folder, files)
        return
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        _require_same(folder, files)  # another process settled first


def _require_same(folder: Path, files: Mapping[str, bytes]) -> None:
    standing = read_bundle_files(folder)
    check_sums(standing)
    if standing[SUMS_NAME] != files[SUMS_NAME]:
        raise _differs(folder)


def _settle_archive(made: Path, archive: Path, files: Mapping[str, bytes]) -> None:
    if archive.exists():
        # Compared unfolded: builds of zlib may pack the same bytes differently.
        if read_bundle_files(archive) != files:
            raise _differs(archive)
        return
    write_flushed(made, zip_bytes(archive.stem, files))
    made.replace(archive)


def _differs(path: Path) -> BundleError:
    return BundleError(
        f"Another bundle already stands at {path}.",
        "the bytes that this release gives",
        "move it away if it was never handed out; otherwise publish a revision, which is charged anew",
    )
