"""Sharing from an installation: published first, recorded before it goes, the same bytes again, killed or not."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobs.config import Config
from jobs.publish.archive import read_bundle_files
from jobs.publish.errata import about, erratum_about, keep_erratum, kept_errata, notices, refuse_withdrawn
from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from jobs.shares import agreement_of, check_shared, share
from privacy.ledger import EntryKind
from privacy.release import release
from privacy.signing import sign
from schemas.errors import (
    BundleError,
    ConfigError,
    InputError,
    LedgerError,
    PrivacyError,
    SignatureError,
    SpecificationChangedError,
)
from tests.approvals import approve, key_of, trust
from tests.installations import installation, run_whimbrel
from tests.ledgers import ROOT, kinds
from tests.plans import plan_of
from tests.shares import TEXT
from tests.unit.test_product_bundles import totals

PLAN = plan_of("presence")
KEY = PLAN.key
TODAY = datetime.now(UTC).date()
DPO = key_of("Amina")


def text_of(**days):
    """The example agreement, in force from yesterday to tomorrow unless told."""
    first, last = (days.get(name, TODAY + timedelta(n)) for name, n in (("first", -1), ("last", 1)))
    return TEXT.replace("2026-03-01", str(first)).replace("2028-12-31", str(last))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An installation with one published release, and an agreement: to be copied, not changed."""
    root = tmp_path_factory.mktemp("published")
    desk = Desk.of(installation(root, cells=root / "cells.csv"))
    release(PLAN, exact=lambda: (totals(PLAN), "ab" * 32), ledger=desk.ledger, vault=desk.vault, policy=desk.policy)
    approve(desk.config, KEY)
    desk.publish(KEY)
    (root / "agreements").mkdir()
    (root / "agreements" / "health-2026.toml").write_text(text_of())
    return root


@pytest.fixture
def root(published, tmp_path):
    return shutil.copytree(published, tmp_path / "installation")


@pytest.fixture(scope="module")
def whole(published, tmp_path_factory):
    """What stands among the shared bundles after a share that nothing killed."""
    root = shutil.copytree(published, tmp_path_factory.mktemp("whole") / "installation")
    shared_at(root)
    return standing(root)


def desk_at(root):
    config = installation(root, cells=root / "cells.csv")
    return Desk.of(config.model_copy(update={"sharing": config.sharing.anchored(root)}))


def shared_at(root):
    desk = desk_at(root)
    return share(desk, agreement_of(desk, "health-2026"), KEY)


def standing(root):
    folder = root / "shared"
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_share_is_recorded_written_and_verified_and_again_it_is_the_same(root):
    bundle = shared_at(root)
    first, entries = standing(root), desk_at(root).ledger.entries()

    assert shared_at(root) == bundle
    assert standing(root) == first
    assert desk_at(root).ledger.entries() == entries
    assert bundle.folder == root / "shared" / "health-2026" / "presence_2026-W10_r1_for_health-2026"
    assert verify_bundle(bundle.archive, trust=trust()).sharing.terms.recipient == "Ministry of Health, Numenia"
    (known,) = desk_at(root).ledger.shares()
    assert (known.bundle_sha256, known.shared_on, known.legal_basis) == (
        bundle.sha256, TODAY, "Public Health Act, section 12",
    )  # fmt: skip


def test_the_published_bundle_stays_as_it_is(root):
    before = {path: path.read_bytes() for path in (root / "release").rglob("*") if path.is_file()}
    shared_at(root)
    assert {path: path.read_bytes() for path in (root / "release").rglob("*") if path.is_file()} == before


class KilledError(BaseException):
    """What nothing catches, as a kill."""


def killing(*_arguments, **_options):
    raise KilledError


