"""Sharing agreements, and parts of releases made under them, for the tests of what is shared."""

from dataclasses import replace
from datetime import date, timedelta

from jobs.publish.sharing.agreement import Agreement
from jobs.publish.sharing.bundle import Terms, shared_files
from privacy.canonical import sha256_hex
from schemas.published import PUBLIC_TABLE
from tests.approvals import clearance_for

WHOLE = sha256_hex(b"the published bundle")
"""What a part says of the bundle that it is a part of: no reader can tell, so none is drawn for it."""

ALL_PRODUCTS = tuple(sorted(PUBLIC_TABLE))
TEXT = """\
version = 1
id = "health-2026"
recipient = "Ministry of Health, Numenia"
contact = "Dr A. Okoro, data@health.example"
purpose = "Where to place vaccination posts"
legal_basis = "Public Health Act, section 12"
valid_from = 2026-03-01
valid_until = 2028-12-31
products = ["od_trips", "presence"]
sensitivity = "restricted"
finest_resolution = 5
"""


def agreement(**changes):
    """An agreement over all products, down to resolution 5 and to admin level 1, unless told."""
    fields = {
        "version": 1,
        "id": "health-2026",
        "recipient": "Ministry of Health, Numenia",
        "contact": "Dr A. Okoro, data@health.example",
        "purpose": "Where to place vaccination posts",
        "legal_basis": "Public Health Act, section 12",
        "valid_from": "2026-03-01",
        "valid_until": "2028-12-31",
        "products": ALL_PRODUCTS,
        "sensitivity": "restricted",
        "finest_resolution": 5,
        "finest_admin_level": 1,
    }
    return Agreement.of(fields | changes)


def share_day(release):
    """The day after a release was sealed."""
    return date.fromisoformat(release.seal.sealed_at[:10]) + timedelta(1)


def shared(release, terms, *, gate="gate", day=None):
    """Name and files of the part of a release that an agreement lets through."""
    clearance = clearance_for(release, gate=gate)
    sealed = f"{release.seal.sealed_at[:10]}T23:00:00Z"
    clearance = replace(clearance, approval=replace(clearance.approval, recorded_at=sealed))
    return shared_files(release, clearance, Terms(terms, day or share_day(release), WHOLE))


def written(folder, files):
    """Files in a folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
