"""The release bundle: one folder, and its zip, that explains itself.

Everything in it is a function of the `Release` and its `Clearance`: publishing twice, or on two machines with the
locked environment, gives the same bytes, so a retry after a crash finds the bundle as it left it.
"""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pyarrow as pa

from jobs.publish.approvals import (
    APPROVAL_NAME,
    Clearance,
    approval_bytes,
    read_approval,
    require_publisher,
    signature_bytes,
    signer_of,
)
from jobs.publish.archive import read_bundle_files, zip_bytes
from jobs.publish.card import read_card
from jobs.publish.datapackage import PACKAGE_NAME, package_of
from jobs.publish.explorer.alone import page_of_release
from jobs.publish.forms import form_of
from jobs.publish.jsontext import json_bytes
from jobs.publish.od_map import map_png
from jobs.publish.readme import PAGE_NAME, README_NAME, readme_text
from jobs.publish.sharing.notice import SharingNote
from jobs.publish.shown import Shown
from jobs.publish.sums import SIGNATURE_NAME, SUMS_NAME, check_sums, sums_bytes, sums_sha256
from jobs.publish.tables import csv_bytes, parquet_bytes, public_contract, published_table
from jobs.publish.zones import Feature, units_geojson, zones_geojson, zones_in
from privacy.canonical import canonical_json
from privacy.durable import alone_in, flush_names, write_flushed
from privacy.release import Release
from privacy.signing import PublicKey
from schemas.errors import BundleError, PrivacyError

CARD_NAME: Final = "card.json"
ZONES_NAME: Final = "zones.geojson"
MAP_NAME: Final = "map.png"

Files = Mapping[str, bytes]
"""Files of a bundle by name."""


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


def publish(release: Release, clearance: Clearance, root: Path, left: Collection[str] = ()) -> Bundle:
    """Write the bundle of a release, or find it as it stands, and say what the ledger needs to know.

    Args:
        release: The only type that leaves: it comes out of `privacy.release` and nowhere else.
        clearance: Its approval, and the key that signs the bundle.
        root: Folder of published bundles.
        left: Digests of the bundles of it that left, as the ledger has them.

    Raises:
        BundleError: Another bundle already stands under this name, or it was damaged.
        PrivacyError: Something else than a release was handed over.
    """
    folder = write_bundle(release, clearance, root, left)
    return Bundle(folder, archive_of(folder), sums_sha256({SUMS_NAME: (folder / SUMS_NAME).read_bytes()}))


def write_bundle(release: Release, clearance: Clearance, root: Path, left: Collection[str] = ()) -> Path:
    """Write `<root>/<slug>/` and `<slug>.zip` whole or not at all; return the folder.

    A bundle that stands already is compared and left untouched, also where a former key of the gate signed it, and
    where the ledger knows that it left.

    Raises:
        BundleError: It stands and differs.
        PrivacyError: Something else than a release was handed over.
    """
    _require_release(release)
    files = bundle_files(release, clearance)
    folder = root / read_card(files[CARD_NAME]).slug
    return settle(as_it_left(files, folder, left), folder, clearance.publishers)


def as_it_left(files: Files, folder: Path, left: Collection[str]) -> Files:
    """Return the files that stand in a bundle's folder where they left under the same approval, and these otherwise.

    A later version of Whimbrel may word a page otherwise: what left stays as it left, and is not charged again.

    Args:
        files: The bundle as it is made now.
        folder: Where it belongs.
        left: Digests of the bundles of it that left, as the ledger has them.

    Raises:
        BundleError: What stands there was damaged.
    """
    if not (left and folder.exists()):
        return files
    standing = read_bundle_files(folder)
    check_sums(standing)
    is_as_it_left = sums_sha256(standing) in left and standing.get(APPROVAL_NAME) == files[APPROVAL_NAME]
    return standing if is_as_it_left else files


def settle(files: Files, folder: Path, publishers: Collection[PublicKey]) -> Path:
    """Bring a bundle's files to their folder, and its zip beside it, whole or not at all; return the folder.

    Raises:
        BundleError: Another bundle stands there.
    """
    root = folder.parent
    root.mkdir(parents=True, exist_ok=True)
    with alone_in(root):
        for leftover in root.glob(f".{folder.name}-*"):  # of a run that was killed: nobody else is in here
            shutil.rmtree(leftover)
        with TemporaryDirectory(dir=root, prefix=f".{folder.name}-") as workshop:
            standing = _settle(_folder_in(Path(workshop), files), folder, files, publishers)
            _settle_archive(Path(workshop) / "zip", archive_of(folder), standing)
        flush_names(root)
    return folder


def refuse_another(files: Files, folder: Path, publishers: Collection[PublicKey]) -> None:
    """Refuse where another bundle than these files stands in their folder.

    Raises:
        BundleError: It does.
    """
    if folder.exists():
        _require_same(folder, files, publishers)


def bundle_files(release: Release, clearance: Clearance) -> dict[str, bytes]:
    """Return every file of a bundle by name: a pure function of the release and its clearance.

    Raises:
        PrivacyError: The clearance is that of another artefact.
    """
    require_cleared(release, clearance)
    shown = Shown.of(release)
    card = {CARD_NAME: json_bytes(json.loads(canonical_json(release.card)))}
    return signed_files(shown.card.slug, data_files(shown) | card, clearance)


