"""A signature says one thing, by one key, in one way: whatever differs by a byte is refused."""

import json
import os
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from privacy.canonical import canonical_json
from privacy.signing import (
    BundleStatement,
    Erratum,
    EventOpening,
    PrivateKey,
    PublicKey,
    ReleaseApproval,
    Signed,
    StandingPlan,
    passphrase_in,
    read_private_key,
    read_signed,
    sign,
    signed_of,
    write_private_key,
)
from schemas.errors import ConfigError, SignatureError
from tests.approvals import key_of

ARTEFACT, POLICY = "ab" * 32, "cd" * 32
STATEMENTS = {
    "plan": StandingPlan(POLICY, ("od_trips/week",), 6, date(2026, 1, 1), date(2026, 12, 31)),
    "release": ReleaseApproval("od_trips", "2026-W10", 1, ARTEFACT),
    "opening": EventOpening("cyclone-ana", "cyclone", "displacement", date(2026, 5, 12), "emergency", ARTEFACT),
    "bundle": BundleStatement("od_trips_2026-W10_r1", ARTEFACT),
    "erratum": Erratum("e1", "od_trips_2026-W10_r1", "withdrawn", "Towers were misplaced", date(2026, 4, 1)),
}
AMINA, BAO = key_of("Amina"), key_of("Bao")


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_what_was_signed_is_read_back(statement):
    signed = sign(statement, AMINA)
    assert read_signed(signed.to_bytes()) == signed
    assert (signed.statement, signed.key) == (statement, AMINA.public)


def test_the_same_statement_gives_the_same_bytes():
    assert sign(STATEMENTS["release"], AMINA).to_bytes() == sign(STATEMENTS["release"], AMINA).to_bytes()


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
@given(data=st.data())
def test_any_flipped_bit_of_a_signed_statement_is_refused(statement, data):
    content = bytearray(sign(statement, AMINA).to_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SignatureError):
        read_signed(bytes(content))


@pytest.mark.parametrize("of", STATEMENTS)
@pytest.mark.parametrize("under", STATEMENTS)
def test_a_signature_serves_its_own_statement_only(of, under):
    signature = sign(STATEMENTS[of], AMINA).signature
    if of == under:
        assert Signed(STATEMENTS[under], AMINA.public, signature)
    else:
        with pytest.raises(SignatureError, match="not that of key"):
            Signed(STATEMENTS[under], AMINA.public, signature)


def test_a_signature_is_under_the_kind_and_not_the_fields_alone():
    release = STATEMENTS["release"]
    fields = {"product": "od_trips", "period": "2026-W10", "revision": 1, "artefact_sha256": ARTEFACT}
    bare = AMINA.secret.sign(canonical_json(fields))
    as_a_bundle = AMINA.secret.sign(b"whimbrel bundle v1\n" + canonical_json(fields))
    as_it_should_be = AMINA.secret.sign(b"whimbrel release v1\n" + canonical_json(fields))
    for wrong in (bare, as_a_bundle):
        with pytest.raises(SignatureError):
            Signed(release, AMINA.public, wrong)
    assert Signed(release, AMINA.public, as_it_should_be)


@pytest.mark.parametrize(
    "change",
    [{"period": "2026-W11"}, {"revision": 2}, {"artefact_sha256": "ac" * 32}, {"product": "presence"}],
    ids=str,
)
def test_a_signature_does_not_carry_over_to_another_release(change):
    document = json.loads(sign(STATEMENTS["release"], AMINA).to_bytes())
    document["statement"] |= change
    with pytest.raises(SignatureError, match="not that of key"):
        read_signed(canonical_json(document) + b"\n")


def test_a_signature_under_another_key_is_refused():
    with pytest.raises(SignatureError, match=BAO.public.id):
        Signed(STATEMENTS["release"], BAO.public, sign(STATEMENTS["release"], AMINA).signature)


MALFORMED = {
    "no JSON": b"{",
    "consist of": b"{}",
    "one way": json.dumps(json.loads(sign(STATEMENTS["release"], AMINA).to_bytes()), indent=1).encode(),
    "known kind": sign(STATEMENTS["release"], AMINA).to_bytes().replace(b'"version":1', b'"version":2'),
    "Unexpected keyword": sign(STATEMENTS["release"], AMINA)
    .to_bytes()
    .replace(b'"statement":{', b'"statement":{"also":1,'),
    "key or signature": sign(STATEMENTS["release"], AMINA).to_bytes().replace(b"ed25519:", b"ed25519;"),
    "it has 1 bytes": canonical_json({**sign(STATEMENTS["release"], AMINA).document, "signature": "00"}) + b"\n",
}


