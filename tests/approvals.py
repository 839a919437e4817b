"""People who sign, with keys that every run makes the same, and their signatures in an installation."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jobs.approvals import sign_and_keep
from jobs.config import ApprovalConfig
from jobs.keys import trust_block
from jobs.publish.approvals import Clearance, RecordedApproval
from jobs.releases import Desk
from privacy.approval import Revocation, Role, Trust, TrustedKey, applicant
from privacy.signing import PrivateKey, ReleaseApproval, StandingPlan, sign, write_private_key

PEOPLE = {
    "Amina": Role.DPO,
    "Bao": Role.DPO,
    "Esi": Role.EMERGENCY,
    "Femi": Role.EMERGENCY,
    "gate": Role.PUBLISHER,
    "former gate": Role.PUBLISHER,
}
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
"""An instant for tests that need one and have no ledger."""


def key_of(name):
    """The private key of a person; a stranger has one too."""
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest()))


def trust(*revoked):
    """The trusted keys, some of them revoked: `trust(("Amina", instant))`."""
    keys = tuple(TrustedKey(name, role, str(key_of(name).public)) for name, role in PEOPLE.items())
    return Trust(1, keys, tuple(Revocation(key_of(name).public.id, at) for name, at in revoked))


def with_keys(root):
    """Write everybody's key and `trust.toml` under a folder, once, and return its `[approval]`."""
    folder = root / "keys"
    if not folder.exists():
        for name in PEOPLE:
            write_private_key(folder / f"{name}.pem", key_of(name), None)
        blocks = [trust_block(name, role, key_of(name).public) for name, role in PEOPLE.items()]
        (root / "trust.toml").write_text("\n".join(["version = 1\n", *blocks]))
    return ApprovalConfig(trust=root / "trust.toml", publisher_key=folder / "gate.pem")


def approve(config, key, *, by="Amina"):
    """Sign a sealed release one by one, as `whimbrel approve release` does."""
    desk = Desk.of(config)
    return signed(desk, applicant(key, desk.ledger.entries()).statement, by)


def signed(desk, statement, by):
    """Keep a person's signature under a statement."""
    listed = Trust.load(desk.config.approval.trust)
    return sign_and_keep(desk.storage.approvals, statement, key_of(by), listed, datetime.now(UTC))[0]


def publish(config, key):
    """Approve a sealed release and publish it."""
    approve(config, key)
    return Desk.of(config).publish(key)


def standing_plan(policy, *, series=("od_trips/week",), finest=6, days=(-1, 1)):
    """A plan for a span of days around today."""
    first, last = (date.today() + timedelta(n) for n in days)
    return StandingPlan(policy.sha256, series, finest, first, last)


def clearance_for(release, *, gate="gate", by="Amina"):
    """What lets a release leave that no installation holds."""
    approval = ReleaseApproval(
        release.key.product, release.key.period, release.key.revision, release.seal.artefact_sha256
    )
    recorded = RecordedApproval(sign(approval, key_of(by)), "2026-03-16T05:00:00Z", "cd" * 32)
    publishers = trust().in_role(Role.PUBLISHER)
    return Clearance(release.seal.artefact_sha256, recorded, key_of(gate), publishers)
