"""The steps of an event's releases one by one, for an orchestrator that gives each an identity of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from jobs.emergency import OF_ONE_PERIOD, due_plans
from jobs.events import opening_in, registry
from jobs.population import months_read
from jobs.publish.bundle import Bundle
from jobs.releases import Desk, Progress, Session, Step
from privacy.approval import recorded
from privacy.ledger import EntryKind, Opening
from privacy.ledger.entries import Entry, approvals
from privacy.plan import Plan
from schemas.errors import ApprovalError, PrivacyError


@dataclass(frozen=True)
class Told:
    """What whoever starts the releases of an event says of its opening.

    Args:
        onset: Local day of its beginning.
        area: Digest of the area, or how it begins.
        signatures: Digests of the statements that two people signed, or how they begin.
    """

    onset: date
    area: str
    signatures: tuple[str, ...]


def require_opened(desk: Desk, name: str, told: Told) -> None:
    """Refuse unless the event is open, and was opened as told, with two signatures that the ledger holds.

    Raises:
        PrivacyError: It is not open.
        ApprovalError: It was opened for another day, another area or with other signatures.
    """
    opening = opening_in(desk.ledger, name)
    registry(desk.config).event(name).require_unchanged(opening)
    (entry,) = [e for e in desk.ledger.entries() if e.kind is EntryKind.OPEN and Opening.of(e.says).event == name]
    if mistaken := list(_mistaken(opening, entry, told)):
        raise ApprovalError(
            f"Event {name} was not opened with {' and '.join(mistaken)}.",
            "what the ledger holds of its opening",
            "correct the parameters by what `whimbrel emergency open` printed, or have the event opened",
        )


def _mistaken(opening: Opening, entry: Entry, told: Told) -> Iterable[str]:
    signed = {recorded(approval).sha256 for approval in approvals(entry)}
    if opening.onset != told.onset:
        yield f"the onset {told.onset}"
    if not (opening.area_sha256 or "").startswith(told.area):
        yield "this area"
    found = {sha256 for sha256 in signed for start in told.signatures if sha256.startswith(start)}
    if len(set(told.signatures)) < 2 or len(found) < 2:
        yield "these two signatures"


def build_baseline(desk: Desk, name: str, session: Session, progress: Progress) -> None:
    """Build the nights of the months that tell where people lived before an open event, unless they stand.

    Raises:
        PrivacyError: It is not open.
        InputError: Too many days of a month were never delivered.
    """
    plans = _due(desk, name)
    for month in sorted({month for plan in plans for month in months_read(plan)}, key=str):
        desk.build_nights(month, session, progress)


def do_step(desk: Desk, name: str, step: Step, session: Session, progress: Progress) -> None:
    """Do one step of every period of an open event whose days are delivered; one that is refused holds up no other.

    Raises:
        PrivacyError: It is not open; or periods were refused, of which the first is told once the others are done.
        InputError: Not one period has its days.
    """
    refused: list[PrivacyError] = []
    for plan in _due(desk, name):
        try:
            desk.do(step, plan, session, progress)
        except OF_ONE_PERIOD as error:
            refused.append(error)
    if refused:
        raise refused[0]


def publish_event(desk: Desk, name: str, progress: Progress) -> list[Bundle]:
    """Publish every sealed release of an event that was approved; again: the same bytes.

    Raises:
        PrivacyError: The event is not open, or nothing of it is sealed.
        ApprovalError: One lacks its approval; the others were published.
    """
    sealed = [plan for plan in _due(desk, name) if desk.ledger.sealed(plan.key)]
    bundles, refused = [], []
    for plan in sealed:
        progress(f"publishing {plan.key}")
        try:
            bundles.append(desk.publish(plan.key))
        except (ApprovalError, *OF_ONE_PERIOD) as error:
            refused.append(error)
    if refused:
        raise refused[0]
    return bundles


def _due(desk: Desk, name: str) -> list[Plan]:
    opening = opening_in(desk.ledger, name)
    registry(desk.config).event(name).require_unchanged(opening)
    return due_plans(desk, opening)[0]