@pytest.mark.parametrize("complaint", MALFORMED)
def test_what_is_not_written_as_it_must_be_is_refused_with_the_reason(complaint):
    with pytest.raises(SignatureError, match=complaint):
        read_signed(MALFORMED[complaint])


def test_a_document_with_a_number_written_otherwise_is_refused():
    with pytest.raises(SignatureError):
        signed_of({**sign(STATEMENTS["release"], AMINA).document, "version": True})


@pytest.mark.parametrize(
    "plan",
    [
        {"series": ()},
        {"series": ("od_trips/week", "od_trips/day")},
        {"series": ("od_trips/week", "od_trips/week")},
        {"series": ("od_trips/year",)},
        {"valid_until": date(2025, 1, 1)},
        {"policy_sha256": "cd"},
        {"finest_resolution": 16},
    ],
    ids=str,
)
def test_a_plan_that_means_nothing_cannot_be_stated(plan):
    fields = {
        "policy_sha256": POLICY,
        "series": ("od_trips/day", "od_trips/week"),
        "finest_resolution": 6,
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2026, 1, 2),
    }
    assert StandingPlan(**fields)
    with pytest.raises(ValidationError):
        StandingPlan(**fields | plan)


def test_a_key_is_one_line_and_has_a_short_name():
    key = PublicKey(bytes(32))
    assert str(key) == "ed25519:" + 64 * "0"
    assert PublicKey.parse(str(key)) == key
    assert key.id == "66687aadf862bd77"  # the beginning of the SHA-256 of 32 zero bytes


@pytest.mark.parametrize(
    "line", ["", "ed25519:", "ed25519:" + 64 * "A", "ed25519:" + 63 * "a", "ed25519:" + 62 * "a", 64 * "a", "x" * 999]
)
def test_a_line_that_is_no_key_is_refused(line):
    with pytest.raises(ConfigError, match="is no public key"):
        PublicKey.parse(line)


def test_a_private_key_does_not_show_itself():
    assert AMINA.secret.private_bytes_raw().hex() not in repr(AMINA)
    assert "secret" not in repr(AMINA)


def test_a_private_key_is_its_owners_alone_and_is_never_overwritten(tmp_path):
    file = tmp_path / "keys" / "amina.pem"
    write_private_key(file, AMINA, None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_private_key(file).public == AMINA.public
    with pytest.raises(ConfigError, match="stands already"):
        write_private_key(file, BAO, None)
    assert read_private_key(file).public == AMINA.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_private_key_that_others_can_read_is_refused(mode, tmp_path):
    file = tmp_path / "amina.pem"
    write_private_key(file, AMINA, None)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"has mode {mode:o}.*chmod 600"):
        read_private_key(file)


def test_a_locked_key_needs_its_passphrase(tmp_path, monkeypatch):
    file = tmp_path / "amina.pem"
    write_private_key(file, AMINA, "horse battery")
    monkeypatch.setenv("AMINAS", "horse battery")
    assert read_private_key(file, passphrase_in("AMINAS")).public == AMINA.public
    for wrong, told in ((None, "no passphrase"), ("donkey", "another passphrase")):
        with pytest.raises(ConfigError, match=told):
            read_private_key(file, wrong)
    with pytest.raises(ConfigError, match="OTHER is not set"):
        passphrase_in("OTHER")
    monkeypatch.setenv("AMINAS", "")
    with pytest.raises(ConfigError, match="empty"):
        passphrase_in("AMINAS")


def test_a_passphrase_for_a_key_without_one_is_refused(tmp_path):
    write_private_key(tmp_path / "amina.pem", AMINA, None)
    with pytest.raises(ConfigError, match="is not locked"):
        read_private_key(tmp_path / "amina.pem", "x")


def test_what_is_no_private_key_of_ours_is_refused(tmp_path):
    file = tmp_path / "x.pem"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_private_key(file)
    file.write_text("none")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="is no private key"):
        read_private_key(file)
    rsa = generate_private_key(public_exponent=65537, key_size=1024)
    file.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigError, match="another algorithm"):
        read_private_key(file)


def test_a_key_that_is_a_folder_is_refused(tmp_path):
    os.mkdir(tmp_path / "amina.pem", 0o700)  # noqa: PTH102  with its mode at once
    with pytest.raises(ConfigError, match="cannot be read"):
        read_private_key(tmp_path / "amina.pem")


def test_new_keys_differ():
    assert PrivateKey.new().public != PrivateKey.new().public
