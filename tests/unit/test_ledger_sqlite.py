"""What is SQLite's own: a file that its owner alone can read, a disk that is full, addresses that keep nothing."""

import os
import resource
import signal
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from privacy.ledger import GENESIS, EntryKind, Ledger
from privacy.policy import Policy
from privacy.release import release
from privacy.vault import Vault
from schemas.errors import ConfigError, LedgerError, PrivacyError
from tests.ledgers import CAPS, DRAW, INPUTS, W10, W11, approved_release, kinds, sealed_release, specification, spent
from tests.unit.test_release import PLAN, exact


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


def test_the_ledger_is_its_owners_alone(url, tmp_path):
    assert Ledger.open(url).head() == GENESIS
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_missing_ledger_is_not_made_where_one_must_exist(url, tmp_path):
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(url, create=False)

    assert not (tmp_path / "ledger.db").exists()


def test_a_file_that_is_no_ledger_is_refused(url, tmp_path):
    (tmp_path / "ledger.db").write_text("not a database, but long enough to be looked at\n" * 100)

    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger.open(url)


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "mysql://h/d", "ledger.db", "oracle+x://h"])
def test_an_address_that_cannot_keep_a_ledger_is_refused(address):
    with pytest.raises(ConfigError, match="ledger's address"):
        Ledger.open(address)


def test_a_password_is_not_told():
    with pytest.raises(ConfigError) as refusal:
        Ledger.open("postgresql+nodriver://whimbrel:secret@host/ledger")

    assert "secret" not in str(refusal.value)


@contextmanager
def no_room_for(folder, n_bytes):
    """No file can grow by more: what a full disk or a quota does to a writer."""
    limit = max((file.stat().st_size for file in folder.rglob("*") if file.is_file()), default=0) + n_bytes
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def fill(ledger):
    """Write until the ledger refuses, and give the number of releases that went in."""
    for number in range(1, 1000):
        key = type(W10)("presence", "2026-W10", number)
        ledger.reserve(specification(key, 1, note="x" * 4000), caps=CAPS)
    raise AssertionError("the disk took it all")


def test_a_disk_that_fills_up_while_a_release_is_reserved_charges_nothing_and_loses_nothing(url, tmp_path):
    ledger = Ledger.open(url)
    approved_release(ledger)

    with no_room_for(tmp_path, 40_000), pytest.raises(LedgerError, match="a repeat is never charged twice"):
        fill(ledger)

    written = ledger.check()
    assert written > 3
    assert sum(spent(ledger).values()) == 23_000 + written - 3
    sealed_release(ledger, W11)  # with room again it goes on
    assert ledger.check() == written + 2


def test_a_disk_that_is_full_when_a_release_is_sealed_leaves_it_reserved_and_unpublished(url, tmp_path):
    ledger = Ledger.open(url)
    ledger.reserve(specification(), caps=CAPS)
    with no_room_for(tmp_path, 20_000), pytest.raises(LedgerError):
        fill(ledger)
    entries = ledger.check()

    with no_room_for(tmp_path, 0), pytest.raises(LedgerError, match="failed"):
        for _ in range(100):  # the page in use may have room for a few entries
            seal_and_approve(ledger)

    assert kinds(ledger)[:1] == [EntryKind.RESERVE]
    assert ledger.check() >= entries
    assert EntryKind.PUBLISH not in kinds(ledger)
    assert sealed_release(ledger).artefact_sha256 == DRAW


def seal_and_approve(ledger):
    """Seal a release; once that is done, fill what is left of the last page with approvals."""
    ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS)
    ledger.approve(W10, {"statement": {"n": ledger.head() * 20}, "signer": "officer", "signature": "00"})


def test_an_artefact_that_the_disk_cannot_take_is_refused_whole_and_the_others_stay(tmp_path):
    vault = Vault(tmp_path / "vault")
    kept = vault.put(b"a" * 1000)

    with no_room_for(tmp_path, 1000), pytest.raises(PrivacyError, match="make room and repeat"):
        vault.put(b"b" * 100_000)

    assert [file.stem for file in (tmp_path / "vault").iterdir()] == [kept]
    assert vault.get(kept) == b"a" * 1000
    assert vault.get(vault.put(b"b" * 100_000)) == b"b" * 100_000


class VaultThatTakesTheLastByte(Vault):
    """A vault after whose next artefact the disk is full."""

    def __init__(self, root, full_from_now_on):
        super().__init__(root)
        self.full_from_now_on = full_from_now_on

    def put(self, data):
        digest = super().put(data)
        self.full_from_now_on()
        return digest


@pytest.mark.parametrize("full", ["before the draw is stored", "before the draw is sealed"])
def test_a_release_that_meets_a_full_disk_is_finished_by_a_repeat_at_the_same_charge(url, tmp_path, full):
    ledger, empty = Ledger.open(url), tmp_path / "empty"
    doors = {"ledger": ledger, "policy": Policy.load()}

    with ExitStack() as until_refused:

        def fill_up():
            until_refused.enter_context(no_room_for(empty, 500))

        def exact_on_a_full_disk():
            if full == "before the draw is stored":
                fill_up()
            return exact()

        vault = VaultThatTakesTheLastByte(tmp_path / "vault", fill_up)
        with pytest.raises(PrivacyError, match="repeat"):
            release(PLAN, vault=vault, exact=exact_on_a_full_disk, **doors)

    assert kinds(ledger) == [EntryKind.RESERVE]
    made = release(PLAN, vault=Vault(tmp_path / "vault"), exact=exact, **doors)
    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL]
    assert (len(ledger.charges()), ledger.check()) == (1, 2)
    assert Vault(tmp_path / "vault").get(made.seal.artefact_sha256)


@contextmanager
def a_disk_of(kibibytes):
    """A disk of its own, where this user may mount one."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "none", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def can_mount():
    try:
        with a_disk_of(64):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@pytest.mark.parametrize("taken_by", ["ledger", "vault"] if os.geteuid() == 0 and can_mount() else [])
def test_a_disk_without_a_byte_left_is_refused_and_goes_on_where_it_stopped_once_there_is_room(taken_by):
    with a_disk_of(256) as disk:
        ledger, vault = Ledger.open(f"sqlite:///{disk}/ledger.db"), Vault(disk / "vault")
        ledger.reserve(specification(), caps=CAPS)
        vault.put(b"the artefact of another release")
        full = disk / "full"
        with full.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"\0" * 512)

        refused = (lambda: seal(ledger)) if taken_by == "ledger" else (lambda: vault.put(b"c" * 50_000))
        with pytest.raises(PrivacyError, match="repeat"):
            refused()
        assert ledger.check() == 1
        assert len(list((disk / "vault").iterdir())) == 1

        full.unlink()
        refused()
        assert ledger.check() == 1 + (taken_by == "ledger")


def seal(ledger):
    return ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS)
