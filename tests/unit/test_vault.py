"""What the vault returns is what was put in, or nothing."""

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

    assert (tmp_path / "vault").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "vault" / digest).stat().st_mode & 0o777 == 0o600


def test_an_altered_artefact_is_refused_and_can_be_mended(vault, tmp_path):
    digest = vault.put(b"noisy values")
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