MOMENTS = {
    "before it is recorded": ("privacy.ledger.Ledger.share", False),
    "between the record and the copy": ("jobs.shares.settle", True),
    "while files are written": ("jobs.publish.bundle.write_flushed", True),
    "between folder and zip": ("jobs.publish.bundle._settle_archive", True),
    "before names are flushed": ("jobs.publish.bundle.flush_names", True),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_share_killed_at_any_step_is_one_entry_and_the_same_bytes(moment, root, whole, monkeypatch):
    where, is_recorded = MOMENTS[moment]
    monkeypatch.setattr(where, killing)
    with pytest.raises(KilledError):
        shared_at(root)
    monkeypatch.undo()

    left = desk_at(root)
    assert (kinds(left.ledger)[-1] is EntryKind.SHARE) == is_recorded
    assert left.ledger.check() == len(left.ledger.entries())
    check_shared(root / "shared", left.ledger.shares())  # whatever stands there was recorded

    shared_at(root)
    assert standing(root) == whole
    assert kinds(desk_at(root).ledger).count(EntryKind.SHARE) == 1


KILLED_FOR_GOOD = """
import os, signal, sys
from pathlib import Path
import jobs.shares
from tests.unit.test_shares import shared_at
jobs.shares.settle = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
shared_at(Path(sys.argv[1]))
"""


def test_a_process_killed_between_record_and_copy_leaves_the_record_and_the_next_one_makes_the_copy(root):
    done = subprocess.run([sys.executable, "-c", KILLED_FOR_GOOD, root], cwd=ROOT, timeout=120, check=False)

    assert done.returncode == -signal.SIGKILL
    assert standing(root) == {}
    (known,) = desk_at(root).ledger.shares()
    assert shared_at(root).sha256 == known.bundle_sha256


def test_what_was_not_published_is_not_shared(root):
    desk = desk_at(root)
    other = replace(plan_of("presence"), key=replace(KEY, revision=2))
    doors = {"ledger": desk.ledger, "vault": desk.vault, "policy": desk.policy}
    release(other, exact=lambda: (totals(other), "ab" * 32), **doors)
    approve(desk.config, other.key)
    with pytest.raises(PrivacyError, match="was not published") as refused:
        share(desk, agreement_of(desk, "health-2026"), other.key)
    assert "whimbrel publish presence 2026-W10 --revision 2" in refused.value.remedy
    assert standing(root) == {}


@pytest.mark.parametrize(("first", "last", "complaint"), [(-3, -1, "ended on"), (1, 3, "has not begun on")])
def test_an_agreement_out_of_its_term_shares_nothing_and_records_nothing(root, first, last, complaint):
    days = {"first": TODAY + timedelta(first), "last": TODAY + timedelta(last)}
    (root / "agreements" / "health-2026.toml").write_text(text_of(**days))
    with pytest.raises(PrivacyError, match=complaint):
        shared_at(root)
    assert desk_at(root).ledger.shares() == ()
    assert standing(root) == {}


def test_a_changed_agreement_does_not_change_what_was_shared_under_it(root):
    shared_at(root)
    before = standing(root)
    file = root / "agreements" / "health-2026.toml"
    file.write_text(file.read_text().replace("finest_resolution = 5", "finest_resolution = 6"))
    with pytest.raises(SpecificationChangedError, match="in another way"):
        shared_at(root)
    assert standing(root) == before
    shutil.rmtree(root / "shared")  # handed over, and cleared away
    with pytest.raises(SpecificationChangedError, match="in another way"):
        shared_at(root)
    assert standing(root) == {}
    file.write_text(text_of())
    shared_at(root)
    assert standing(root) == before


@pytest.mark.parametrize("what", ["folder", "zip"])
def test_another_bundle_in_the_place_of_a_share_is_refused_without_a_word_of_budget(root, what):
    bundle, published = shared_at(root), root / "release" / KEY.slug
    if what == "folder":
        shutil.rmtree(bundle.folder)
        shutil.copytree(published, bundle.folder)
    else:
        shutil.copy(published.with_name(f"{KEY.slug}.zip"), bundle.archive)
    with pytest.raises(BundleError, match="which charges nothing") as refused:
        shared_at(root)
    assert "revision" not in str(refused.value)


def test_a_share_killed_before_its_copy_is_finished_after_its_agreement_ended(root, monkeypatch):
    monkeypatch.setattr("jobs.shares.settle", killing)
    with pytest.raises(KilledError):
        shared_at(root)
    monkeypatch.undo()
    desk, later = desk_at(root), datetime.now(UTC) + timedelta(100)
    share(desk, agreement_of(desk, "health-2026"), KEY, later)
    assert check_shared(root / "shared", desk.ledger.shares()) == 1


def of_an_earlier_version(patch):
    """Make bundles as an earlier version of Whimbrel did, with a page of other words."""
    patch.setattr("jobs.publish.bundle.page_of_release", lambda *_, **__: b"<p>as it was</p>")


def test_what_left_under_an_earlier_version_stays_as_it_left_and_is_published_and_shared_again(root, monkeypatch):
    for name in (KEY.slug, f"{KEY.slug}.zip"):
        (root / "release" / name).rename(root / name)
    with monkeypatch.context() as earlier:
        of_an_earlier_version(earlier)
        desk_at(root).publish(KEY)
        shared_at(root)
    before, entries = (files_in(root / zone) for zone in ("release", "shared")), desk_at(root).ledger.entries()

    desk_at(root).publish(KEY)
    shared_at(root)

    assert tuple(files_in(root / zone) for zone in ("release", "shared")) == tuple(before)
    assert desk_at(root).ledger.entries() == entries


def files_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_share_made_by_an_earlier_version_and_cleared_away_is_not_made_otherwise(root, monkeypatch):
    with monkeypatch.context() as earlier:
        of_an_earlier_version(earlier)
        shared_at(root)
    shutil.rmtree(root / "shared")
    with pytest.raises(SpecificationChangedError, match="hand out that bundle again"):
        shared_at(root)
    assert standing(root) == {}


def note_of(bundle):
    return json.loads((bundle.folder / "sharing.json").read_text())


def test_a_release_that_was_approved_anew_is_shared_as_it_left_last_and_under_another_agreement(root):
    first = note_of(shared_at(root))["release_sums_sha256"]
    revoke(root, DPO)
    for path in [*(root / "release").iterdir()]:
        path.rename(root / f"void {path.name}")
    approve(desk_at(root).config, KEY, by="Bao")
    last = desk_at(root).publish(KEY).sha256

    with pytest.raises(SpecificationChangedError, match="an id of its own"):
        shared_at(root)
    text = text_of().replace("health-2026", "health-again")
    (root / "agreements" / "health-again.toml").write_text(text)
    desk = desk_at(root)
    assert note_of(share(desk, agreement_of(desk, "health-again"), KEY))["release_sums_sha256"] == last != first


def revoke(root, key):
    """Let a key count no more from the beginning of all."""
    block = f'\n[[revocations]]\nkey_id = "{key.public.id}"\nrevoked_at = 2026-01-01T00:00:00Z\n'
    with (root / "trust.toml").open("a") as file:
        file.write(block)


def test_a_share_again_is_a_part_of_the_bundle_that_had_left_when_it_was_recorded(root):
    bundle, before = shared_at(root), standing(root)
    desk_at(root).ledger.publish(KEY, bundle_sha256="cd" * 32)
    shutil.rmtree(root / "shared")
    assert shared_at(root) == bundle
    assert standing(root) == before


def test_a_bundle_in_the_folder_of_another_agreement_is_found(root):
    bundle = shared_at(root)
    (root / "agreements" / "trade-2026.toml").write_text(text_of().replace("health-2026", "trade-2026"))
    desk = desk_at(root)
    share(desk, agreement_of(desk, "trade-2026"), KEY)
    assert check_shared(root / "shared", desk.ledger.shares()) == 2
    for path in (bundle.folder, bundle.archive):
        moved = path.rename(root / "shared" / "trade-2026" / path.name)
        with pytest.raises(LedgerError, match="shared under health-2026 lies in trade-2026"):
            check_shared(root / "shared", desk.ledger.shares())
        moved.rename(path)


def test_a_bundle_under_the_name_of_another_is_found(root):
    bundle = shared_at(root)
    bundle.archive.rename(bundle.archive.with_name("presence_2026-W11_r1_for_health-2026.zip"))
    with pytest.raises(LedgerError, match="lies in health-2026 as presence_2026-W11"):
        check_shared(root / "shared", desk_at(root).ledger.shares())


def test_a_bundle_among_the_shared_that_the_ledger_lacks_is_found(root, tmp_path):
    shared_at(root)
    shares = desk_at(root).ledger.shares()
    assert check_shared(root / "shared", shares) == 1
    with pytest.raises(LedgerError, match="is not in the ledger"):
        check_shared(root / "shared", ())
    bundle = next((root / "shared").glob("*/*.zip"))
    shutil.rmtree(bundle.with_suffix(""))
    assert check_shared(root / "shared", shares) == 1
    assert check_shared(tmp_path / "none", shares) == 0


def test_the_command_line_shares_lists_and_checks(root, monkeypatch, capsys):
    config = config_file(root)
    line = "{} --config " + str(config)
    code, out, _ = run_whimbrel(line.format("share health-2026 presence 2026-W10"), monkeypatch, capsys)
    assert (code, out.count("presence_2026-W10_r1_for_health-2026")) == (0, 2)

    (one,) = json.loads(run_whimbrel(line.format("ledger shares --json"), monkeypatch, capsys)[1])
    told = (one["recipient"], one["product"], one["purpose"])
    assert told == ("Ministry of Health, Numenia", "presence", "Where to place vaccination posts")
    assert json.loads(run_whimbrel(line.format("ledger --json"), monkeypatch, capsys)[1])["shares"] == [one]
    assert "health-2026" in run_whimbrel(line.format("ledger"), monkeypatch, capsys)[1]
    assert "1 shared bundles are recorded" in run_whimbrel(line.format("ledger check"), monkeypatch, capsys)[1]

    code, _, told = run_whimbrel(line.format("share none presence 2026-W10"), monkeypatch, capsys)
    assert (code, "none.toml cannot be read" in told) == (2, True)


def config_file(root):
    """The installation's configuration as a file."""
    (root / "whimbrel.toml").write_text(
        "[country]\nname = 'Numenia'\ntimezone = 'Indian/Mauritius'\n[pseudonyms]\nkey_file = 'key'\n"
        "[cells]\npath = 'cells.csv'\n[approval]\ntrust = 'trust.toml'\npublisher_key = 'keys/gate.pem'\n"
        "[sources.own]\nformat = 'parquet'\n"
        "columns = { subscriber = 'msisdn', time = 'event_at', cell = 'cell_id' }\n"
    )
    assert Config.load(root / "whimbrel.toml").sharing.shared == root / "shared"
    return root / "whimbrel.toml"


def erratum(root, status="withdrawn", *, by="Amina", **fields):
    told = {"identity": "e1", "reason": "Towers were misplaced", "superseded_by": None} | fields
    return keep_erratum(root / "errata", sign(erratum_about(KEY.slug, status=status, **told), key_of(by)))


def test_a_withdrawn_release_is_shared_no_more(root):
    erratum(root)
    with pytest.raises(BundleError, match=r"was withdrawn on .*: Towers were misplaced"):
        shared_at(root)
    assert desk_at(root).ledger.shares() == ()


def test_an_erratum_says_what_happened_of_the_release_and_of_every_part_of_it(root):
    file = erratum(root, "superseded", superseded_by="presence_2026-W10_r2")
    assert erratum(root, "superseded", superseded_by="presence_2026-W10_r2") == file
    (notice,) = notices(kept_errata(root / "errata"), trust=trust())

    assert about(KEY.slug, [notice]) == about(f"{KEY.slug}_for_health-2026", [notice]) == (notice,)
    assert about("presence_2026-W10_r2", [notice]) == about("presence_2026-W10_r11", [notice]) == ()
    assert notice.signed_by == "Amina (dpo)"
    assert "SUPERSEDED" in notice.sentence
    assert "Use presence_2026-W10_r2 instead" in notice.sentence
    refuse_withdrawn(KEY, kept_errata(file))


@pytest.mark.parametrize("by", ["Esi", "stranger"])
def test_an_erratum_of_somebody_who_may_not_sign_one_is_refused(root, by):
    erratum(root, by=by)
    with pytest.raises(SignatureError, match="Erratum e1"):
        notices(kept_errata(root / "errata"), trust=trust())


def test_an_erratum_by_another_key_than_the_one_given_is_told_and_left_to_the_list_of_trusted_keys(root):
    erratum(root, by="Amina")
    erratum(root, by="gate", identity="e2")
    by_amina, by_gate = notices(kept_errata(root / "errata"), key=key_of("gate").public)
    assert by_amina.signed_by == "which was not compared with a known one: use --trust"
    assert "WITHDRAWN" in by_amina.sentence
    assert by_gate.signed_by == "the key given"


def test_errata_about_other_releases_do_not_keep_a_reader_with_one_key_from_verifying(root, monkeypatch, capsys):
    keep_erratum(root / "errata", sign(erratum_about("presence_2026-W11_r1", "e1", "withdrawn", "x", None), DPO))
    line = f"verify {root / 'release' / KEY.slug} --key {key_of('gate').public} --errata {root / 'errata'}"
    assert run_whimbrel(line, monkeypatch, capsys)[0] == 0

    erratum(root)
    code, _, told = run_whimbrel(line, monkeypatch, capsys)
    assert (code, "use --trust" in told, "W11" in told) == (3, True, False)


@pytest.mark.parametrize("verb", ["verify", "catalogue", "errata show"])
def test_a_path_without_errata_is_refused_by_every_reader(root, monkeypatch, capsys, verb):
    options = {
        "verify": f"{root / 'release' / KEY.slug} --errata {root / 'eratta'}",
        "catalogue": f"{root / 'release'} --out {root / 'out'} --errata {root / 'eratta'}",
        "errata show": f"{root / 'eratta'}",
    }
    code, out, told = run_whimbrel(f"{verb} {options[verb]}", monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert "There are no errata at" in told
    assert not (root / "out").exists()


def test_a_folder_of_errata_that_the_configuration_names_has_to_be_there(root):
    file = config_file(root)
    file.write_text(file.read_text() + "[sharing]\nerrata = 'eratta'\n")
    desk = Desk.of(Config.load(file))
    with pytest.raises(InputError, match="There are no errata at"):
        share(desk, agreement_of(desk, "health-2026"), KEY)
    assert desk.ledger.shares() == ()
    (root / "eratta").mkdir()
    assert share(desk, agreement_of(desk, "health-2026"), KEY).folder.exists()


def test_an_altered_erratum_and_a_file_of_something_else_are_refused(root):
    file = erratum(root)
    file.write_bytes(file.read_bytes().replace(b"misplaced", b"displaced"))
    with pytest.raises(SignatureError, match="signature is refused"):
        kept_errata(root / "errata")
    file.write_bytes((root / "release" / KEY.slug / "signature").read_bytes())
    with pytest.raises(SignatureError, match="signed bundle is among the errata"):
        kept_errata(file)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"status": "superseded"}, "not by what"),
        ({"reason": "two\nlines"}, "one line"),
        ({"identity": "E 1"}, "id"),
        ({"superseded_by": KEY.slug}, "supersedes itself"),
    ],
)
def test_an_erratum_that_says_too_little_is_not_signed(root, fields, complaint):
    with pytest.raises(ConfigError, match=complaint):
        erratum(root, **fields)


