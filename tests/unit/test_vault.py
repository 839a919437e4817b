"""What the vault returns is what was put in, or nothing."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.canonical import sha256_hex
from privacy.vault import Vault
from schemas.errors import PrivacyError, SealLostError


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path / "vault")


@given(st.binary(max_size=1000))
def test_an_artefact_comes_back_under_its_own_digest(tmp_path_factory, data):
    vault = Vault(tmp_path_factory.mktemp("vault"))

    digest = vault.put(data)

    assert digest == sha256_hex(data)
    assert vault.get(digest) == data


def test_only_its_owner_can_read_the_vault(vault, tmp_path):
    digest = vault.put(b"noisy values")
    vault.get(digest)

    assert (tmp_path / "vault").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "vault" / digest).stat().st_mode & 0o777 == 0o600


def test_an_altered_artefact_is_refused_and_can_be_mended(vault, tmp_path):
    digest = vault.put(b"noisy values")
    vault.get(digest)
    (tmp_path / "vault" / digest).write_bytes(b"noisy valueS")

    with pytest.raises(SealLostError, match="altered"):
        vault.get(digest)

    vault.put(b"noisy values")
    assert vault.get(digest) == b"noisy values"


def test_a_lost_artefact_is_refused(vault):
    with pytest.raises(SealLostError, match="cannot be read"):
        vault.get("0" * 64)


@pytest.mark.parametrize("name", ["", "../ledger.db", "0" * 63, "G" * 64])
def test_a_name_that_is_no_digest_reaches_no_file(vault, name):
    with pytest.raises(SealLostError):
        vault.get(name)
    with pytest.raises(SealLostError):
        vault.discard(name)


def names(vault):
    return {file.name for file in vault._root.iterdir()}


def test_what_was_drawn_is_pending_until_it_is_read_and_kept_from_then_on(vault):
    digest = vault.put(b"noisy values")
    assert (names(vault), vault.kept()) == ({f"{digest}.pending"}, frozenset())

    for _ in range(2):
        assert vault.get(digest) == b"noisy values"
        assert (names(vault), vault.kept()) == ({digest}, {digest})


def test_an_artefact_is_not_read_before_its_name_is_on_the_disk(vault, monkeypatch):
    digest, steps = vault.put(b"noisy values"), []
    monkeypatch.setattr("privacy.vault.flush_names", lambda folder: steps.append(f"names of {folder.name}"))
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (steps.append(path.name), read(path))[1])

    vault.get(digest)
    vault.get(digest)  # a first reader that was killed may have renamed it without waiting for the disk

    assert steps == ["names of vault", digest] * 2


def test_a_disk_that_refuses_the_name_shows_nothing_and_keeps_the_draw(vault, monkeypatch):
    digest = vault.put(b"noisy values")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(PrivacyError, match=r"No space left.*what was sealed stays"):
        vault.get(digest)
    monkeypatch.undo()

    assert vault.get(digest) == b"noisy values"


def test_only_what_is_neither_kept_nor_sealed_is_swept(vault):
    shown, sealed, drawn = (vault.put(data) for data in (b"shown", b"sealed, not shown yet", b"drawn, not sealed"))
    vault.get(shown)
    (vault._root / f".{drawn[:16]}-a1b2c3d4").write_bytes(b"half of a dra")

    vault.sweep({sealed})  # a ledger that has forgotten what was shown

    assert names(vault) == {shown, f"{sealed}.pending"}
    vault.sweep(())
    assert names(vault) == {shown}
    assert vault.get(shown) == b"shown"


def test_a_vault_that_is_not_there_yet_keeps_nothing_and_is_swept(vault):
    vault.sweep(())

    assert vault.kept() == frozenset()


def test_a_kept_artefact_is_not_discarded(vault):
    digest = vault.put(b"the winner's draw")
    vault.get(digest)

    vault.discard(digest)

    assert vault.get(digest) == b"the winner's draw"


def test_a_kept_artefact_restored_from_a_copy_is_read(vault, tmp_path):
    digest = vault.put(b"noisy values")
    vault.get(digest)
    shutil.copytree(tmp_path / "vault", tmp_path / "copy")
    (tmp_path / "vault" / digest).unlink()

    with pytest.raises(SealLostError):
        vault.get(digest)
    shutil.copy(tmp_path / "copy" / digest, tmp_path / "vault")
    assert vault.get(digest) == b"noisy values"


def test_a_refused_draw_is_discarded_once_or_twice(vault):
    digest = vault.put(b"the loser's draw")

    vault.discard(digest)
    vault.discard(digest)

    with pytest.raises(SealLostError):
        vault.get(digest)


def test_a_write_that_fails_leaves_nothing_behind(vault, tmp_path, monkeypatch):
    vault.put(b"first")
    before = sorted((tmp_path / "vault").iterdir())

    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("privacy.durable.os.fsync", full_disk)
    with pytest.raises(PrivacyError, match="No space left"):
        vault.put(b"second")

    assert sorted((tmp_path / "vault").iterdir()) == before
