"""The bundles that a catalogue lists: verified first, one entry a release."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.publish.card import Card
from jobs.publish.errata import Notice, about
from jobs.publish.verify import VerificationReport, verified
from privacy.approval import Trust, series_of
from privacy.ledger import ReleaseKey
from privacy.signing import PublicKey
from privacy.unit import Period
from schemas.errors import BundleError

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Listed:
    """A published release.

    Args:
        card: Its card.
        sha256: Digest of its `SHA256SUMS`.
        rows: Number of rows of its table.
        signer: Id of the key that signed it.
        signed_by: Who that is, as far as the reader's keys tell.
        approved_by: Who approved it, as far as the reader's keys tell.
        errata: What was said of it since.
        superseded_by: The next of its later revisions that are listed; one that was never published may lie between.
    """

    card: Card
    sha256: str
    rows: int
    signer: str
    signed_by: str
    approved_by: str
    errata: tuple[Notice, ...] = ()
    superseded_by: str | None = None

    @property
    def series(self) -> str:
        """Its product and the kind of its period, such as `od_trips/week`."""
        return series_of(ReleaseKey(self.card.product, self.card.period, self.card.revision))

    @property
    def status(self) -> str:
        """Whether it stands: by the gravest of its errata, or by a later revision."""
        said = {notice.erratum.status for notice in self.errata}
        if "withdrawn" in said:
            return "withdrawn"
        if "superseded" in said or self.superseded_by:
            return "superseded"
        return "corrected" if said else "current"

    @property
    def order(self) -> tuple[str, str, int]:
        """Where it stands in a list: by series, first day and revision."""
        return self.series, Period.parse(self.card.period).first_day.isoformat(), self.card.revision


def read_release(
    root: Path, notices: Sequence[Notice], *, key: PublicKey | None, trust: Trust | None, progress: Progress
) -> tuple[tuple[Listed, ...], int]:
    """Return the published releases of a folder in order, and how many shared bundles were left out.

    A bundle is found by its folder and by its zip; what was shared with somebody is nobody else's business.

    Raises:
        BundleError: There is none, one is damaged, or two differ under one name.
    """
    reports: dict[str, VerificationReport] = {}
    shared = 0
    for path in _bundles(root):
        progress(path.name)
        report, _ = verified(path, key=key, trust=trust, package=False)
        if report.sharing:
            shared += 1
        elif reports.setdefault(report.slug, report).sha256 != report.sha256:
            raise BundleError(f"Two bundles are called {report.slug}, and differ.", "one", "take the wrong one away")
    listed = [_listed(report, reports, notices) for report in reports.values()]
    if not listed:
        raise BundleError(f"There is no published bundle in {root}.", "bundles' folders or zips", "name their folder")
    return tuple(sorted(listed, key=lambda one: one.order)), shared


def _bundles(root: Path) -> list[Path]:
    folders = {card.parent for card in root.glob("[!.]*/card.json")}
    zips = {path for path in root.glob("[!.]*.zip") if path.with_suffix("") not in folders}
    return sorted(folders | zips)


def _listed(report: VerificationReport, reports: dict[str, VerificationReport], notices: Sequence[Notice]) -> Listed:
    card = report.card
    revisions = [other.card for other in reports.values() if (other.card.product, other.card.period) == _release(card)]
    later = min((one.revision for one in revisions if one.revision > card.revision), default=None)
    return Listed(
        card=card,
        sha256=report.sha256,
        rows=report.rows,
        signer=report.signer.id,
        signed_by=report.signed_by,
        approved_by=report.approved_by,
        errata=about(report.slug, notices),
        superseded_by=ReleaseKey(*_release(card), later).slug if later else None,
    )


def _release(card: Card) -> tuple[str, str]:
    """What revisions have in common."""
    return card.product, card.period