def test_another_erratum_under_the_same_id_is_refused(root):
    erratum(root)
    with pytest.raises(BundleError, match="Another erratum stands"):
        erratum(root, reason="Something else")


@pytest.mark.parametrize(
    ("bundle", "instead", "complaint"),
    [
        ("presence_2026-W01_r1", "", "No bundle presence_2026-W01_r1 was published"),
        (KEY.slug, "presence_2026-W10_r2", "No bundle presence_2026-W10_r2 was published"),
        ("presence_2026-W10", "", "is no name of a release's bundle"),
        (f"{KEY.slug}_for_health-2026", "", "is no name of a release's bundle"),
        ("presence_2026-W60_r1", "", "2026-W60"),
    ],
)
def test_an_erratum_is_about_a_bundle_that_left_and_points_to_one(
    root, monkeypatch, capsys, bundle, instead, complaint
):
    file, status = config_file(root), "superseded" if instead else "withdrawn"
    line = (
        f"errata issue {bundle} --id e1 --status {status} --reason misplaced --key {root / 'keys' / 'Amina.pem'} "
        f"--config {file} {'--superseded-by ' + instead if instead else ''}"
    )
    code, _, told = run_whimbrel(line, monkeypatch, capsys)
    assert (code, complaint in " ".join(told.split())) == (2, True), told
    assert not (root / "errata").exists()


def test_verify_warns_of_a_withdrawn_bundle_and_ends_with_code_3(root, monkeypatch, capsys):
    config_file(root)
    line = f"verify {root / 'release' / (KEY.slug + '.zip')} --trust {root / 'trust.toml'} --errata {root / 'errata'}"
    signing = (
        f"errata issue {KEY.slug} --id e1 --status withdrawn --reason misplaced --key {root / 'keys' / 'Amina.pem'} "
        f"--config {root / 'whimbrel.toml'}"
    )
    (root / "errata").mkdir()
    assert run_whimbrel(line, monkeypatch, capsys)[0] == 0
    assert run_whimbrel(signing, monkeypatch, capsys)[0] == 0
    code, out, told = run_whimbrel(line, monkeypatch, capsys)
    assert code == 3
    assert "the signature is over these sums" in out
    assert "WITHDRAWN" in told


def test_a_shared_bundle_reads_as_any_other(root):
    files = read_bundle_files(shared_at(root).folder)
    assert json.loads(files["card.json"]) == json.loads((root / "release" / KEY.slug / "card.json").read_text())