def require_cleared(release: Release, clearance: Clearance) -> None:
    """Refuse a clearance that is another artefact's.

    Raises:
        PrivacyError: It is.
    """
    if clearance.artefact_sha256 != release.seal.artefact_sha256:
        raise PrivacyError(f"The clearance of {release.key} is that of another artefact.", "its own", "approve it")


def data_files(shown: Shown, sharing: SharingNote | None = None) -> dict[str, bytes]:
    """Return the files that hold what a bundle shows, and the words that explain it."""
    card, contract = shown.card, public_contract(shown.card.product)
    table = published_table(shown.table, contract)
    zones = _zones(shown, table) if form_of(card.product).has_zones else None
    csv = csv_bytes(table)
    files = {
        f"{contract.name}.csv": csv,
        f"{contract.name}.parquet": parquet_bytes(table),
        PAGE_NAME: page_of_release(card, table, zones, csv=csv, sharing=sharing),
        README_NAME: readme_text(card, contract, sharing).encode(),
        PACKAGE_NAME: json_bytes(package_of(card, contract, sharing)),
    }
    if zones:
        files |= {ZONES_NAME: json_bytes(zones, indent=None)}
    if form_of(card.product).has_map:
        files |= {MAP_NAME: map_png(shown, sharing)}
    return files


def signed_files(slug: str, files: Files, clearance: Clearance) -> dict[str, bytes]:
    """Return a bundle's files with its approval, its sums and the gate's signature."""
    whole = {**files, APPROVAL_NAME: approval_bytes(clearance)}
    whole |= {SUMS_NAME: sums_bytes(whole)}
    return whole | {SIGNATURE_NAME: signature_bytes(slug, whole, clearance.gate)}


def _zones(shown: Shown, table: pa.Table) -> Feature:
    """The zones that a bundle shows, to draw: units where its zones are units, and H3 cells otherwise."""
    if shown.units:
        return units_geojson(shown.units.drawn(shown.card.zones.resolutions))
    return zones_geojson(shown.base_cells, zones_in(table))


def names_of(product: str) -> frozenset[str]:
    """Return the names of the files that a bundle of a product consists of.

    Raises:
        BundleError: No such product is published.
    """
    table = public_contract(product).name
    words = {CARD_NAME, PAGE_NAME, README_NAME, PACKAGE_NAME, APPROVAL_NAME, SUMS_NAME, SIGNATURE_NAME}
    form = form_of(product)
    drawn = {name for name, there in ((ZONES_NAME, form.has_zones), (MAP_NAME, form.has_map)) if there}
    return frozenset({f"{table}.csv", f"{table}.parquet"} | words | drawn)


LATER_NAMES: Final = frozenset({PAGE_NAME})
"""Of these, the names that bundles of earlier versions lack."""


def published_heads(root: Path) -> frozenset[str]:
    """Return the ledger heads that the bundles under `root` carry, of seal and approval: the ledger must know them all.

    A bundle is found by its folder and by its zip, so that either of them is enough.

    Raises:
        BundleError: A bundle has no readable card, or no readable approval.
    """
    folders = (card.parent for card in root.glob(f"[!.]*/{CARD_NAME}"))
    return frozenset(head for path in sorted({*folders, *root.glob("[!.]*.zip")}) for head in _heads_in(path))


def _heads_in(bundle: Path) -> Iterator[str]:
    """Yield the heads that a folder or a zip carries; a zip without a card is no bundle."""
    try:
        files = read_bundle_files(bundle, only={CARD_NAME, APPROVAL_NAME})
        if CARD_NAME in files:
            yield read_card(files[CARD_NAME]).ledger_head
        if APPROVAL_NAME in files:
            yield read_approval(files[APPROVAL_NAME])[1].ledger_head
    except BundleError as error:
        raise BundleError(
            f"{bundle.name} among the published bundles: {error.found}",
            error.expected,
            "restore it from a copy; move it away only where it never was a bundle",
        ) from error


def _require_release(release: object) -> None:
    # pyarrow ships no types, so the type checker alone would let a bare table through.
    if not isinstance(release, Release):
        raise PrivacyError(
            f"A {type(release).__name__} was handed to publication.",
            "a Release, which privacy.release alone makes",
            "release the table first: whimbrel release PRODUCT PERIOD",
        )


def archive_of(folder: Path) -> Path:
    """Return the zip that stands beside a bundle's folder."""
    return folder.with_name(f"{folder.name}.zip")


def _folder_in(workshop: Path, files: Files) -> Path:
    folder = workshop / "bundle"
    folder.mkdir()
    for name, content in files.items():
        write_flushed(folder / name, content)
    flush_names(folder)
    return folder


def _settle(made: Path, folder: Path, files: Files, publishers: Collection[PublicKey]) -> Files:
    """Bring a made folder to its place and return what stands there: these files, or equal ones from before."""
    if folder.exists():
        return _require_same(folder, files, publishers)
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        return _require_same(folder, files, publishers)  # another process settled first
    return files


def _require_same(folder: Path, files: Files, publishers: Collection[PublicKey]) -> Files:
    standing = read_bundle_files(folder)
    check_sums(standing)
    if standing[SUMS_NAME] != files[SUMS_NAME]:
        raise _differs(folder)
    require_publisher(signer_of(folder.name, standing), publishers)
    return standing


def _settle_archive(made: Path, archive: Path, files: Files) -> None:
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
