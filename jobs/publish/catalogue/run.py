"""`whimbrel catalogue`: from a folder of bundles to a page and a file that say what was published."""

from pathlib import Path
from typing import Final

from jobs.publish.catalogue.breaks import breaks_in
from jobs.publish.catalogue.document import document_of
from jobs.publish.catalogue.page import page_html
from jobs.publish.catalogue.reading import Progress, read_release
from jobs.publish.errata import kept_errata, notices
from jobs.publish.jsontext import json_bytes
from privacy.approval import Trust
from privacy.durable import write_public
from privacy.signing import PublicKey

PAGE: Final = "index.html"
DOCUMENT: Final = "catalogue.json"


def write_catalogue(
    release: Path,
    out: Path,
    *,
    errata: Path | None = None,
    key: PublicKey | None = None,
    trust: Trust | None = None,
    progress: Progress = lambda _: None,
) -> tuple[Path, Path]:
    """Write the page and the JSON of a folder of bundles; again with the same bundles, errata and keys: the same bytes.

    Args:
        release: Folder of published bundles, folders or zips: each is verified first.
        out: Folder to write to; made where it is missing.
        errata: Folder of signed errata, or one of them.
        key: The publisher's key, known from elsewhere.
        trust: The operator's list of trusted keys.
        progress: Told which bundle is verified.

    Raises:
        BundleError: A bundle is damaged, or there is none.
        InputError: There are no errata where they were said to be.
        SignatureError: An erratum was altered, or signed by nobody who may.
    """
    told = notices(kept_errata(errata), key=key, trust=trust) if errata else ()
    releases, shared = read_release(release, told, key=key, trust=trust, progress=progress)
    breaks = breaks_in(releases)
    files = {
        out / PAGE: page_html(releases, breaks, told, trust, shared),
        out / DOCUMENT: json_bytes(document_of(releases, breaks, told, trust)),
    }
    for path, content in files.items():
        write_public(path, content)
    page, document = files
    return page, document
