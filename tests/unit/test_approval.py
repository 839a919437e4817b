"""Who may let what leave: the rule by which a release counts as approved, and an event as opened."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jobs.approvals import (
    check_recorded,
    clear,
    kept,
    on_record,
    opening_of,
    opening_statement,
    plan_for,
    sign_and_keep,
)
from jobs.keys import new_key, read_public_key, revoke, trust_block
from privacy.approval import (
    Applicant,
    Role,
    Trust,
    applicant,
    approving,
    as_recorded,
    opening_signers,
    recorded,
    refusal,
)
from privacy.ledger import Charge, EntryKind, ReleaseKey, Specification
from privacy.policy import Policy
from privacy.signing import BundleStatement, EventOpening, StandingPlan, sign
from schemas.errors import ApprovalError, ConfigError, PrivacyError, SignatureError
from tests.approvals import NOW, PEOPLE, key_of, trust, with_keys

ARTEFACT, POLICY, BUNDLE = "ab" * 32, "cd" * 32, "ef" * 32
W10, W11 = ReleaseKey("od_trips", "2026-W10"), ReleaseKey("od_trips", "2026-W11")
TODAY = NOW.date()


@pytest.fixture
def ledger(ledger_places, clock):
    """What is decided here does not depend on the database."""
    return ledger_places("sqlite").open(clock=clock)


def asking(key=W10, *, first=False, pools=("routine",), **changes):
    fields = {"artefact_sha256": ARTEFACT, "policy_sha256": POLICY, "finest_resolution": 6}
    return Applicant(key, **fields | changes, pools=frozenset(pools), is_first=first)


def plan(*, by="Amina", **changes):
    fields = {
        "policy_sha256": POLICY,
        "series": ("od_trips/week",),
        "finest_resolution": 6,
        "valid_from": TODAY,
        "valid_until": TODAY,
    }
    return sign(StandingPlan(**fields | changes), key_of(by))


def own(applicant=None, *, by="Amina"):
    return sign((applicant or asking()).statement, key_of(by))


def test_a_standing_plan_approves_a_routine_release():
    assert approving(asking(), [plan()], trust(), NOW) == plan()


@pytest.mark.parametrize(
    ("applicant", "why"),
    [
        (asking(first=True), "it is the first release of od_trips/week"),
        (asking(ReleaseKey("od_trips", "2026-W10", 2)), "it is a revision"),
        (asking(pools=("emergency",)), "it is charged to the pool emergency"),
        (asking(pools=("routine", "emergency")), "it is charged to the pool emergency"),
    ],
)
def test_what_no_plan_covers_is_signed_one_by_one(applicant, why):
    with pytest.raises(ApprovalError, match=why) as refused:
        approving(applicant, [plan()], trust(), NOW)
    assert "whimbrel approve release od_trips 2026-W10" in refused.value.remedy
    assert "plan" not in refused.value.remedy
    assert approving(applicant, [plan(), own(applicant)], trust(), NOW) == own(applicant)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (plan(valid_from=TODAY + timedelta(1), valid_until=TODAY + timedelta(9)), "not valid before 2026-03-21"),
        (plan(valid_from=TODAY - timedelta(9), valid_until=TODAY - timedelta(1)), "expired on 2026-03-19"),
        (plan(series=("od_trips/day", "presence/week")), "does not name od_trips/week"),
        (plan(policy_sha256="ce" * 32), "for another policy"),
        (plan(finest_resolution=5), "down to resolution 5 only"),
        (plan(by="a stranger"), "not in the list of trusted keys"),
        (plan(by="Esi"), "has the role emergency"),
        (plan(by="gate"), "has the role publisher"),
        (own(asking(W11)), "Nobody has signed anything"),
        (own(asking(artefact_sha256="ac" * 32)), "approves another artefact"),
        (own(asking(ReleaseKey("od_trips", "2026-W10", 2))), "approves od_trips 2026-W10 r2"),
        (own(by="a stranger"), "not in the list of trusted keys"),
        (own(by="Femi"), "has the role emergency"),
        (sign(BundleStatement(W10.slug, ARTEFACT), key_of("Amina")), "Nobody has signed anything"),
    ],
)
def test_a_signature_that_does_not_fit_approves_nothing_and_says_why(given, why):
    with pytest.raises(ApprovalError, match=why) as refused:
        approving(asking(), [given], trust(), NOW)
    assert "whimbrel approve release od_trips 2026-W10 --key FILE" in refused.value.remedy


@pytest.mark.parametrize(("given", "kind"), [(plan(), "plan"), (own(), "release")])
def test_a_revoked_key_approves_until_the_instant_of_its_revocation(given, kind):
    listed = trust(("Amina", NOW))
    assert refusal(asking(), given, listed, NOW - timedelta(seconds=1)) is None, kind
    for at in (NOW, NOW + timedelta(hours=1)):
        assert "is revoked from 2026-03-20T12:00:00Z" in refusal(asking(), given, listed, at)


def test_of_two_revocations_of_a_key_the_earlier_counts():
    listed = trust(("Amina", NOW), ("Amina", NOW - timedelta(days=1)))
    assert refusal(asking(), own(), listed, NOW - timedelta(hours=1))


def test_the_days_of_a_plan_are_those_of_utc():
    late_in_tonga = datetime.fromisoformat(f"{TODAY + timedelta(1)}T01:00:00+13:00")
    assert refusal(asking(), plan(), trust(), late_in_tonga) is None


EVENT = EventOpening("cyclone-ana", "cyclone", "displacement", date(2026, 5, 12), "emergency", BUNDLE)


def opened_by(*people, opening=EVENT, listed=None):
    signed = [sign(opening, key_of(name)) for name in people]
    return {one.key for one in opening_signers(signed, EVENT, listed or trust(), NOW)}


@pytest.mark.parametrize("people", [("Amina", "Bao"), ("Amina", "Esi"), ("Esi", "Femi", "Bao")])
def test_two_people_open_an_event_if_one_is_a_dpo(people):
    signers = opened_by(*people)
    assert len(signers) == 2
    assert signers & {key_of("Amina").public, key_of("Bao").public}


@pytest.mark.parametrize(
    "people", [(), ("Amina",), ("Amina", "Amina"), ("Esi", "Femi"), ("Amina", "gate"), ("Amina", "a stranger")]
)
def test_fewer_than_two_people_or_no_dpo_open_nothing(people):
    with pytest.raises(ApprovalError, match="cyclone-ana is not open") as refused:
        opened_by(*people)
    assert "whimbrel emergency open cyclone-ana" in refused.value.remedy


def test_two_keys_of_one_person_are_one_person():
    blocks = [trust_block("Amina", "dpo", key_of("Amina").public), trust_block("Amina", "dpo", key_of("spare").public)]
    listed = loaded("version = 1", *blocks)
    with pytest.raises(ApprovalError, match=r"Signed by Amina \(dpo\)\."):
        opened_by("Amina", "spare", listed=listed)


def test_a_revoked_key_opens_nothing():
    with pytest.raises(ApprovalError, match="is revoked from"):
        opened_by("Amina", "Esi", listed=trust(("Esi", NOW)))


@pytest.mark.parametrize("change", [{"onset": date(2026, 5, 13)}, {"schedule_sha256": ARTEFACT}, {"hazard": "flood"}])
def test_signatures_under_other_terms_do_not_open_an_event(change):
    with pytest.raises(ApprovalError, match="Nobody who may has signed"):
        opened_by("Amina", "Esi", opening=replace(EVENT, **change))


def loaded(*lines):
    with TemporaryDirectory() as folder:
        file = Path(folder) / "trust.toml"
        file.write_text("\n".join(lines))
        return Trust.load(file)


AMINA = trust_block("Amina", "dpo", key_of("Amina").public)
REVOKED = f'[[revocations]]\nkey_id = "{key_of("Amina").public.id}"\nrevoked_at = 2026-03-20T12:00:00Z\n'


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("version = 2", AMINA), "version"),
        (("version = 1", AMINA, AMINA), "stands twice"),
        (("version = 1", REVOKED), "not among the keys"),
        (("version = 1", AMINA, "nme = 3"), "nme"),
        (("version = 1", AMINA.replace("dpo", "king")), "role"),
        (("version = 1", AMINA.replace("ed25519:", "ed25519:00")), "is no public key"),
        (("version = 1", AMINA, REVOKED.replace("Z", "")), "revoked_at"),
        (("version = ",), "is not TOML"),
    ],
)
def test_a_list_of_keys_that_contradicts_itself_is_refused(lines, why):
    with pytest.raises(ConfigError, match=why):
        loaded(*lines)


def test_a_list_of_keys_is_read_with_its_revocations():
    listed = loaded("version = 1", AMINA, REVOKED)
    assert listed.of(key_of("Amina").public).role is Role.DPO
    assert listed.revoked_at(key_of("Amina").public) == NOW


def test_a_revocation_is_added_to_the_list_and_keeps_what_stands_there(tmp_path):
    with_keys(tmp_path)
    file = tmp_path / "trust.toml"
    file.write_text("# reviewed\n" + file.read_text())
    file.chmod(0o644)
    revoke(file, key_of("Bao").public.id, NOW, 'laptop "lost"')
    listed = Trust.load(file)
    assert [(r.key_id, r.revoked_at, r.reason) for r in listed.revocations] == [
        (key_of("Bao").public.id, NOW, 'laptop "lost"')
    ]
    assert len(listed.keys) == len(PEOPLE)
    assert file.read_text().startswith("# reviewed\n")
    assert file.stat().st_mode & 0o777 == 0o644
    with pytest.raises(ConfigError, match="names no key"):
        revoke(file, "0" * 16, NOW, "")


def test_a_new_key_is_two_files_and_a_block_that_makes_it_trusted(tmp_path):
    public = new_key(tmp_path / "keys", "amina")
    assert read_public_key(str(tmp_path / "keys" / "amina.pub")) == public
    assert read_public_key(str(public)) == public
    assert (tmp_path / "keys" / "amina.pem").stat().st_mode & 0o777 == 0o600
    listed = loaded("version = 1", trust_block('Amina "the" officer', "dpo", public))
    assert listed.of(public).name == 'Amina "the" officer'
    for name in ("amina", "../amina", "", ".hidden", "a b"):
        with pytest.raises(ConfigError):
            new_key(tmp_path / "keys", name)


@pytest.mark.parametrize("text", ["none.pub", "x" * 5000, "", "trust.toml"])
def test_what_is_no_public_key_is_said_so(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trust.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="public key"):
        read_public_key(text)


def test_a_disk_that_refuses_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(PrivacyError, match="No space left"):
        sign_and_keep(tmp_path / "approvals", own().statement, key_of("Amina"), trust(), NOW)
    with pytest.raises(ConfigError, match="No space left"):
        new_key(tmp_path / "keys", "amina")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


CAPS = {"routine": 250_000, "emergency": 250_000}


def seal(ledger, key, *, artefact=ARTEFACT, pool="routine"):
    parameters = {"policy_sha256": POLICY, "levels": [{"resolution": 4}, {"resolution": 6}]}
    ledger.reserve(Specification(key, (Charge(pool, "2026-03", 1_000),), parameters), caps=CAPS)
    ledger.seal(key, artefact_sha256=artefact, inputs_sha256="00" * 32)


def leave(ledger, key, signed):
    ledger.approve(key, as_recorded(signed))
    ledger.publish(key, bundle_sha256=BUNDLE)


def test_an_approval_survives_the_ledger(ledger):
    seal(ledger, W10)
    ledger.approve(W10, as_recorded(own()))
    (approval,) = ledger.approvals(W10)
    assert recorded(approval) == own()
    assert on_record(W10, ledger.entries(), trust()).signed == own()
    with pytest.raises(SignatureError, match="names the signer"):
        recorded({**approval, "signer": "0" * 16})


def test_an_applicant_is_what_the_ledger_says(ledger):
    seal(ledger, W10)
    assert applicant(W10, ledger.entries()) == asking(first=True)
    with pytest.raises(PrivacyError, match="is not sealed"):
        applicant(W11, ledger.entries())


def test_a_release_is_the_first_until_another_of_its_series_was_published(ledger):
    day = ReleaseKey("od_trips", "2026-03-02")
    for key in (W10, W11, day):
        seal(ledger, key)
    ledger.approve(W10, as_recorded(own()))
    assert applicant(W11, ledger.entries()).is_first  # approved is not published

    ledger.publish(W10, bundle_sha256=BUNDLE)

    assert not applicant(W11, ledger.entries()).is_first
    assert applicant(W10, ledger.entries()).is_first  # its own bundle does not make it a later one
    assert applicant(day, ledger.entries()).is_first  # days have other bounds than weeks


def test_nothing_but_the_ledger_decides_what_is_first(ledger, tmp_path):
    seal(ledger, W10)
    config, folder = with_keys(tmp_path), tmp_path / "approvals"
    (tmp_path / "release" / W11.slug).mkdir(parents=True)  # a bundle that somebody made up
    sign_and_keep(folder, plan(valid_from=NOW.date()).statement, key_of("Amina"), trust(), NOW)
    with pytest.raises(ApprovalError, match="the first release"):
        clear(W10, config, folder, ledger, NOW)
    assert ledger.approvals(W10) == ()


def test_an_approval_is_recorded_once_and_stays_the_same(ledger, tmp_path):
    seal(ledger, W10)
    config, folder = with_keys(tmp_path), tmp_path / "approvals"
    sign_and_keep(folder, own().statement, key_of("Bao"), trust(), NOW)
    first = clear(W10, config, folder, ledger, NOW)
    sign_and_keep(folder, own().statement, key_of("Amina"), trust(), NOW)

    assert clear(W10, config, folder, ledger, NOW).approval == first.approval
    assert first.approval.signed.key == key_of("Bao").public
    assert [entry.kind for entry in ledger.entries()].count(EntryKind.APPROVE) == 1


def test_the_gate_s_key_must_be_a_publisher_s_and_not_revoked(ledger, tmp_path):
    seal(ledger, W10)
    config, folder = with_keys(tmp_path), tmp_path / "approvals"
    sign_and_keep(folder, own().statement, key_of("Amina"), trust(), NOW)
    wrong = config.model_copy(update={"publisher_key": tmp_path / "keys" / "Amina.pem"})
    with pytest.raises(ApprovalError, match="has the role dpo"):
        clear(W10, wrong, folder, ledger, NOW)
    revoke(config.trust, key_of("gate").public.id, NOW, "")
    with pytest.raises(ApprovalError, match="is revoked"):
        clear(W10, config, folder, ledger, NOW)


def test_a_signature_of_a_key_that_may_not_is_not_even_kept(tmp_path):
    for name in ("a stranger", "Esi", "gate"):
        with pytest.raises(ApprovalError):
            sign_and_keep(tmp_path, own().statement, key_of(name), trust(), NOW)
    assert list(tmp_path.iterdir()) == []


def test_an_altered_or_renamed_file_of_the_folder_is_named(tmp_path):
    sign_and_keep(tmp_path, own().statement, key_of("Amina"), trust(), NOW)
    (file,) = tmp_path.iterdir()
    assert kept(tmp_path) == [own()]
    renamed = file.rename(tmp_path / ("0" * 64 + ".json"))
    with pytest.raises(SignatureError, match="another name"):
        kept(tmp_path)
    renamed.write_bytes(renamed.read_bytes().replace(b"W10", b"W11"))
    with pytest.raises(SignatureError, match=r"000\.json: .*not that of key"):
        kept(tmp_path)


def test_every_recorded_approval_is_verified(ledger):
    seal(ledger, W10)
    leave(ledger, W10, own())
    seal(ledger, W11)
    leave(ledger, W11, plan(valid_from=date(2026, 3, 1), valid_until=date(2026, 3, 31)))
    assert check_recorded(ledger.entries(), trust()) == 2


@pytest.mark.parametrize(
    "signed",
    [own(by="a stranger"), own(by="Esi"), own(asking(W11)), own(asking(artefact_sha256="ac" * 32)), plan()],
    ids=["stranger", "role", "release", "artefact", "plan for a first release"],
)
def test_what_left_by_an_approval_that_does_not_count_is_found(ledger, signed):
    seal(ledger, W10)
    leave(ledger, W10, signed)
    with pytest.raises(ApprovalError, match=r"2026-W10 r1 left on .* without an approval that counts"):
        check_recorded(ledger.entries(), trust())


def test_a_recorded_signature_that_does_not_hold_is_found(ledger):
    seal(ledger, W10)
    forged = as_recorded(own())
    leave_with = {**forged, "signature": "00" * 64}
    ledger.approve(W10, leave_with)
    with pytest.raises(SignatureError, match="Entry 3 of the ledger"):
        check_recorded(ledger.entries(), trust())


def test_what_left_before_a_revocation_stays_approved_and_what_left_after_does_not(ledger, clock):
    seal(ledger, W10)
    leave(ledger, W10, own())
    left_at = clock()
    before, after = left_at - timedelta(seconds=1), left_at + timedelta(seconds=1)

    assert check_recorded(ledger.entries(), trust(("Amina", after))) == 1
    with pytest.raises(ApprovalError, match="without an approval that counts"):
        check_recorded(ledger.entries(), trust(("Amina", before)))

    ledger.approve(W10, as_recorded(own(by="Bao")))  # given anew by somebody else
    assert check_recorded(ledger.entries(), trust(("Amina", before))) == 2


def opening():
    return opening_of(Policy.load(), "cyclone-ana", "displacement", date(2026, 5, 12))


def open_for(ledger, *people, hazard="cyclone"):
    signed = [as_recorded(sign(opening_statement(opening(), hazard), key_of(name))) for name in people]
    ledger.open_event(opening(), approvals=signed, caps=Policy.load().caps)


def test_the_signatures_of_an_opening_are_verified(ledger):
    open_for(ledger, "Amina", "Esi")
    assert check_recorded(ledger.entries(), trust()) == 2


@pytest.mark.parametrize("people", [("Esi", "Femi"), ("Amina", "gate"), ("Amina", "a stranger")])
def test_an_opening_by_others_is_found(ledger, people):
    open_for(ledger, *people)
    with pytest.raises(ApprovalError, match="is not open"):
        check_recorded(ledger.entries(), trust())


def test_an_opening_with_signatures_of_something_else_is_found(ledger):
    ledger.open_event(opening(), approvals=[as_recorded(own()), as_recorded(own(by="Bao"))], caps=Policy.load().caps)
    with pytest.raises(ApprovalError, match="signatures of something else"):
        check_recorded(ledger.entries(), trust())


def test_a_plan_is_made_of_what_the_policy_releases():
    policy, span = Policy.load(), (TODAY, TODAY)
    made = plan_for(policy, ["od_trips"], span, None)
    assert made.series == ("od_trips/day", "od_trips/week")
    assert (made.policy_sha256, made.finest_resolution) == (policy.sha256, 6)
    assert plan_for(policy, ["od_trips/day"], span, None).finest_resolution == 5
    assert plan_for(policy, ["od_trips"], span, 4).finest_resolution == 4
    assert plan_for(policy, ["active_subscribers"], span, None).finest_resolution == 5
    for series, days in (
        (["displacement"], span),
        (["od_trips/month"], span),
        (["od_trips"], (TODAY, date(2026, 1, 1))),
    ):
        with pytest.raises(ConfigError):
            plan_for(policy, series, days, None)


def test_a_hazard_is_one_word_and_a_product_one_of_the_policy_s_events():
    with pytest.raises(ConfigError, match="is no hazard"):
        opening_statement(opening(), "a great flood")
    with pytest.raises(PrivacyError, match="no product 'od_trips' after events"):
        opening_of(Policy.load(), "cyclone-ana", "od_trips", date(2026, 5, 12))
